"""The state file: one JSON line per event, written before the answer is sent.

Several processes can share it: every change is made under a lock, after reading what the others have appended. A torn last line, as a
killed process leaves it, was never acknowledged: the next change cuts it off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from planner.sandbox.state.records import Event, event_format

try:
    import fcntl
except ImportError:  # Windows: one process per state file
    fcntl = None


class StateFileError(ValueError):
    """The state file does not contain a sandbox's events."""


class Store:
    """Events in a file, or only in memory (`path` None). `apply` receives every event."""

    def __init__(self, path: Path | None, apply: Callable[[Event], None]) -> None:
        self._apply = apply
        self._path = path
        self._offset = 0
        self._fd: int | None = None
        self._locked = False
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            self.refresh()

    def refresh(self) -> None:
        """Apply the events that others have appended."""
        if self._fd is None or os.fstat(self._fd).st_size <= self._offset:
            return
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if newline else ()):
            try:
                self._apply(event_format().validate_json(line))
            except ValueError as error:
                place = f"{self._path}: line {number + 1} after byte {self._offset}"
                raise StateFileError(f"{place} is no event of a sandbox; move the file away") from error
        self._offset += len(whole) + len(newline)

    @contextmanager
    def change(self) -> Generator[None]:
        """Lock the file while a change is decided and appended."""
        if self._fd is None or self._locked:
            yield
            return
        if fcntl is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._locked = True
        try:
            self.refresh()
            if os.fstat(self._fd).st_size > self._offset:
                os.ftruncate(self._fd, self._offset)
            yield
        finally:
            self._locked = False
            if fcntl is not None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def append(self, event: Event) -> None:
        """Write the event, then apply it."""
        with self.change():
            if self._fd is not None:
                line = event_format().dump_json(event) + b"\n"
                with open(self._fd, "ab", closefd=False) as file:
                    file.write(line)
                self._offset += len(line)
            self._apply(event)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
