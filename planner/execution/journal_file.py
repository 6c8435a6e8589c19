"""The journal's file: its tables, a copy of a read-only journal, and errors of SQLite as messages."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from planner.errors import StoreError

TABLES = """
CREATE TABLE IF NOT EXISTS launches (
  launch_id TEXT PRIMARY KEY, invocation_id TEXT NOT NULL, change_set_digest TEXT NOT NULL, state TEXT NOT NULL,
  line TEXT NOT NULL, name TEXT NOT NULL, sent_at TEXT NOT NULL, slack_seconds REAL NOT NULL,
  batch_id INTEGER, detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS slots (
  launch_id TEXT NOT NULL REFERENCES launches, ordinal INTEGER NOT NULL, case_id TEXT NOT NULL, plan TEXT NOT NULL,
  prompt TEXT NOT NULL, call_fingerprint TEXT NOT NULL, agent_revision TEXT, reserved_cents INTEGER NOT NULL,
  run_id INTEGER UNIQUE, evidence TEXT, cost_cents INTEGER, completed_at TEXT, consumed_by TEXT,
  PRIMARY KEY (launch_id, ordinal)
) STRICT;
CREATE TABLE IF NOT EXISTS claims (run_id INTEGER PRIMARY KEY, launch_id TEXT NOT NULL REFERENCES launches) STRICT;
CREATE INDEX IF NOT EXISTS slots_unconsumed ON slots (launch_id) WHERE consumed_by IS NULL;
CREATE INDEX IF NOT EXISTS launches_by_change_set ON launches (change_set_digest);
"""
"""`IF NOT EXISTS`: two processes may open a new journal at the same time."""
LATER_TABLES = """
CREATE TABLE IF NOT EXISTS requesters (
  credential TEXT NOT NULL, requested_by_id INTEGER NOT NULL, PRIMARY KEY (credential, requested_by_id)
) STRICT;
CREATE TABLE IF NOT EXISTS launched_with (
  launch_id TEXT PRIMARY KEY REFERENCES launches, credential TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS claims_by_launch ON claims (launch_id);
"""
"""Also created in journals of older versions."""


def copy_of(path: Path) -> sqlite3.Connection:
    """Includes the write-ahead log of a killed writer, which SQLite ignores if it cannot write."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            if (original := path.with_name(path.name + end)).exists():
                shutil.copyfile(original, Path(folder) / f"journal{end}")
        with closing(sqlite3.connect(Path(folder) / "journal")) as whole:
            whole.backup(copy)
    return copy


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
