"""The tables of an organisation: consents with their calls, events, progress, and evidence that is not fetched yet.

Postgres for teams, SQLite on one machine. Who writes as the coordinator names its epoch, and each of these writes
checks in its own transaction, by the database's clock, that the epoch still holds. No table has an API key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, TypeAlias
from zlib import crc32

from pydantic_core import to_json
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from planner.errors import StoreError
from planner.organisation.pruned import PRUNED, last_of, together
from planner.organisation.states import AT_WORK, ConsentState
from planner.values import frozen

LEASE_SECONDS: Final = 30.0
"""A coordinator whose heartbeat is older than this may be replaced."""

KEPT_SECONDS: Final = 35 * 86400.0
"""How long a closed consent is kept: until no ceiling of a month and no search can concern its calls."""
TIMEOUT_SECONDS: Final = 10
"""For a connection, and for somebody else who writes."""
READING: Final = {"planner_reading": True}
"""Execution options of a connection that only reads."""

metadata = MetaData()
COORDINATOR: Final = Table(
    "coordinator",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("organisation", Integer),
    Column("trouble", Text, nullable=False),
)
"""One row. Times are seconds since 1970, by the database's clock. `organisation` is an id of the service, if it is
known; `trouble` is why the coordinator makes no calls at the moment."""
CONSENTS: Final = Table(
    "consents",
    metadata,
    Column("consent_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("changed_at", Float, nullable=False),
)
EVENTS: Final = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("consent_id", Text, nullable=False, index=True),
    Column("session_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("event", Text, nullable=False),
)
PROGRESS: Final = Table(
    "progress", metadata, Column("consent_id", Text, primary_key=True), Column("snapshot", Text, nullable=False)
)
EVIDENCE: Final = Table(
    "evidence",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("consent_id", Text, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)


class _Now(FunctionElement[float]):
    """Seconds since 1970, by the database's clock."""

    type = Float()
    inherit_cache = True


