"""What is wrong with a journal that SQLite or the file system will not use, and how to go on."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from planner.errors import StoreError

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)


def trouble_with(path: Path, what: str, error: Exception) -> StoreError:
    """`what` could not be done to it: `opened`, `read` or `written`."""
    is_damaged = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    if is_damaged or isinstance(error, UnicodeError):
        return StoreError(
            f"the journal {path} is damaged: {error}",
            "Nothing is launched without it. Restore it from a copy, or move it away together with its -wal and -shm files; but"
            " then launches under way are forgotten, and their calls may be made and paid for again: look at the service's own"
            " list of test calls first.",
        )
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(
            f"the journal {path} knows a run of the same number already: {error}",
            "Nothing is launched without it. Two services (THUNDERPHONE_API_BASE_URL) give the same numbers to different runs: if"
            " this store was used with another one, name a store of its own (--store) and run the same command again.",
        )
    return StoreError(
        f"the journal {path} cannot be {what}: {error}",
        "Nothing is launched without it. Free some disk space or mend its permissions, then run the same command again.",
    )
