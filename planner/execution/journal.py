"""The write-ahead journal: the durable list of events. Each is on disk before `record` returns.

SQLite, WAL, `synchronous=FULL`, one table. `JournalState` is the state after all events.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.errors import StoreError, UsageError
from planner.execution.consents import ConsentAdded, ConsentImported
from planner.execution.events import (
    KINDS,
    NAMES,
    Event,
    EvidenceStored,
    Imported,
    Intended,
    PreviewIntended,
)
from planner.execution.journal_state import JournalState

SCHEMA_VERSION: Final = 6
IN_MEMORY: Final = Path(":memory:")
"""A journal in memory."""

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, event TEXT NOT NULL) STRICT"
)
"""`IF NOT EXISTS`: two processes may open a new journal at the same time."""
_INSERT: Final = "INSERT INTO events VALUES (?, ?, ?)"
_MAX_TEXT_BYTES: Final = 16 * 1024 * 1024
"""Of one event; a launch has at most `LARGEST_BATCH` prompts of 32 KiB."""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)


class Journal(JournalState):
    """One file with one writer, ensured by the store's lock. `read_only` copies a journal that cannot be written into
    memory."""

    def __init__(self, path: Path, *, read_only: bool = False, now: datetime | None = None) -> None:
        """Raises `StoreError` for a journal that cannot be used or holds impossible values. A launch much later than
        `now` is impossible."""
        super().__init__()
        self.path = path
        self._now = now
        self._recorded = 0
        """The number of the last event."""
        with self._mapped_errors("opened"):
            if read_only:
                self._db = _copy_of(path)
            else:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if (
                    path != IN_MEMORY and not path.exists()
                ):  # SQLite would create it readable by everybody; it holds prompts and phone numbers
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            with self._mapped_errors("opened"):
                self._prepare()
            self._replay()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT_BYTES)
        self._db.execute("PRAGMA trusted_schema=OFF")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version:
            raise UsageError(
                f"{self.path} was written by another version of planner", "Use that version, or another --store."
            )
        with self._transaction() as db:
            db.execute(_TABLE)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _replay(self) -> None:
        """Parse and add every event: a damaged or edited journal could lift a ceiling or hide a launch."""
        with self._mapped_errors("read"):
            others = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
            if (other := self._db.execute(others).fetchone()) is not None:
                raise impossible_value(self.path, f"the {other[0]} {other[1]!r}, which would change what is written")
            schema = self._db.execute("SELECT sql FROM sqlite_master WHERE name = 'events'").fetchone()
            if schema is None or schema[0] != _TABLE.replace(" IF NOT EXISTS", ""):
                raise impossible_value(self.path, "the table events is not as planner creates it")
            rows = self._db.execute("SELECT number, kind, event FROM events ORDER BY number")
            for number, kind, text in rows:
                if number != self._recorded + 1:
                    raise impossible_value(self.path, f"event {self._recorded + 1} is missing")
                event = self._parsed(number, kind, text)
                try:
                    super().record(event)
                except (AssertionError, LookupError, StoreError) as error:
                    raise impossible_value(self.path, f"event {number} ({kind}): {error}") from error
                self._recorded = number

    def _parsed(self, number: int, kind: str, text: str) -> Event:
        if kind not in KINDS:
            raise UsageError(
                f"{self.path} holds an event of an unknown kind: {kind[:80]!r}",
                "Use the version of planner that wrote it, or another --store.",
            )
        try:
            event = _adapter(kind).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            wrong = f"{where} is {str(first['input'])[:80]}: {first['msg']}"
            raise impossible_value(self.path, f"event {number} ({kind}): {wrong}") from error
        for moment in _moments(event):
            if not is_possible(moment, self._now, SERVER_CLOCK_SKEW):  # the service's clock may be ahead
                raise impossible_value(self.path, f"event {number} ({kind}) is of {moment.isoformat()}")
        return event

    def close(self) -> None:
        self._db.close()

    def record(self, event: Event) -> None:
        """Make an event durable, then add it.

        Raises:
            StoreError: the journal cannot be written.
            TakenError: a run or batch belongs to another launch. Nothing was written.
        """
        self.validate(event)
        kind, text = NAMES[type(event)], _text(event)
        self._parsed(self._recorded + 1, kind, text)  # nothing is written that cannot be read again
        with self._transaction() as db:
            # Fails if another process has written meanwhile.
            db.execute(_INSERT, (self._recorded + 1, kind, text))
        self._recorded += 1
        self.apply(event)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._mapped_errors("written"):
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
        """Map errors of SQLite and the file system. `what` failed: `opened`, `read` or `written`."""
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise _journal_error(self.path, what, error) from error


def journal_for_reading(path: Path, now: datetime, *, copy: bool = False) -> Journal:
    """An existing journal, for a command that changes nothing; in memory if it cannot be written, or as a `copy`."""
    is_writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return Journal(path, read_only=copy or not is_writable, now=now)


def _text(event: Event) -> str:
    return to_json(event._asdict()).decode()


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def _moments(event: Event) -> list[datetime]:
    if isinstance(event, Intended):
        return [event.intent.sent_at]
    if isinstance(event, PreviewIntended):
        return [event.preview.intended_at]
    if isinstance(event, EvidenceStored):
        return [slot.completed_at for slot in event.slots if slot.completed_at is not None]
    if isinstance(event, Imported):
        ends = [slot.completed_at for slot in event.slots if slot.completed_at is not None]
        return [event.launch.sent_at, *ends]
    if isinstance(event, ConsentAdded | ConsentImported):
        return [event.consent.agreed_at]
    return []


def impossible_value(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the journal {path} holds an impossible value: {what}",
        "Nothing is launched: its sums cannot be trusted. Restore the journal from a backup. Without a backup, check "
        "the service's list of test calls, then move the journal away with its -wal and -shm files: launches under "
        "way are forgotten then, and their calls may be repeated and charged again.",
    )


def _copy_of(path: Path) -> sqlite3.Connection:
    """Includes the write-ahead log of a killed writer, which SQLite ignores if it cannot write."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            if (original := path.with_name(path.name + end)).exists():
                shutil.copyfile(original, Path(folder) / f"journal{end}")
        with closing(sqlite3.connect(Path(folder) / "journal")) as whole:
            whole.backup(copy)
    return copy


def _journal_error(path: Path, what: str, error: Exception) -> StoreError:
    is_damaged = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    if is_damaged or isinstance(error, UnicodeError):
        return StoreError(
            f"the journal {path} is damaged: {error}",
            "Nothing is launched without a journal. Restore it from a backup, or move it away with its -wal and -shm "
            "files. Then launches under way are forgotten, and their calls may be repeated and charged again: first "
            "check the service's list of test calls.",
        )
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(
            f"the journal {path} was written by another process meanwhile: {error}",
            "Nothing more is launched. When the other session has ended, run the same command again.",
        )
    return StoreError(
        f"the journal {path} cannot be {what}: {error}",
        "Nothing is launched without a journal. Free disk space or fix its permissions, then run the same command "
        "again.",
    )
