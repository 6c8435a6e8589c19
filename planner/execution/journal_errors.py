"""Maps errors of SQLite and the file system to messages and hints."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from planner.errors import StoreError

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)


def journal_error(path: Path, what: str, error: Exception) -> StoreError:
    """`what` failed: `opened`, `read` or `written`."""
    is_damaged = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    if is_damaged or isinstance(error, UnicodeError):
        return StoreError(
            f"the journal {path} is damaged: {error}",
            "Nothing is launched without a journal. Restore it from a backup, or move it away with its -wal and -shm files. Then"
            " launches under way are forgotten, and their calls may be repeated and charged again: first check the service's"
            " list of test calls.",
        )
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(
            f"the journal {path} already has a run with the same id: {error}",
            "Nothing is launched. Different services (THUNDERPHONE_API_BASE_URL) may use the same run ids. If this store was used"
            " with another service, choose a separate --store and run the same command again.",
        )
    return StoreError(
        f"the journal {path} cannot be {what}: {error}",
        "Nothing is launched without a journal. Free disk space or fix its permissions, then run the same command again.",
    )
