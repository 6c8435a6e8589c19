"""An event loop whose clock goes like any other and jumps when a test says so: a minute's timeout, reached at a moment of one's choosing."""

from __future__ import annotations

import asyncio


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._ahead_seconds

    def jump(self, seconds: float) -> None:
        """From any thread."""
        self._ahead_seconds += seconds
        self.call_soon_threadsafe(lambda: None)  # it sleeps until the next timer, as that was
