"""Where results and the journal live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.commands.selection import Selection
from planner.commands.shell import Shell
from planner.errors import UsageError
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
