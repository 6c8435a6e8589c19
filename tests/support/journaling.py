"""A process that appends to the log of a checkout: `journaling.py JOURNAL STORE WRITER COUNT`.

It notes and appends COUNT lines each, and prints every line that is durable: here if it was noted, and in the store if it
was appended. STORE is the folder of a store, or empty.
"""

from __future__ import annotations

import sys
from pathlib import Path

from planner.log.journal import Journal
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import log_name


def open_journal(path: Path, folder: Path | None, writer: str = "here") -> Journal:
    store = FolderStore(folder, log_name(), writer) if folder else None
    return Journal(path, store, str(folder))


def main() -> None:
    path, folder, writer, wanted = sys.argv[1:]
    journal = open_journal(Path(path), Path(folder) if folder else None, writer)
    for number in range(int(wanted)):
        journal.note([f"{writer} noted {number}"])
        print("noted", number, flush=True)  # noqa: T201 - read by the test
        at = 0
        while True:
            _, at = journal.read(at)
            if journal.append([f"{writer} appended {number}"], at):
                break
        print("appended", number, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
