"""SIGINT, SIGTERM and SIGHUP as an event: the first asks to stop well, a second SIGINT or SIGTERM stops at once.

A terminal that goes away sends several SIGHUPs (its shell one, the system another; a logout SIGTERM with them): hang-ups are no
impatience, and count for nothing more than the first of them does.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus

from planner.invocation.deferred_signals import HANG_UP, stop_signals


@asynccontextmanager
async def interruptible() -> AsyncGenerator[anyio.Event]:
    """The event is set by the first signal; the second that is no hang-up is a KeyboardInterrupt. Errors of the body come out
    as they are.

    Afterwards signals do what they did before: asyncio would leave SIGTERM deadly while the reports are written. A hang-up that
    came is the last that is heeded.
    """
    interrupted = anyio.Event()
    before = {number: signal.getsignal(number) for number in stop_signals()}
    after = dict(before)

    async def listen(*, task_status: TaskStatus[None]) -> None:
        """With plain handlers: asyncio's own, and so anyio's, are missing on Windows."""
        loop, signals = asyncio.get_running_loop(), asyncio.Queue[int]()
        for number in before:
            signal.signal(number, lambda came, _: loop.call_soon_threadsafe(signals.put_nowait, came))
        task_status.started()
        is_asked = False
        while True:
            number = signal.Signals(await signals.get())
            if number == HANG_UP:
                after[number] = signal.SIG_IGN
            elif is_asked:
                raise KeyboardInterrupt
            else:
                is_asked = True
            interrupted.set()

    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(listen)
            yield interrupted
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        for number, handler in after.items():
            signal.signal(number, handler)


def _only(error: BaseException) -> BaseException:
    """What a task group wrapped, where it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
