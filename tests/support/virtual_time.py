"""Time in tests: an event loop without waiting, one whose clock jumps on demand, and a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
import selectors
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import anyio.to_thread

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONGEST_VIRTUAL_SECONDS = 10_000.0
"""An engine that still polls after three hours will never end."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stops while anything can run, and jumps to the next timer when nothing can: hours pass in milliseconds, in the
    same order every time."""

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


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock goes like any other, and jumps when a test says so."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._ahead_seconds

    def jump(self, seconds: float) -> None:
        """From any thread."""
        self._ahead_seconds += seconds
        self.call_soon_threadsafe(lambda: None)  # it sleeps until the next timer, as that was


@dataclass(slots=True)
class SleptTime:
    """`monotonic` and `sleep` of a clock on which time passes only while somebody sleeps. A sleep really takes `haste` times
    less, so that sleepers wake in their order."""

    haste: float
    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        await anyio.sleep(seconds / self.haste)
        self.seconds = max(self.seconds, until)
