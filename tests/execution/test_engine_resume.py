"""Resuming: earlier launches are continued, collected runs are not fetched again, and nothing is charged twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from planner.errors import StoreError
from planner.execution.engine import EngineSettings
from planner.execution.events import Consumed, Moved
from planner.execution.launches import LaunchState


async def test_the_same_command_again_makes_no_call(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """All runs are stored: they are reported with the first session's id, without a request."""
    service = make_service()
    jobs = [job("ana", runs=2), job("bob", target=17)]
    first = await service.invoke(jobs)
    service.requests.clear()
    again = await service.invoke(jobs)
    assert service.requests == [("GET", "/v1/billing")]
    assert again.outcome.finished
    assert again.outcome.launches == 0
    key = lambda record: record.run_id  # noqa: E731
    for before, after in zip(sorted(first.records, key=key), sorted(again.records, key=key), strict=True):
        assert (after.resumed, after.launch.session_id, after.run_id) == (True, "i1", before.run_id)
        assert (after.evidence, after.slot, after.launch) == (before.evidence, before.slot, before.launch)
    await service.check_exact(jobs)


async def test_raising_the_number_of_runs_calls_only_the_missing_ones(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Stored runs count."""
    service = make_service()
    await service.invoke([job("ana", runs=2)])
    done = await service.invoke([job("ana", runs=5)], digest="sha256:2")
    assert [record.resumed for record in done.records].count(True) == 2
    await service.check_exact([job("ana", runs=5)])


async def test_consumed_runs_are_not_resumed(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Finished results contain them: another session makes new ones."""
    service = make_service()
    first = await service.invoke([job("ana")])
    journal = service.journal()
    journal.record(Consumed("i1", tuple(record.slot.key for record in first.records)))
    journal.close()
    again = await service.invoke([job("ana")])
    assert [record.resumed for record in again.records] == [False]
    assert len(await service.own_runs()) == 2


async def test_lost_evidence_is_fetched_again_free(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The evidence is gone from the store; the service still has it."""
    service = make_service()
    first = await service.invoke([job("ana", runs=2)], ceilings=[(48, None)])
    for path in service.folder.rglob(f"*{first.records[0].slot.evidence}*"):
        path.unlink()
    again = await service.invoke([job("ana", runs=2)], ceilings=[(48, None)])
    assert again.outcome.finished
    assert (again.snapshots[-1].spent_cents, again.snapshots[-1].reserved_cents) == (32, 0)  # nor counted again
    assert {record.slot.evidence for record in again.records} == {record.slot.evidence for record in first.records}
    assert all(record.resumed for record in again.records)
    await service.check_exact([job("ana", runs=2)])


async def test_runs_under_way_are_resumed(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Interrupted with everything launched and nothing ended: the next session collects the runs and launches
    nothing."""
    service = make_service()
    jobs = [job("ana", runs=2), job("bob"), job("cleo", target=17)]
    first = await service.invoke_interrupted(jobs, 3.0)
    assert (first.outcome.interrupted, first.records, first.outcome.unsettled) == (True, [], ())
    again = await service.invoke(jobs)
    assert again.outcome.finished
    assert again.outcome.launches == 0
    assert [(record.resumed, record.launch.session_id) for record in again.records] == [(True, "i1")] * 4
    await service.check_exact(jobs)


async def test_a_hanging_run_is_left_to_the_next_session(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Its time limit starts with the answer to its launch. It is reported without evidence, and the next session
    reads it, free of charge."""
    service = make_service([{"kind": "slow", "route": "launch", "seconds": 20}], delays={"dial_seconds": 100.0})
    jobs = [job("ana", timeout_seconds=40.0)]
    first = await service.invoke(jobs)
    assert 60 <= first.seconds < 66
    assert (first.outcome.overdue, first.outcome.left, first.outcome.finished) == (1, {}, False)
    assert [(record.evidence, record.slot.cost_cents, record.slot.evidence) for record in first.records] == [
        (None, None, None)
    ]
    assert first.narration[-1] == "run 7110 has not ended within 40 s; not waiting any longer"
    second = await service.invoke(jobs)
    assert second.outcome.overdue == 1
    assert second.seconds < 15  # a last look
    await anyio.sleep(300)
    third = await service.invoke(jobs)
    assert third.outcome.finished
    assert third.records[0].resumed
    assert third.records[0].evidence is not None
    await service.check_exact(jobs)


async def test_an_absent_launch_is_repeated_only_as_wanted(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """A launch of three runs that never happened, of a case that now wants one run: one is launched."""
    service = make_service([{"kind": "error_before", "times": 1}])
    assert await killable(service, [job("ana", runs=3)], "after POST")
    done = await service.invoke([job("ana", runs=1)], digest="sha256:2", settings=EngineSettings(linger_seconds=700))
    assert done.outcome.finished
    assert len(await service.own_runs()) == 1


async def test_other_change_sets_runs_are_resumed_and_not_billed_to_this_one(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """They were paid for under another consent."""
    service = make_service()
    await service.invoke([job("ana", runs=2)])
    done = await service.invoke([job("ana", runs=2), job("bob")], digest="sha256:2", ceilings=[(24, None)])
    assert done.outcome.finished
    assert done.snapshots[-1].spent_cents == 16


@pytest.mark.parametrize("state", [LaunchState.UNSENT, LaunchState.REFUSED, LaunchState.REJECTED, LaunchState.ABSENT])
async def test_unsent_launches_replace_no_run(
    make_service: Callable[..., Any], job: Callable[..., Any], state: LaunchState
) -> None:
    """Even if the journal contains them."""
    service = make_service()
    await service.invoke([job("ana")], intercept=lambda method, *_: StoreError("stop") if method == "POST" else None)
    journal = service.journal()
    (launch,) = journal.launches(LaunchState)
    assert launch.state is LaunchState.INTENDED
    if state is not LaunchState.UNSENT:
        journal.record(Moved(launch.launch_id, LaunchState.SENT))
    if state is LaunchState.ABSENT:
        journal.record(Moved(launch.launch_id, LaunchState.UNCONFIRMED))
    journal.record(Moved(launch.launch_id, state))
    journal.close()
    done = await service.invoke([job("ana")])
    assert (done.outcome.finished, done.outcome.launches) == (True, 1)
    await service.check_exact([job("ana")])


async def test_evidence_with_parts_missing_is_read_again(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A transcript and a grade that arrived after the session are fetched by the next one, which makes no call."""
    service = make_service([{"kind": "late", "what": ["transcript", "grade"], "seconds": 500, "times": 1}])
    jobs = [job("ana", await_grade=True)]
    first = await service.invoke(jobs)
    assert first.records[0].evidence.turns is None
    await anyio.sleep(500)
    second = await service.invoke(jobs)
    assert (second.outcome.finished, second.outcome.launches) == (True, 0)
    assert second.records[0].evidence.turns
    assert second.records[0].evidence.grade.status == "completed"
    assert second.records[0].evidence.cost_cents == first.records[0].evidence.cost_cents
    assert second.seconds < 5
    await service.check_exact(jobs)
