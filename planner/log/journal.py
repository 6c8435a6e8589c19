"""The log as this machine has it: `.planner/log.db`, an SQLite database with the lines.

Without a store, the journal is the log. With one, a line that must be shared is first in the store and then here: if
the process dies between, the next read finds it in the store. Everything else is noted here, and goes with the next
append. Several processes may use a journal at the same time; none waits for another one's store.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Final, NamedTuple

from planner.errors import PlannerError, StoreError, UsageError
from planner.log.stores.entries import check_lines
from planner.log.stores.store import MAX_LINE_BYTES, START, LogWentBackError, Store

SCHEMA_VERSION: Final = 1
IN_MEMORY: Final = Path(":memory:")

_TABLES: Final = (
    """CREATE TABLE lines (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, is_shared INTEGER NOT NULL, line TEXT NOT NULL
) STRICT""",
    "CREATE INDEX unshared ON lines (number) WHERE is_shared = 0",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
)
_LINES_AFTER: Final = "SELECT line FROM lines WHERE number > ? ORDER BY number"
_ADD: Final = (
    "INSERT INTO lines (digest, is_shared, line) VALUES (?, ?, ?)"
    " ON CONFLICT (digest) DO UPDATE SET is_shared = 1 WHERE excluded.is_shared > is_shared"
)
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
_OPENINGS: Final = 20
"""Attempts to open a new journal that other processes open, too."""
_BUSY_SECONDS: Final = 30.0
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)
_START_AGAIN: Final = (
    "Nothing is launched without a journal. Restore it from a backup, or move it away with its -wal and -shm files. "
    "What was shared in a store is read again from there. Other launches under way are forgotten, and their calls may "
    "be repeated and charged again: first check the service's list of test calls."
)


class _Snapshot(NamedTuple):
    last: int
    """The number of the last line."""
    position: str
    """Lines of the store up to there are here."""
    unshared: list[str]


class Journal:
    """A `read` and an `append` like those of a `Store`; a position is the number of the last line.

    `address` names the store and the log in it. After a change of store, everything here is shared with the new one.
    Methods raise `StoreError`, also if the disk is full, and what the store raises. May be used by several threads.
    """

    def __init__(self, path: Path, store: Store | None = None, address: str = "", *, read_only: bool = False) -> None:
        """`read_only` uses a copy in memory. Raises `UsageError` for a journal of another version of planner."""
        self._path = path
        self._store = store
        self._using_store = RLock()
        self._using_database = RLock()
        with self._mapped("opened"):
            self._db = _copy_of(path) if read_only else _opened(path)
        try:
            with self._mapped("opened"):
                self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * MAX_LINE_BYTES)
                self._db.execute("PRAGMA trusted_schema=OFF")
                _use_write_ahead_log(self._db)
                self._db.execute("PRAGMA synchronous=FULL")
            self._prepare(address)
        except BaseException:
            self._db.close()
            raise

    @property
    def is_shared(self) -> bool:
        """Whether a store has it, so that other machines see it."""
        return self._store is not None

    def close(self) -> None:
        self._db.close()

    # Reading

    def read(self, after: int = 0) -> tuple[list[str], int]:
        """The lines after a position, also those that others have shared meanwhile, and the position after them."""
        self.pull()
        return self.lines(after)

    def pull(self) -> None:
        """Read what others have shared."""
        if self._store is None:
            return
        with self._using_store:
            before = self._snapshot().position
            lines, end = self._store.read(before)
            if end != before:
                self._record(lines, before, end)

    def lines(self, after: int = 0) -> tuple[list[str], int]:
        """The lines after a position that are here, and the position after them."""
        with self._transaction("DEFERRED"):
            lines = self._select(_LINES_AFTER, after)
            last = self._last()
        if last < after:
            raise LogWentBackError(str(self._path))
        return lines, last

    # Writing

    def append(self, lines: Sequence[str], at: int) -> bool:
        """Append lines, with all that was noted, here and in the store, or nowhere. False if anybody appended or noted
        since `at`: read, and decide again.

        If it raises, they may be in the store: read.
        """
        check_lines(lines)
        with self._using_store:
            if self._store is None:
                return self._append_here(lines, at)
            now = self._snapshot()
            if now.last != at:
                return False
            together = [*now.unshared, *lines]
            end = self._store.append(together, now.position)
            if end is None:
                self.pull()
                return False
            self._record(together, now.position, end)
            return True

    def note(self, lines: Sequence[str]) -> None:
        """Add lines here. Others see them after the next `append` or `share`."""
        check_lines(lines)
        with self._transaction():
            self._add(lines, is_shared=False)

    def share(self) -> None:
        """Append to the store what was noted."""
        while self._store is not None and (now := self._snapshot()).unshared:
            self.append((), now.last)

    def share_again(self) -> None:
        """Append what the store has lost, and read what it has: `planner reconcile` after a `LogWentBackError`."""
        if self._store is None:
            return
        with self._using_store:
            lines, end = self._store.read(START)
            with self._transaction():
                self._db.execute("UPDATE lines SET is_shared = 0")
                self._add(lines, is_shared=True)
                self._set("position", end)
            self.share()

    # The database

    def _record(self, lines: Sequence[str], before: str, end: str) -> None:
        with self._transaction():
            self._add(lines, is_shared=True)
            if self._setting("position") == before:  # else another process has read further, or as far
                self._set("position", end)

    def _prepare(self, address: str) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, SCHEMA_VERSION):
                raise UsageError(
                    f"the journal {self._path} was written by another version of planner",
                    "Use that version, or delete the file if its log is shared in a store.",
                )
            if version == 0:
                for statement in _TABLES:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            found = self._select("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            if sorted(found) != sorted(_TABLES):  # a trigger could change what is written
                raise StoreError(f"the journal {self._path} is damaged: its tables are not planner's", _START_AGAIN)
            if self._store is not None and self._setting("address") != address:
                self._db.execute("UPDATE lines SET is_shared = 0")
                self._set("address", address)
                self._set("position", START)

    def _snapshot(self) -> _Snapshot:
        with self._transaction("DEFERRED"):
            unshared = self._select("SELECT line FROM lines WHERE is_shared = 0 ORDER BY number")
            return _Snapshot(self._last(), self._setting("position"), unshared)

    def _append_here(self, lines: Sequence[str], at: int) -> bool:
        with self._transaction():
            is_current = self._last() == at
            if is_current:
                self._add(lines, is_shared=False)
        return is_current

    def _add(self, lines: Iterable[str], *, is_shared: bool) -> None:
        """Add the lines that are not here."""
        self._db.executemany(_ADD, ((sha256(line.encode()).digest(), int(is_shared), line) for line in lines))

    def _last(self) -> int:
        with self._using_database:
            (number,) = self._db.execute("SELECT coalesce(max(number), 0) FROM lines").fetchone()
        return number

    def _setting(self, name: str) -> str:
        found = self._select("SELECT value FROM settings WHERE name = ?", name)
        return found[0] if found else ""

    def _set(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def _select(self, query: str, *parameters: str | int) -> list[str]:
        """The first column."""
        with self._using_database, closing(self._db.execute(query, parameters)) as found:
            return [value for (value, *_) in found]

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Generator[None]:
        """`DEFERRED` only reads, and waits for nobody."""
        with self._using_database, self._mapped("written"):
            self._db.execute(f"BEGIN {kind}")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _mapped(self, done: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise self._failed(done, error) from error

    def _failed(self, done: str, error: Exception) -> PlannerError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code, without details
        if code in _DAMAGED or isinstance(error, UnicodeDecodeError):
            return StoreError(f"the journal {self._path} is damaged: {error}", _START_AGAIN)
        return StoreError(
            f"the journal {self._path} cannot be {done}: {error}",
            "Nothing is launched without a journal. Free some space, and make it a file on a local disk that this user "
            "can write; then run the same command again.",
        )


def _use_write_ahead_log(database: sqlite3.Connection) -> None:
    """Of several processes that open a new journal at once, SQLite refuses all but one without waiting."""
    for _ in range(_OPENINGS):
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            database.execute("BEGIN IMMEDIATE")  # waits for the others
            database.execute("COMMIT")
        else:
            return
    database.execute("PRAGMA journal_mode=WAL")


def _opened(path: Path) -> sqlite3.Connection:
    if path != IN_MEMORY:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o600))  # SQLite would let everybody read it
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _copy_of(path: Path) -> sqlite3.Connection:
    """Includes the write-ahead log of a killed writer, which SQLite ignores if it cannot write."""
    copy = _opened(IN_MEMORY)
    with TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            if (original := path.with_name(path.name + end)).exists():
                shutil.copyfile(original, Path(folder) / f"log{end}")
        with closing(sqlite3.connect(Path(folder) / "log")) as whole:
            whole.backup(copy)
    return copy
