"""SIGINT and SIGTERM as an event: the first asks to stop well, a second one stops at once."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus


@asynccontextmanager
async def interruptible() -> AsyncGenerator[anyio.Event]:
    """The event is set by the first signal; the second is a KeyboardInterrupt. Errors of the body come out as they are.

    Afterwards signals do what they did before: asyncio would leave SIGTERM deadly while the reports are written.
    """
    interrupted = anyio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    async def listen(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(*before) as signals:
            task_status.started()
            async for _ in signals:
                if interrupted.is_set():
                    raise KeyboardInterrupt
                interrupted.set()

    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(listen)
            yield interrupted
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _only(error: BaseException) -> BaseException:
    """What a task group wrapped, where it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