@compiles(_Now, "sqlite")
def _now_in_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Now, "postgresql")
def _now_in_postgres(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


_HOLDS: Final = (
    select(COORDINATOR.c.epoch)
    .where(COORDINATOR.c.epoch == bindparam("own_epoch"), COORDINATOR.c.expires_at > _Now())
    .with_for_update()
)
_LAST: Final = select(EVENTS.c.number, EVENTS.c.kind, EVENTS.c.event).order_by(EVENTS.c.number.desc()).limit(1)
_ADD_EVENT: Final = insert(EVENTS)
_NOBODY: Final = {"place": 1, "epoch": 0, "holder": "", "version": "", "expires_at": 0.0, "trouble": ""}
"""The coordinator's row before there was one."""


IsRow: TypeAlias = Callable[[RowMapping], bool]


class FencedError(StoreError):
    """Another coordinator has taken over, or may have: nothing was written, and nothing may be sent."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"the coordinator of epoch {epoch} no longer holds the organisation's tables",
            "Another worker continues its calls. If there is only one, its heartbeat was late.",
        )


class AwayError(StoreError):
    """The database cannot be reached, or is too busy: it may soon be there again."""


def _is_away(error: SQLAlchemyError) -> bool:
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return isinstance(error, OperationalError | InterfaceError)


@frozen
class Tables:
    engine: Engine
    shown: str
    """The address without a password."""
    lease_seconds: float = LEASE_SECONDS

    @contextmanager
    def writing(self, epoch: int | None = None) -> Generator[Connection]:
        """A transaction. With an epoch, it is that of the coordinator.

        Raises `FencedError`, `StoreError`: nothing was written; or, if the connection broke at its very end, that is
        unknown, and the events have to be read again.
        """
        with self._mapped("written"), self.engine.begin() as connection:
            if epoch is not None and connection.execute(_HOLDS, {"own_epoch": epoch}).first() is None:
                raise FencedError(epoch)
            yield connection

    @contextmanager
    def reading(self) -> Generator[Connection]:
        with self._mapped("read"), self.engine.connect().execution_options(**READING) as connection:
            yield connection

    @contextmanager
    def _mapped(self, what: str) -> Generator[None]:
        try:
            yield
        except IntegrityError as error:
            raise StoreError(
                f"the organisation's tables ({self.shown}) were written by somebody else meanwhile", "Try again."
            ) from error
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
            raise (AwayError if _is_away(error) else StoreError)(
                f"the organisation's tables ({self.shown}) cannot be {what}: {cause[0]}",
                "Check the database and `organisation`. Calls under way are found again; nothing is called twice.",
            ) from error

    # The coordinator

    def belong_to(self, organisation: int) -> int:
        """The organisation whose calls these tables have: this one from now on, unless they have another's."""
        row = COORDINATOR.c
        with self.writing() as connection:
            known = connection.execute(select(row.organisation, row.expires_at > _Now()).with_for_update()).first()
            if known is None:
                connection.execute(insert(COORDINATOR).values(**_NOBODY, organisation=organisation))
                return organisation
            is_used = known[1] or connection.execute(_LAST).first() is not None
            if known[0] is not None and is_used:
                return known[0]
            connection.execute(update(COORDINATOR).values(organisation=organisation))
            return organisation

    def take(self, holder: str, version: str) -> int | None:
        """The next epoch, if no other coordinator holds the tables; None if one does."""
        with self.writing() as connection:
            row = COORDINATOR.c
            known = connection.execute(select(row.epoch, row.expires_at > _Now()).with_for_update()).first()
            values = {"holder": holder, "version": version, "expires_at": _Now() + self.lease_seconds, "trouble": ""}
            if known is None:
                connection.execute(insert(COORDINATOR).values(**{**_NOBODY, **values, "epoch": 1}))
                return 1
            if known[1]:
                return None
            connection.execute(update(COORDINATOR).values(epoch=known[0] + 1, **values))
            return known[0] + 1

    def heartbeat(self, epoch: int) -> None:
        """Raises `FencedError` if the lease is over, even if nobody has taken it yet."""
        with self.writing(epoch) as connection:
            connection.execute(update(COORDINATOR).values(expires_at=_Now() + self.lease_seconds))

    def report(self, epoch: int, trouble: str) -> None:
        """Tell clients why no calls are made at the moment; "": they are."""
        with self.writing(epoch) as connection:
            connection.execute(update(COORDINATOR).values(trouble=trouble))

    def release(self, epoch: int) -> None:
        with self.writing(epoch) as connection:
            connection.execute(update(COORDINATOR).values(expires_at=0.0))

    def worker(self) -> RowMapping | None:
        """The coordinator at work, if there is one, and the `silent_seconds` since its last heartbeat."""
        silent = (_Now() + self.lease_seconds - COORDINATOR.c.expires_at).label("silent_seconds")
        with self.reading() as connection:
            at_work = select(COORDINATOR, silent).where(COORDINATOR.c.expires_at > _Now())
            return connection.execute(at_work).mappings().first()

    # Consents

    def consents(self, *states: ConsentState) -> Sequence[RowMapping]:
        """In these states, or all; oldest first."""
        wanted = [state.value for state in states or ConsentState]
        ordered = select(CONSENTS).where(CONSENTS.c.state.in_(wanted)).order_by(CONSENTS.c.changed_at)
        with self.reading() as connection:
            return connection.execute(ordered).mappings().all()

    def consent(self, consent_id: str) -> RowMapping | None:
        with self.reading() as connection:
            return connection.execute(select(CONSENTS).where(CONSENTS.c.consent_id == consent_id)).mappings().first()

    def submit(self, consent_id: str, repository: str, submission: str, is_equal: IsRow = lambda _: False) -> bool:
        """Submit a consent with its calls, or once more what is left of it. Does nothing while it is at work, or if
        another consent of the repository to a set with the same digest `is_equal`: then it returns False."""
        values = {
            "state": ConsentState.SUBMITTED.value,
            "repository": repository,
            "submission": submission,
            "failures": 0,
            "outcome": "",
            "changed_at": _Now(),
        }
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":  # one after the other, as in SQLite
                connection.execute(select(func.pg_advisory_xact_lock(crc32(repository.encode()))))
            mine = CONSENTS.c.consent_id == consent_id
            digest = consent_id.partition("-")[0]
            alike = CONSENTS.c.consent_id.startswith(f"{digest}-", autoescape=True)
            others = select(CONSENTS).where(~mine, alike, CONSENTS.c.repository == repository)
            if any(map(is_equal, connection.execute(others).mappings())):
                return False
            known = connection.execute(select(CONSENTS.c.state).where(mine).with_for_update()).scalar()
            if known is None:
                connection.execute(insert(CONSENTS).values(consent_id=consent_id, **values))
            elif ConsentState(known) not in AT_WORK:
                connection.execute(update(CONSENTS).where(mine).values(**values))
        return True

    def change(self, epoch: int | None, consent_id: str, **values: Any) -> None:
        with self.writing(epoch) as connection:
            changed = update(CONSENTS).where(CONSENTS.c.consent_id == consent_id)
            connection.execute(changed.values(changed_at=_Now(), **values))

    def close(self, consent_id: str, submission: str) -> None:
        """Its results are stored: forget what was only kept for them. `submission` has no prompts."""
        with self.writing() as connection:
            for table in (PROGRESS, EVIDENCE):
                connection.execute(delete(table).where(table.c.consent_id == consent_id))
            closing = {"state": ConsentState.CLOSING.value, "submission": submission, "changed_at": _Now()}
            connection.execute(update(CONSENTS).where(CONSENTS.c.consent_id == consent_id).values(**closing))

    # Events

    def events(self, after: int = 0, consent_id: str | None = None) -> Sequence[RowMapping]:
        """Those with a higher number, in their order; of one consent or of all."""
        wanted = select(EVENTS).where(EVENTS.c.number > after).order_by(EVENTS.c.number)
        if consent_id is not None:
            wanted = wanted.where(EVENTS.c.consent_id == consent_id)
        with self.reading() as connection:
            return connection.execute(wanted).mappings().all()

    def add_event(self, epoch: int, values: Mapping[str, Any]) -> None:
        """After the last one. Raises `StoreError` if that is gone: the tables are those of an older copy."""
        with self.writing(epoch) as connection:
            newest = connection.execute(_LAST).first()
            if (0 if newest is None else last_of(*newest)) < values["number"] - 1:
                raise StoreError(f"the organisation's tables ({self.shown}) lack the last events: they were restored")
            connection.execute(_ADD_EVENT, {"epoch": epoch, **values})

    def rewrite_events(self, epoch: int, events: Mapping[int, str]) -> None:
        """Replace these events by others without prompts."""
        with self.writing(epoch) as connection:
            for number, event in events.items():
                connection.execute(update(EVENTS).where(EVENTS.c.number == number).values(event=event))

    def prune(self, epoch: int) -> int:
        """Remove consents that were closed long ago, with their events. Returns how many."""
        row = EVENTS.c
        closed = select(CONSENTS.c.consent_id).where(
            CONSENTS.c.state == ConsentState.CLOSED.value, CONSENTS.c.changed_at < _Now() - KEPT_SECONDS
        )
        with self.writing(epoch) as connection:
            old = connection.execute(closed).scalars().all()
            if not old:
                return 0
            wanted = select(row.number, row.kind, row.event).where(row.consent_id.in_(closed) | (row.kind == PRUNED))
            found = connection.execute(wanted.order_by(row.number)).all()
            for first, last in together((each[0], last_of(*each)) for each in found):
                connection.execute(delete(EVENTS).where(row.number > first, row.number <= last))
                through = to_json({"through": last}).decode()
                mark = {"consent_id": "", "session_id": "", "kind": PRUNED, "event": through}
                connection.execute(update(EVENTS).where(row.number == first).values(**mark))
            connection.execute(delete(CONSENTS).where(CONSENTS.c.consent_id.in_(old)))
            return len(old)

    # Progress and evidence

    def show_progress(self, epoch: int, snapshots: Mapping[str, str]) -> None:
        with self.writing(epoch) as connection:
            for consent_id, snapshot in snapshots.items():
                connection.execute(delete(PROGRESS).where(PROGRESS.c.consent_id == consent_id))
                connection.execute(insert(PROGRESS).values(consent_id=consent_id, snapshot=snapshot))

    def progress(self, consent_id: str) -> str | None:
        with self.reading() as connection:
            return connection.execute(
                select(PROGRESS.c.snapshot).where(PROGRESS.c.consent_id == consent_id)
            ).scalar_one_or_none()

    def save_evidence(self, epoch: int, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.writing(epoch) as connection:
            known = select(EVIDENCE.c.digest).where(EVIDENCE.c.digest.in_([row["digest"] for row in rows]))
            stored = set(connection.execute(known).scalars())
            new = {row["digest"]: row for row in rows if row["digest"] not in stored}
            if new:
                connection.execute(insert(EVIDENCE), list(new.values()))

    def evidence(self, digest: str) -> bytes | None:
        with self.reading() as connection:
            return connection.execute(select(EVIDENCE.c.data).where(EVIDENCE.c.digest == digest)).scalar_one_or_none()

    def empty_log(self) -> None:
        """Leave nothing in SQLite's log of what was removed from the tables. If somebody reads at the moment, the next
        call does it."""
        if self.engine.dialect.name != "sqlite":
            return
        with self._mapped("written"), closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            for pragma in ("busy_timeout=100", "wal_checkpoint(TRUNCATE)", f"busy_timeout={TIMEOUT_SECONDS * 1000}"):
                cursor.execute(f"PRAGMA {pragma}")

    def count(self, table: Table) -> int:
        with self.reading() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()
