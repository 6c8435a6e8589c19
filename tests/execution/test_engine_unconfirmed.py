"""Unconfirmed launches: searched for first, adopted if found, and sent again only once they are absent after the
settling time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pydantic_core

from planner.errors import LostAnswerError
from planner.execution.engine import EngineSettings
from planner.execution.events import Moved, RequesterLearned, RunsBound
from planner.execution.journal import Journal
from planner.execution.launches import LaunchState
from planner.execution.reconciling import bind_slots
from planner.network.transport import Answer

PATIENT = EngineSettings(linger_seconds=700)


def lose_the_first_post(*, after: int = 0) -> Callable[..., Any]:
    """The request is lost: nothing arrives at the service."""
    posts: list[str] = []

    def intercept(method: str, path: str, body: bytes | None) -> Any:
        if method == "POST":
            posts.append(path)
            if len(posts) == after + 1:
                return LostAnswerError("no answer in time")
        return None

    return intercept


async def test_an_unconfirmed_launch_that_arrived_is_adopted(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Found in the first list, not launched again, and marked as adopted."""
    service = make_service([{"kind": "lost_answer"}])
    jobs = [job("ana", runs=2), job("cleo", target=17)]
    done = await service.invoke(jobs)
    assert done.outcome.finished
    assert done.outcome.launches == 2
    assert all(record.adopted and not record.resumed for record in done.records)
    assert done.seconds < 60
    assert [line for line in done.narration if "arrived" in line] == [
        "launch l0001 had arrived: adopted runs 7110, 7111",
        "launch l0002 had arrived: adopted run 7112",
    ]
    await service.check_exact(jobs)


async def test_an_absent_launch_is_sent_again_after_the_settling_time(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Not a second before, because lists may lag; other launches continue meanwhile."""
    service = make_service()
    jobs = [job("ana", runs=2, expected_seconds=90.0), job("cleo", target=17)]
    done = await service.invoke(jobs, intercept=lose_the_first_post(), settings=PATIENT)
    assert done.outcome.finished
    runs = {run["prompt"]: run["created_at"] - 1_795_521_600 for run in await service.own_runs()}
    assert runs[jobs[1].prompt] < 1
    assert 600 <= runs[jobs[0].prompt] < 610
    assert [line for line in done.narration if "arrived" in line] == [
        "launch l0001 never arrived: its runs may be launched again"
    ]
    assert not any(record.adopted for record in done.records)
    await service.check_exact(jobs)


async def test_the_session_searches_for_a_minute_and_the_next_one_continues(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A minute after everything else is done the session ends with the launch open; later sessions settle it by its
    age."""
    service = make_service()
    jobs = [job("ana", runs=2, expected_seconds=90.0), job("cleo", target=17)]
    first = await service.invoke(jobs, intercept=lose_the_first_post())
    assert [(launch.launch_id, launch.case_ids, launch.needs_person) for launch in first.outcome.unsettled] == [
        ("l0001", ("p/ana@t",), False)
    ]
    assert (first.outcome.finished, first.outcome.left, first.outcome.trouble) == (False, {}, "")
    assert 85 < first.seconds < 110  # a call of half a minute, seen late as a longer one was expected; then the minute
    assert first.outcome.unsettled[0].reserved_cents == 48
    second = await service.invoke(jobs)
    assert 60 <= second.seconds < 70
    assert len(second.outcome.unsettled) == 1
    await anyio.sleep(600)
    third = await service.invoke(jobs)
    assert third.outcome.finished
    await service.check_exact(jobs)


async def test_somebody_elses_equal_run_needs_a_person(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """If the service does not show the requester, either run could be ours; a person's choice is applied."""
    service = make_service(
        [{"kind": "lost_answer", "times": 1}, {"kind": "foreign_runs", "route": "list", "identical": True, "times": 1}],
    )
    first = await service.invoke([job("ana")])
    assert [(launch.case_ids, launch.needs_person) for launch in first.outcome.unsettled] == [(("p/ana@t",), True)]
    assert first.narration.count("launch l0001 has 2 candidates: a person must choose") == 1
    assert first.seconds < 60  # nobody is waited for in vain
    (ours,) = await service.own_runs()
    journal = service.journal()
    journal.record(Moved("l0001", LaunchState.ADOPTED, detail="a person said so", run_ids=(ours["run_id"],)))
    journal.record(RunsBound("l0001", bind_slots(journal.slots_of("l0001"), {}, (ours["run_id"],))))
    journal.close()
    jobs = [job("ana"), job("bob", target=17)]
    second = await service.invoke(jobs)
    assert second.outcome.finished
    assert {(record.slot.case_id, record.adopted, record.resumed) for record in second.records} == {
        ("p/ana@t", True, True),
        ("p/bob@t", False, False),
    }
    await service.check_exact(jobs)


async def test_anothers_run_is_never_adopted(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """If the service shows the requester and our own id is known, another requester's equal run is no candidate."""
    service = make_service(
        [
            {"kind": "lost_answer", "after": 1, "times": 1},
            {"kind": "foreign_runs", "route": "list", "identical": True, "count": 2, "times": 1},
        ],
    )
    jobs = [job("bob", target=17, expected_seconds=90.0), job("ana")]
    done = await service.invoke(jobs, amend=service.as_in_the_client)
    assert done.outcome.finished
    assert {record.slot.case_id: record.adopted for record in done.records} == {"p/ana@t": True, "p/bob@t": False}
    await service.check_exact(jobs)


async def test_our_requester_id_is_remembered(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Our id is stored: after the process that learned it, the next one's lost launch is not matched to another
    requester's run."""
    service = make_service()
    bob = await service.invoke([job("bob", target=17)], amend=service.as_in_the_client)
    assert bob.outcome.finished
    await service.control(
        faults=[
            {"kind": "lost_answer", "times": 1},
            {"kind": "foreign_runs", "route": "list", "identical": True, "count": 2, "times": 1},
        ]
    )
    jobs = [job("ana")]
    done = await service.invoke(jobs, amend=service.as_in_the_client)
    assert done.outcome.finished
    assert [record.adopted for record in done.records] == [True]
    assert done.narration.count("launch l0002 has 3 candidates: a person must choose") == 0
    (bobs, anas) = await service.own_runs()
    assert done.records[0].run_id == anas["run_id"]
    assert bobs["run_id"] != anas["run_id"]


def test_each_key_has_its_own_requesters(tmp_path: Path) -> None:
    """Another key is another requester: the id of one does not identify runs of the other."""
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.requesters("a") == set()
    for _ in range(2):
        journal.record(RequesterLearned("a", 1))
    journal.record(RequesterLearned("b", 2))
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    assert (again.requesters("a"), again.requesters("b"), again.requesters("c")) == ({1}, {2}, set())
    again.close()


async def test_anothers_batch_is_never_adopted(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Batches show the requester: the answer to our first one contains our own id."""
    service = make_service([{"kind": "lost_answer", "after": 1, "times": 1}])
    jobs = [job("bob", runs=2, target=17, expected_seconds=90.0), job("ana", runs=2)]

    def with_a_stranger(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-call-batches"):
            return answer
        batches = pydantic_core.from_json(answer.body)
        strangers = [{**batch, "id": 900, "run_ids": [9001, 9002], "requested_by_id": 2} for batch in batches[:1]]
        return replace(answer, body=pydantic_core.to_json([*strangers, *batches] if strangers else batches))

    done = await service.invoke(jobs, amend=with_a_stranger)
    assert done.outcome.finished
    await service.check_exact(jobs)
