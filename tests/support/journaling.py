"""A process that appends to the log of a checkout: `journaling.py JOURNAL STORE WRITER COUNT`.

It notes and appends COUNT lines each, and prints every line that is durable: here if it was noted, and in the store if it
was appended. STORE is the folder of a store, or empty.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from planner.log.journal import Folding, Journal, Row
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import log_name


def count_by_writer(lines: Sequence[str], journal: Journal) -> Mapping[Row, str | None]:
    """Rows that count the lines of each writer, which is a line's first word."""
    counts: dict[Row, int] = {}
    for line in lines:
        row = ("lines", line.split()[0])
        counts[row] = counts.get(row, int(journal.row(*row) or 0)) + 1
    return {row: json.dumps(number) for row, number in counts.items()}


COUNTING = Folding("1", count_by_writer)


def open_journal(path: Path, folder: Path | None, writer: str = "here") -> Journal:
    store = FolderStore(folder, log_name(), writer) if folder else None
    return Journal(path, COUNTING, store, str(folder))


def main() -> None:
    path, folder, writer, wanted = sys.argv[1:]
    journal = open_journal(Path(path), Path(folder) if folder else None, writer)
    for number in range(int(wanted)):
        journal.note([f"{writer} noted {number}"])
        print("noted", number, flush=True)  # noqa: T201 - read by the test
        at = ""
        while True:
            _, at = journal.read(at)
            if journal.append([f"{writer} appended {number}"], at) is not None:
                break
        print("appended", number, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
