"""Turns SIGINT, SIGTERM and SIGHUP into an event. The first signal asks for an orderly stop; a second SIGINT or SIGTERM
stops at once.

A closing terminal sends several SIGHUPs, so only the first one counts, and none counts as a second signal.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus

from planner.session.deferred_signals import HANG_UP, stop_signals


@asynccontextmanager
async def interruptible() -> AsyncGenerator[anyio.Event]:
    """An event that the first signal sets; a second SIGINT or SIGTERM raises KeyboardInterrupt. Errors of the body are
    not wrapped.

    Afterwards the previous handlers are restored: asyncio would leave SIGTERM fatal while reports are written. After a
    SIGHUP, further ones are ignored.
    """
    interrupted = anyio.Event()
    before = {number: signal.getsignal(number) for number in stop_signals()}
    after = dict(before)

    async def listen(*, task_status: TaskStatus[None]) -> None:
        """Uses plain handlers, since those of asyncio and anyio do not exist on Windows."""
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
    """The only error in an exception group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
