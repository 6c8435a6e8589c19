"""Where results and the journal live, and that one invocation at a time writes there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from planner.commands.selection import Selection
from planner.commands.shell import Shell
from planner.errors import StoreError, UsageError
from planner.results.directory import DirectoryStore
from planner.results.repository import ResultsRepository

DEFAULT_STORE = ".planner"
DEFAULT_ENVIRONMENT = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """One store. Sandbox results live in a store of their own and never mix with real ones."""

    directory: Path
    repository: ResultsRepository
    environment: str

    @property
    def journal_path(self) -> Path:
        return self.directory / "journal.sqlite"


def place_of(shell: Shell, root: Path, selection: Selection) -> Place:
    """Raises UsageError for a kind of store that is not there yet."""
    named = selection.store or DEFAULT_STORE
    if named.startswith("git:") or "://" in named:
        raise UsageError(
            f"--store {named}: only a directory can be a store in this version",
            "Name a folder, or leave it out for .planner/.",
        )
    directory = shell.cwd / named if selection.store else root / named
    if selection.sandbox:
        directory = directory / "sandbox"
    return Place(directory, ResultsRepository(DirectoryStore(directory)), selection.environment or DEFAULT_ENVIRONMENT)


@contextmanager
def locked(place: Place) -> Generator[None]:
    """One invocation at a time per store: two at once would both pay for the same calls.

    The lock is the operating system's, so that it ends with its holder, however that ends.
    """
    path = place.directory / "lock"
    try:
        place.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store {place.directory} cannot be written: {error.strerror}",
            "Mend its permissions, or choose another --store.",
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 100, 0).decode(errors="replace").strip() or "another process"
            raise StoreError(
                f"the store {place.directory} is in use by {holder}",
                "Wait for it to end; the lock ends with it. To run beside it, choose another --store.",
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)
