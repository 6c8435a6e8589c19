"""A suspended process, a machine that slept, a clock that was changed: the session continues, gives up nothing too
soon, and pays once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from virtual_time import VirtualLoop

from planner.errors import LostAnswerError
from planner.network.transport import Answer

HOURS = 8 * 3600.0


def stop_for(seconds: float) -> None:
    """SIGSTOP, then SIGCONT this much later: all clocks continued meanwhile."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.virtual_seconds += seconds
    loop.ends_at += seconds


def once(condition: Callable[[], bool] = lambda: True) -> Callable[[], bool]:
    """True once: the first time that it is asked while the condition holds."""
    done = False

    def ask() -> bool:
        nonlocal done
        if done or not condition():
            return False
        done = True
        return True

    return ask


async def test_a_list_read_before_a_suspension_does_not_prove_absence(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The lists lag. The process is suspended after it read one, for longer than the settling time: the list is as
    old as before, so a launch that is missing in it may have arrived."""
    service = make_service()
    jobs = [job("ana")]
    now, begun = service.now_seconds, service.now_seconds()

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if method == "POST":
            raise LostAnswerError("lost")
        if path in ("/v1/test-calls", "/v1/test-call-batches") and now() - begun < 20:
            answer = Answer(answer.status, answer.headers, b"[]")  # not listed yet
        if path == "/v1/test-call-batches" and 10 < now() - begun < 20:
            stop_for(900)
        return answer

    done = await service.invoke(jobs, amend=amend)
    assert done.outcome.finished
    assert [record.adopted for record in done.records] == [True]
    await service.check_exact(jobs)


async def test_a_launch_delayed_by_sleep_is_replaced(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The process stands still between the record of a launch and its first byte. Before: another machine made the
    call, and then this one did, too. Now: a launch that its recorded time would not find is not sent."""
    service = make_service()
    jobs, asleep = [job("ana")], [0.0]
    sleeps = once()
    real = service.transport

    def transport(*arguments: Any) -> Any:
        made = real(*arguments)
        send = made.send

        async def connecting(method: str, path: str, **options: Any) -> Any:
            if method == "POST" and sleeps():
                asleep[0] = HOURS  # the wall's clock alone went on
            return await send(method, path, **options)

        made.send = connecting
        return made

    service.transport = transport
    done = await service.invoke(jobs, clock_error_seconds=lambda: asleep[0])
    assert done.outcome.finished
    assert any("waited too long before it was sent: it is replaced" in line for line in done.narration)
    await service.check_exact(jobs)


@pytest.mark.parametrize("step_seconds", [-3600.0, 3600.0, 45.0])
async def test_a_changed_clock_does_not_hide_a_launch(
    make_service: Callable[..., Any], job: Callable[..., Any], step_seconds: float
) -> None:
    """The tolerance of the service's time grows by the change, and the launch is searched for in all of it."""
    service = make_service(concurrency_limit=1)
    jobs, error = [job("ana", runs=3)], [0.0]
    is_set, is_lost, begun = once(lambda: service.now_seconds() - begun > 20), once(lambda: bool(error[0])), 0.0
    begun = service.now_seconds()

    def amend(method: str, _: str, answer: Answer) -> Answer:
        if method == "POST" and answer.status < 300 and is_lost():
            raise LostAnswerError("lost")
        return answer

    def on_engine(engine: Any) -> None:
        new_id = engine.new_id

        def set_clock() -> str:
            if is_set():
                error[0] = step_seconds
            return new_id()

        engine.new_id = set_clock  # the last thing before a launch is written down: nothing is heard in between

    done = await service.invoke(jobs, amend=amend, on_engine=on_engine, clock_error_seconds=lambda: error[0])
    assert done.outcome.finished
    assert sorted(record.adopted for record in done.records) == [False, False, True]
    await service.check_exact(jobs)


async def test_a_launch_sent_before_sleep_is_found(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The request was in the network card all night, was carried out in the morning, and its answer was lost."""
    service = make_service(concurrency_limit=3)
    jobs, woke = [job("ana", runs=2)], [0.0]
    sleeps = once()

    def intercept(method: str, _: str, __: bytes | None) -> None:
        if method == "POST" and sleeps():
            stop_for(HOURS)
            woke[0] = service.now_seconds()

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if method == "POST":
            raise LostAnswerError("lost")
        if path in ("/v1/test-calls", "/v1/test-call-batches") and service.now_seconds() - woke[0] < 5:
            return Answer(answer.status, answer.headers, b"[]")  # the first looks come too early
        return answer

    service.transport = sending_first(service.transport)
    done = await service.invoke(jobs, intercept=intercept, amend=amend)
    assert done.outcome.finished
    assert all(record.adopted for record in done.records)
    await service.check_exact(jobs)


def sending_first(real: Callable[..., Any]) -> Callable[..., Any]:
    """A transport that reports its first byte as sent before anything else happens."""

    def transport(*arguments: Any) -> Any:
        made = real(*arguments)
        send = made.send

        async def sending(method: str, path: str, **options: Any) -> Any:
            if on_sending := options.pop("on_sending", None):
                on_sending()
                options["on_sending"] = lambda: None
            return await send(method, path, **options)

        made.send = sending
        return made

    return transport
