"""A service or disk that keeps failing: the session reports it, loses nothing and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.errors import StoreError, UnreachableError
from planner.execution.engine import EngineSettings
from planner.execution.launches import LaunchState
from planner.execution.observer import RunResponse
from planner.network.transport import Answer


def states(service: Any) -> list[str]:
    journal = service.journal()
    try:
        return [launch.state.value for launch in journal.launches(LaunchState)]
    finally:
        journal.close()


async def test_a_revoked_key_ends_the_session(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """401 to a read: nothing more is launched, and a session with a valid key resumes the runs under way."""
    service = make_service()
    jobs = [job("ana", runs=2)]

    def revoked(method: str, path: str, body: bytes | None) -> Any:
        return Answer(401, {}, b'{"detail": "Invalid API key."}') if service.now_seconds() > 1_795_521_600 + 5 else None

    first = await service.invoke(jobs, intercept=revoked)
    assert first.outcome.usage.startswith("the service rejects the key (401: Invalid API key.)")
    assert "THUNDERPHONE_API_KEY" in first.outcome.usage
    assert not first.outcome.finished
    assert first.seconds < 10
    second = await service.invoke(jobs)
    assert second.outcome.finished
    await service.check_exact(jobs)


async def test_a_missing_target_is_a_usage_error(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """404 to a launch: it is rejected, no other is tried, and runs under way are collected."""
    service = make_service()
    done = await service.invoke([job("ana", expected_seconds=90.0), job("bob", target=99), job("cleo", target=14)])
    assert done.outcome.usage.startswith("POST /v1/test-calls: not found (404: Agent not found.)")
    assert done.outcome.left["p/bob@t"] == 1
    assert done.outcome.unsettled == ()
    assert "rejected" in states(service)
    assert len(done.records) == len(await service.own_runs()) == 3 - len(done.outcome.left)


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_rejected_request_is_reported(
    make_service: Callable[..., Any], job: Callable[..., Any], status: int
) -> None:
    """With the service's message. It is not tried again."""
    service = make_service()
    answer = Answer(status, {}, b'{"mode": ["Not today."]}')
    done = await service.invoke(
        [job("ana", runs=30)], intercept=lambda method, *_: answer if method == "POST" else None
    )
    assert f"({status}: mode: Not today.)" in done.outcome.usage
    assert done.outcome.left == {"p/ana@t": 30}
    assert states(service) == ["rejected"]


