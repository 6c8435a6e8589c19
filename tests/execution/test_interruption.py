"""SIGINT and SIGTERM: launch nothing more, record what is known, return soon. The next session resumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from planner.errors import UnreachableError
from planner.execution.core import ANSWER_GRACE_SECONDS
from planner.execution.launches import LaunchState


def states(service: Any) -> list[str]:
    journal = service.journal()
    try:
        return [launch.state.value for launch in journal.launches(LaunchState)]
    finally:
        journal.close()


@pytest.mark.parametrize("after", [0.0, 0.01, 1.0, 20.0, 31.0])
async def test_an_interrupted_run_is_resumed(
    make_service: Callable[..., Any], job: Callable[..., Any], after: float
) -> None:
    """At any time: the engine returns within its grace period, and the next session completes each run once."""
    service = make_service(concurrency_limit=3)
    jobs = [job("ana", runs=3), job("bob", runs=2, target=17)]
    first = await service.invoke_interrupted(jobs, after)
    assert first.outcome.interrupted
    assert not first.outcome.finished
    assert first.seconds <= after + ANSWER_GRACE_SECONDS + 0.1
    launched = len(await service.own_runs())
    assert sum(first.outcome.left.values()) == 5 - launched
    await anyio.sleep(120)
    assert len(await service.own_runs()) == launched  # nothing was launched afterwards
    second = await service.invoke(jobs)
    assert second.outcome.finished
    await service.check_exact(jobs)


async def test_an_interruption_before_the_start_launches_nothing(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Not even the first launch is sent."""
    service = make_service()
    interrupted = anyio.Event()
    interrupted.set()
    done = await service.invoke([job("ana")], interrupted=interrupted)
    assert (done.outcome.interrupted, done.outcome.left) == (True, {"p/ana@t": 1})
    assert [path for method, path in service.requests if method == "POST"] == []
    assert states(service) == []


async def test_an_answer_within_the_grace_period_is_recorded(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Launches already sent have three seconds to be answered."""
    service = make_service([{"kind": "slow", "seconds": 2}])
    done = await service.invoke_interrupted([job("ana", runs=2)], 0.5)
    assert states(service) == ["acknowledged"]
    assert 2.0 <= done.seconds < 2.2
    assert done.outcome.unsettled == ()


async def test_a_late_answer_leaves_the_launch_unconfirmed(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The launch is unconfirmed in the journal and the outcome, and the next session adopts it."""
    service = make_service([{"kind": "slow", "seconds": 30, "times": 1}])
    jobs = [job("ana", runs=2)]
    done = await service.invoke_interrupted(jobs, 0.5)
    assert states(service) == ["unconfirmed"]
    assert done.seconds == pytest.approx(0.5 + ANSWER_GRACE_SECONDS, abs=0.1)
    assert [(launch.detail, launch.needs_person) for launch in done.outcome.unsettled] == [
        ("interrupted before the answer came", False)
    ]
    assert done.outcome.left == {}
    second = await service.invoke(jobs)
    assert second.outcome.finished
    assert all(record.adopted for record in second.records)
    await service.check_exact(jobs)


async def test_an_interrupted_launch_that_never_left_is_unsent(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Interrupted while connecting: it never left, and may be launched again at once."""
    service = make_service()

    real = service.transport

    def transport(*arguments: Any) -> Any:
        made = real(*arguments)
        send = made.send

        async def connecting(method: str, path: str, **options: Any) -> Any:
            if method == "POST":
                await anyio.sleep(60)
            return await send(method, path, **options)

        made.send = connecting
        return made

    service.transport = transport
    done = await service.invoke_interrupted([job("ana", runs=2)], 0.5)
    assert states(service) == ["unsent"]
    assert done.outcome.unsettled == ()
    assert done.outcome.left == {"p/ana@t": 2}
    service.transport = real
    assert (await service.invoke([job("ana", runs=2)])).outcome.finished
    await service.check_exact([job("ana", runs=2)])


async def test_waiting_for_the_service_can_be_interrupted(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """During a long pause after a 429, and while the service is unreachable."""
    service = make_service([{"kind": "throttle", "retry_after_seconds": 500}])
    done = await service.invoke_interrupted([job("ana")], 10.0)
    assert done.seconds < 10.1
    service = make_service()
    done = await service.invoke_interrupted(
        [job("ana")], 10.0, intercept=lambda method, *_: UnreachableError("down") if method == "POST" else None
    )
    assert done.seconds < 10.1
    assert set(states(service)) == {"unsent"}
