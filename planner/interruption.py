"""Signals that ask to stop: SIGINT, SIGTERM, and SIGHUP when the terminal is closed.

Imports nothing heavy: `planner.__main__` needs it first.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from planner.errors import InterruptedRunError, leading_error

if TYPE_CHECKING:
    import anyio
    from anyio.abc import TaskStatus

T = TypeVar("T")
_HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""None on Windows."""


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether this command line wants one JSON document, also if it is interrupted before it is parsed."""
    return "--format=json" in words or ("--format", "json") in pairwise(words)


def _stop_signals() -> tuple[signal.Signals, ...]:
    """A SIGHUP that was ignored from the start (`nohup`) stays ignored."""
    if _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, _HANG_UP)


def raise_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does."""
    for number in _stop_signals():
        if number is not signal.SIGINT:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


@asynccontextmanager
async def interruptible() -> AsyncGenerator[anyio.Event]:
    """An event that the first signal sets; the second raises `InterruptedRunError`, and the third KeyboardInterrupt at
    once, wherever the program is. Errors of the body are not wrapped.

    Afterwards the previous handlers are restored: asyncio would leave SIGTERM fatal while reports are written.
    """
    import asyncio  # late, as anyio: a tenth of the start of `validate`, which does not wait

    import anyio

    interrupted = anyio.Event()
    before = {number: signal.getsignal(number) for number in _stop_signals()}

    async def listen(*, task_status: TaskStatus[None]) -> None:
        """Uses plain handlers, since those of asyncio and anyio do not exist on Windows."""
        loop, signals = asyncio.get_running_loop(), asyncio.Queue[int]()
        for number in before:
            signal.signal(number, lambda came, _: loop.call_soon_threadsafe(signals.put_nowait, came))
        task_status.started()
        await signals.get()
        interrupted.set()
        await signals.get()
        restore()
        raise InterruptedRunError("interrupted twice", "Run the same command to resume; nothing is charged twice.")

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(listen)
            yield interrupted
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise leading_error(group) from None
    finally:
        restore()


async def until_interrupted(work: Callable[[], Awaitable[T]], interrupted: anyio.Event) -> T | None:
    """The result of `work`; None if the session is interrupted before, which cancels it. Errors are not wrapped."""
    import anyio

    result: T | None = None
    try:
        async with anyio.create_task_group() as tasks:

            async def finish() -> None:
                nonlocal result
                result = await work()
                tasks.cancel_scope.cancel()

            tasks.start_soon(finish)
            await interrupted.wait()
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise leading_error(group) from None
    return result