async def test_an_unreachable_service_ends_the_session(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Each attempt provably never left. After five minutes the session gives up."""
    service = make_service()
    done = await service.invoke(
        [job("ana")], intercept=lambda method, *_: UnreachableError("no route") if method == "POST" else None
    )
    assert done.outcome.trouble == "the service was unavailable for 300 s: no route"
    assert done.outcome.left == {"p/ana@t": 1}
    assert 300 <= done.seconds < 310
    assert set(states(service)) == {"unsent"}
    assert len(states(service)) <= 310  # one a second
    assert (await service.invoke([job("ana")])).outcome.finished
    await service.check_exact([job("ana")])


async def test_a_service_that_recovers_is_used_again(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Two minutes of 5xx, to reads and launches alike, cost nothing but time. The progress display shows how long."""
    service = make_service(concurrency_limit=2)
    jobs = [job("ana", runs=4)]

    def outage(method: str, path: str, body: bytes | None) -> Any:
        down = 10 < service.now_seconds() - 1_795_521_600 < 130
        return Answer(503, {}, b"") if down and method == "GET" else None

    done = await service.invoke(jobs, intercept=outage)
    assert done.outcome.finished
    assert done.seconds < 230
    shown = [snapshot.waiting for snapshot in done.snapshots]
    assert any(
        line.startswith(
            "the service has been unavailable for 1 min (giving up after 5 min): GET /v1/test-calls: the service failed (503"
        )
        for line in shown
    )
    assert shown[-1] == ""
    assert [line for line in done.narration if "again after" in line] == ["the service is available again after 1 min"]
    await service.check_exact(jobs)


async def test_a_limit_used_by_others_ends_the_session(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A quarter of an hour of 429 only, at growing intervals. The progress display shows how long it has lasted and
    may last."""
    service = make_service([{"kind": "throttle"}])
    done = await service.invoke([job("ana", runs=3)])
    assert done.outcome.trouble.startswith("the service refused every launch (429) for 90")
    assert done.outcome.left == {"p/ana@t": 3}
    assert done.stats.requests < 50
    assert set(states(service)) == {"refused"}
    shown = dict.fromkeys(snapshot.waiting for snapshot in done.snapshots)
    assert "the service has refused every launch (429) for 7 min (giving up after 15 min)" in shown
    assert len(shown) < 30


async def test_unreadable_evidence_is_left_to_the_next_session(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """It is retried for two minutes while the other runs are collected. Nothing is paid for again."""
    service = make_service()
    jobs = [job("ana"), job("bob", target=17)]

    def broken(method: str, path: str, body: bytes | None) -> Any:
        return Answer(500, {}, b"") if path == "/v1/calls/987654321/transcript" else None

    first = await service.invoke(jobs, intercept=broken)
    assert first.outcome.overdue == 1
    assert not first.outcome.finished
    assert 150 < first.seconds < 170
    assert sorted(record.evidence is None for record in first.records) == [False, True]
    assert any("cannot be read" in line for line in first.narration)
    assert [record.unread for record in first.records if record.evidence is None] == first.outcome.unread
    assert first.outcome.unread[0].startswith("GET /v1/calls/987654321/transcript: ")
    second = await service.invoke(jobs)
    assert second.outcome.finished
    await service.check_exact(jobs)


# The disk


def failing(nth: int, what: str) -> Any:
    """A life in which the n-th journal write (or stored evidence) fails like a full disk."""
    from dataclasses import make_dataclass

    seen: list[str] = []

    def boundary(_: Any, name: str) -> None:
        if name == what:
            seen.append(name)
            if len(seen) >= nth:
                raise StoreError("the journal cannot be written: the disk is full", "Free some disk space.")

    return make_dataclass("Full", [], namespace={"boundary": boundary})()


@pytest.mark.parametrize("nth", range(1, 9))
async def test_a_full_disk_stops_everything_and_loses_nothing(
    make_service: Callable[..., Any], job: Callable[..., Any], nth: int
) -> None:
    """At any journal write: it is reported with a fix, nothing is launched without a durable intent, and once there
    is room again each run is made once."""
    service = make_service()
    jobs = [job("ana", runs=2), job("bob", target=17)]
    first = await service.invoke(jobs, life=failing(nth, "before a journal write"))
    assert first.outcome.trouble == "the journal cannot be written: the disk is full. Free some disk space."
    assert not first.outcome.finished
    assert len(await service.own_runs()) + sum(first.outcome.left.values()) == 3
    second = await service.invoke(jobs, settings=EngineSettings(linger_seconds=700))
    assert second.outcome.finished
    await service.check_exact(jobs)


async def test_unwritable_evidence_stops_launching(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """A run whose evidence is not durable is not collected."""
    service = make_service()
    jobs = [job("ana", runs=2)]
    first = await service.invoke(jobs, life=failing(1, "before saving evidence"))
    assert "the disk is full" in first.outcome.trouble
    assert first.records == []
    second = await service.invoke(jobs)
    assert second.outcome.finished
    assert second.outcome.launches == 0
    await service.check_exact(jobs)


async def test_unreadable_stored_evidence_is_reported(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Stored evidence that cannot be read is no reason to call again."""
    service = make_service()
    jobs = [job("ana")]
    first = await service.invoke(jobs)
    for path in service.folder.rglob(f"*{first.records[0].slot.evidence}*"):
        path.write_text("{}")
    second = await service.invoke(jobs)
    assert second.outcome.trouble
    assert second.records == []
    assert len(await service.own_runs()) == 1


async def test_a_run_id_answered_twice_is_reported(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The service gives the same run id twice: it is reported, nothing more is launched, and the run that was made is
    found."""
    service = make_service()

    def same_id(method: str, path: str, answer: Answer) -> Answer:
        return replace(answer, body=answer.body.replace(b'"id":7111', b'"id":7110')) if method == "POST" else answer

    done = await service.invoke([job("ana"), job("bob", target=17)], amend=same_id)
    assert (
        "the service answered launch l0002 with run 7110, which already belongs to launch l0001" in done.outcome.blocked
    )
    assert not done.outcome.finished
    assert sorted(record.run_id for record in done.records) == [7110, 7111]


async def test_a_bug_ends_the_session_with_what_the_journal_has(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """It is in the outcome, whatever task raised it, and the next session loses and repeats nothing."""
    service = make_service()

    def bug(_: Any) -> None:
        raise ZeroDivisionError

    jobs = [job("ana", runs=2), job("bob", target=14)]
    done = await service.invoke(jobs, on_run=bug)
    assert isinstance(done.outcome.bug, ZeroDivisionError)
    assert not done.outcome.finished
    assert done.outcome.launches == len({run["batch_id"] or run["run_id"] for run in await service.own_runs()})
    assert (await service.invoke(jobs)).outcome.finished
    await service.check_exact(jobs)


async def test_fail_fast_launches_nothing_more(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The observer may stop the session after a verdict: runs under way are collected, the rest is reported."""
    service = make_service(concurrency_limit=2)
    done = await service.invoke([job("ana", runs=6)], on_run=lambda _: RunResponse(stop=True))
    assert done.outcome.fail_fast
    assert done.outcome.left == {"p/ana@t": 6 - len(await service.own_runs())}
    assert 0 < len(done.records) < 6
    assert len(done.records) == len(await service.own_runs())
