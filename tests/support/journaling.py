"""The log of a checkout, and a process that appends to it."""

from __future__ import annotations

from pathlib import Path

from planner.log.journal import Journal
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import log_name


def open_journal(path: Path, folder: Path | None, writer: str = "here") -> Journal:
    store = FolderStore(folder, log_name(), writer) if folder else None
    return Journal(path, store, str(folder))


def keep(path: Path, folder: Path | None, writer: str, wanted: int) -> int:
    """The work of a process: it notes and appends so many lines each, and prints every line that is durable: here if it was
    noted, and in the store, if there is one, if it was appended."""
    journal = open_journal(path, folder, writer)
    for number in range(wanted):
        journal.note([f"{writer} noted {number}"])
        print("noted", number, flush=True)  # noqa: T201 - read by the test
        at = 0
        while True:
            _, at = journal.read(at)
            if journal.append([f"{writer} appended {number}"], at):
                break
        print("appended", number, flush=True)  # noqa: T201
    return 0
