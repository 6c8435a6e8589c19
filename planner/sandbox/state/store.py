"""The state file: one JSON line per event, on disk (as far as the operating system) before the answer goes out.

Safe to share: every change is made under a lock, after reading what other processes have appended. A torn last line, as a killed process
leaves it, is cut off by the next change; it was never acknowledged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from planner.sandbox.state.records import Event, from_line, to_line

try:
    import fcntl
except ImportError:  # Windows has no such thing: one process per state file there
    fcntl = None


class StateFileError(ValueError):
    """The state file does not contain a sandbox's events."""


class Store:
    """Events on disk, or nowhere (`path` None)."""

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
        """Apply what others have appended since."""
        if self._fd is None or os.fstat(self._fd).st_size <= self._offset:
            return
        unread = self._read_from(self._offset)
        whole, newline, _ = unread.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if newline else ()):
            try:
                self._apply(from_line(line))
            except ValueError as error:
                raise StateFileError(
                    f"{self._path}: line {number + 1} after byte {self._offset} is no event of a sandbox; move the file away"
                ) from error
        self._offset += len(whole) + len(newline)

    @contextmanager
    def change(self) -> Generator[None]:
        """Hold the file while deciding on a change, which `append` then makes."""
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

    def append(self, *events: Event) -> None:
        """Write, then apply."""
        with self.change():
            if self._fd is not None:
                block = b"".join(to_line(event) for event in events)
                written = 0
                while written < len(block):
                    written += os.write(self._fd, block[written:])
                self._offset += len(block)
            for event in events:
                self._apply(event)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read_from(self, offset: int) -> bytes:
        assert self._fd is not None
        chunks: list[bytes] = []
        os.lseek(self._fd, offset, os.SEEK_SET)  # what is written is appended, wherever this is
        while chunk := os.read(self._fd, 1 << 20):
            chunks.append(chunk)
        return b"".join(chunks)
