"""The log as one process has it: the lines on this machine, those of the store, and the state that follows from them.

The lines are in one SQLite file. With a store, a line that must precede an effect is in the store first, then here:
if the process dies in between, the next one reads it from the store.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
import anyio.to_thread

from planner.errors import StoreError, UsageError
from planner.log.facts import Fact, Reader, write_fact
from planner.log.fold import State, fold
from planner.log.stores.store import START, Store

SCHEMA_VERSION: Final = 1
IN_MEMORY: Final = Path(":memory:")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)
_TABLES: Final = (
    (
        "CREATE TABLE IF NOT EXISTS lines "
        "(number INTEGER PRIMARY KEY, line TEXT NOT NULL UNIQUE, shared INTEGER NOT NULL) STRICT"
    ),
    "CREATE TABLE IF NOT EXISTS positions (store TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT",
)


class LocalLog:
    """Implements `planner.calls.driver.Log`. Raises `StoreError` for a file that cannot be used.

    `now` is by the service's clock, as far as that is known. `read_only` reads a copy.
    """

    def __init__(
        self,
        path: Path,
        account: str,
        now: Callable[[], datetime],
        store: tuple[str, Store] | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self.state = State()
        self._account, self._now = account, now
        self._store = store
        self._seen = 0
        self._lock = anyio.Lock()
        with self._mapped_errors("opened"):
            self._db = _copy_of(path) if read_only else _opened(path)
        try:
            with self._mapped_errors("opened"):
                self._prepare()
            self._catch_up()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA trusted_schema=OFF")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise UsageError(f"{self.path} was written by a newer version of planner", "Use that version.")
        if version == 0:
            with self._transaction() as db:
                for table in _TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()

    # The interface of the driver

    async def refresh(self) -> None:
        """Read what others appended."""
        async with self._lock:
            if self._store is not None:
                await anyio.to_thread.run_sync(self._read_store)
                self._keep()
            self._catch_up()

    async def append(self, facts: Sequence[Fact]) -> bool:
        """Append facts, with all that was noted. False if somebody else appended since `state` was read: also if that
        was read here while this waited for the store."""
        decided_at = self._seen
        async with self._lock:
            if self._seen != decided_at:
                return False
            lines = [write_fact(fact) for fact in facts]
            if self._store is None:
                return self._append_here(lines)
            pending = self._unshared()
            is_appended = await anyio.to_thread.run_sync(self._append_there, [*pending, *lines])
            if is_appended:
                self._insert(lines, shared=True)
                self._mark_shared(pending)
            else:
                await anyio.to_thread.run_sync(self._read_store)
            self._keep()
            self._catch_up()
            return is_appended

    def note(self, facts: Iterable[Fact]) -> None:
        """Add facts here, durably; others see them after the next `append` or `share`."""
        lines = [write_fact(fact) for fact in facts]
        if lines:
            self._insert(lines, shared=self._store is None)
            self._catch_up()

    async def share(self) -> None:
        """Append what was noted."""
        while self._store is not None and self._unshared() and not await self.append(()):
            pass

    # The same without an event loop

    def read(self) -> None:
        """As `refresh`."""
        if self._store is not None:
            self._read_store()
            self._keep()
        self._catch_up()

    def publish(self) -> None:
        """As `share`."""
        while self._store is not None and (pending := self._unshared()):
            if self._append_there(pending):
                self._mark_shared(pending)
            else:
                self._read_store()
            self._keep()
        self._catch_up()

    def restore(self) -> None:
        """Append again what the store has lost."""
        with self._mapped_errors("written"), self._transaction() as db:
            db.execute("UPDATE lines SET shared = 0")
        self._position = START
        self.read()
        self.publish()

    # The store. These run in another thread, so they must not use the file.

    _new: Sequence[str] = ()
    """Lines that were read from the store and are not in the file yet."""
    _position: str | None = None

    def _append_there(self, lines: Sequence[str]) -> bool:
        assert self._store is not None
        position = self._store[1].append(lines, self._position or START) if lines else self._position
        if position is None:
            return False
        self._position = position
        return True

    def _read_store(self) -> None:
        assert self._store is not None
        lines, self._position = self._store[1].read(self._position or START)
        self._new = [*self._new, *lines]

    # The file

    def _keep(self) -> None:
        """Write what was read from the store, and the position, to the file."""
        assert self._store is not None
        new, self._new = self._new, ()
        with self._mapped_errors("written"), self._transaction() as db:
            db.executemany(
                "INSERT INTO lines (line, shared) VALUES (?, 1) ON CONFLICT (line) DO UPDATE SET shared = 1",
                [(line,) for line in new],
            )
            db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (self._store[0], self._position or START))

    def _append_here(self, lines: Sequence[str]) -> bool:
        with self._mapped_errors("written"), self._transaction() as db:
            is_current = self._last_number() == self._seen
            if is_current:
                db.executemany("INSERT OR IGNORE INTO lines (line, shared) VALUES (?, 1)", [(each,) for each in lines])
        self._catch_up()
        return is_current

    def _insert(self, lines: Sequence[str], *, shared: bool) -> None:
        with self._mapped_errors("written"), self._transaction() as db:
            rows = [(line, int(shared)) for line in lines]
            db.executemany("INSERT OR IGNORE INTO lines (line, shared) VALUES (?, ?)", rows)

    def _mark_shared(self, lines: Sequence[str]) -> None:
        with self._mapped_errors("written"), self._transaction() as db:
            db.executemany("UPDATE lines SET shared = 1 WHERE line = ?", [(line,) for line in lines])

    def _unshared(self) -> list[str]:
        with self._mapped_errors("read"):
            rows = self._db.execute("SELECT line FROM lines WHERE shared = 0 ORDER BY number").fetchall()
        return [line for (line,) in rows]

    def _last_number(self) -> int:
        return self._db.execute("SELECT coalesce(max(number), 0) FROM lines").fetchone()[0]

    def _catch_up(self) -> None:
        """Add the lines that are new in the file to the state."""
        with self._mapped_errors("read"):
            rows = self._db.execute("SELECT number, line FROM lines WHERE number > ? ORDER BY number", (self._seen,))
            new = rows.fetchall()
            if self._position is None and self._store is not None:
                row = self._db.execute("SELECT position FROM positions WHERE store = ?", (self._store[0],)).fetchone()
                self._position = START if row is None else row[0]
        if new:
            self._seen = new[-1][0]
            fold([line for _, line in new], Reader(self._account, self._now()), self.state)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _mapped_errors(self, what: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise _log_error(self.path, what, error) from error


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path != IN_MEMORY and not path.exists():  # SQLite would create it readable by everybody
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return sqlite3.connect(path, isolation_level=None, timeout=5)


def _copy_of(path: Path) -> sqlite3.Connection:
    """Includes the write-ahead log of a killed writer, which SQLite ignores if it cannot write."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            if (original := path.with_name(path.name + end)).exists():
                shutil.copyfile(original, Path(folder) / f"log{end}")
        with closing(sqlite3.connect(Path(folder) / "log")) as whole:
            whole.backup(copy)
    return copy


def _log_error(path: Path, what: str, error: Exception) -> StoreError:
    is_damaged = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    if is_damaged or isinstance(error, UnicodeError):
        return StoreError(
            f"the journal {path} is damaged: {error}",
            "Nothing is launched without a journal. Restore it from a backup, or move it away with its -wal and -shm "
            "files. Then launches under way are forgotten, and their calls may be repeated and charged again: first "
            "check the service's list of test calls.",
        )
    return StoreError(
        f"the journal {path} cannot be {what}: {error}",
        "Nothing is launched without a journal. Free disk space or fix its permissions, then run the same command "
        "again.",
    )
