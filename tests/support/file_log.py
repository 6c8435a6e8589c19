"""A log in one file, for processes of one machine: each line is a fact, and whoever appends holds a lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planner.log.facts import Fact, Reader, write_fact
from planner.log.fold import State, fold

ANY_ACCOUNT = Reader("", datetime(2100, 1, 1, tzinfo=UTC) - timedelta(days=1))


@dataclass
class FileLog:
    """`step` is called before and after each write."""

    path: Path
    step: Callable[[str], None] = lambda name: None  # noqa: ARG005
    state: State = field(default_factory=State)
    _bytes: int = 0
    """How much of the file the state has."""

    def __post_init__(self) -> None:
        self.path.touch()
        self._read()

    async def refresh(self) -> None:
        self._read()

    async def append(self, facts: Sequence[Fact]) -> bool:
        self.step("append")
        with self._locked():
            if self.path.stat().st_size != self._bytes:
                self._read()
                return False
            self._write(facts)
        self.step("appended")
        return True

    def note(self, facts: Iterable[Fact]) -> None:
        noted = list(facts)
        self.step("note")
        with self._locked():
            self._read()
            self._write(noted)
        self.step("noted")

    async def share(self) -> None:
        """Everything is in the file."""

    def _write(self, facts: Sequence[Fact]) -> None:
        lines = [write_fact(fact) for fact in facts]
        with self.path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        self._read()

    def _read(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._bytes)
            new = file.read()
        end = new.rfind(b"\n") + 1  # another process may be writing the rest
        self._bytes += end
        fold(new[:end].decode().splitlines(), ANY_ACCOUNT, self.state)

    @contextmanager
    def _locked(self) -> Generator[None]:
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
