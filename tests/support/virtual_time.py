"""An event loop whose clock jumps: hours pass in milliseconds, and in the same order every time."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime

import anyio
import anyio.to_thread

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONGEST_VIRTUAL_SECONDS = 10_000.0
"""An engine that still polls after three hours will never end."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stops while anything can run, and jumps to the next timer when nothing can."""

    def __init__(self, begins_at: float = 0.0) -> None:
        self.virtual_seconds = begins_at
        self.ends_at = begins_at + LONGEST_VIRTUAL_SECONDS
        self.threads: anyio.CapacityLimiter | None = None
        super().__init__(_VirtualSelector(self))

    def time(self) -> float:
        return self.virtual_seconds

    def mind_threads(self) -> None:
        """To be called from within: work in threads takes real time, which this clock must wait for."""
        self.threads = anyio.to_thread.current_default_thread_limiter()


class _VirtualSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.virtual_seconds += 1e-6  # or a sleep too short for a float to feel would be slept for ever
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._loop.threads is not None and self._loop.threads.borrowed_tokens:
            return super().select(1.0)  # a thread works in real time
        assert timeout is not None, "deadlock: everything waits for something that no timer will bring"
        self._loop.virtual_seconds += timeout
        assert self._loop.virtual_seconds < self._loop.ends_at, "the engine never ends"
        return ready
