"""The time that reading a file may take: its author decides how long templates, patterns and expressions run."""

from __future__ import annotations

from time import thread_time  # CPU time of this thread, so that a busy machine refuses nothing

MAX_SECONDS = 3.0


class Budget:
    """One for all files loaded together; each file starts it again, for itself and what it imports."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._end = thread_time() + MAX_SECONDS

    @property
    def exhausted(self) -> bool:
        return thread_time() > self._end
