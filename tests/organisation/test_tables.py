"""The organisation's tables, in SQLite and in Postgres: who may write, by which clock, and in which version."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import WITH_PASSWORD, Postgres
from sqlalchemy import text, update

from planner.errors import StoreError, UsageError
from planner.execution.events import RequesterLearned
from planner.organisation.journal import TablesJournal
from planner.organisation.opening import check, open_tables, prepare
from planner.organisation.states import ConsentState
from planner.organisation.tables import (
    CONSENTS,
    COORDINATOR,
    EVENTS,
    KEPT_SECONDS,
    PRUNED,
    AwayError,
    FencedError,
    Tables,
    metadata,
)

EVENT = {"consent_id": "c", "session_id": "s", "kind": "requester_learned", "event": "{}"}


def expire(tables: Tables) -> None:
    """The heartbeat has stopped, by the database's clock."""
    with tables.engine.begin() as connection:
        connection.execute(update(COORDINATOR).values(expires_at=1.0))


def test_one_coordinator_holds_the_tables(tables: Tables) -> None:
    """Until its lease is over. Each one has a higher epoch."""
    assert tables.worker() is None
    assert (tables.take("a", "1"), tables.take("b", "1")) == (1, None)
    worker = tables.worker()
    assert worker is not None
    assert (worker["holder"], worker["epoch"]) == ("a", 1)
    expire(tables)
    assert (tables.worker(), tables.take("b", "1")) == (None, 2)
    tables.release(2)
    assert tables.take("a", "1") == 3


FENCED: dict[str, Any] = {
    "an event": lambda tables: tables.add_event(1, {"number": 1, **EVENT}),
    "a heartbeat": lambda tables: tables.heartbeat(1),
    "a state": lambda tables: tables.change(1, "c", state="open"),
    "evidence": lambda tables: tables.save_evidence(1, [{"digest": "d", "consent_id": "c", "data": b""}]),
    "progress": lambda tables: tables.show_progress(1, {"c": "{}"}),
    "rewritten events": lambda tables: tables.rewrite_events(1, {1: "{}"}),
}


@pytest.mark.parametrize("what", FENCED)
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_coordinator_whose_lease_is_over_writes_nothing(tables: Tables, what: str, is_taken: bool) -> None:
    """Even if nobody has taken over yet."""
    tables.take("a", "1")
    FENCED[what](tables)
    expire(tables)
    if is_taken:
        tables.take("b", "1")
    before = tables.events()
    with pytest.raises(FencedError):
        FENCED[what](tables)
    assert tables.events() == before


def test_of_two_that_take_at_once_one_has_the_tables(tables: Tables) -> None:
    """By the database's transactions."""
    tables.take("before", "1")
    expire(tables)
    taken: list[int | None] = []

    def take() -> None:
        try:
            taken.append(tables.take("any", "1"))
        except StoreError:  # the database was busy
            taken.append(None)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(filter(None, taken)) == [2]


def test_a_number_is_used_once(tables: Tables) -> None:
    """Another copy of the same process cannot write beside this one, whatever its epoch."""
    epoch = tables.take("a", "1")
    assert epoch is not None
    one, other = TablesJournal(tables, epoch), TablesJournal(tables, epoch)
    one.record(RequesterLearned("key", 1))
    with pytest.raises(StoreError, match="written by somebody else"):
        other.record(RequesterLearned("key", 2))
    assert other.requesters("key") == set()
    assert TablesJournal(tables, epoch).requesters("key") == {1}


def closed_long_ago(tables: Tables, *consents: str) -> None:
    for consent_id in consents:
        tables.change(None, consent_id, state=ConsentState.CLOSED.value)
    with tables.engine.begin() as connection:
        old = update(CONSENTS).where(CONSENTS.c.consent_id.in_(consents))
        connection.execute(old.values(changed_at=CONSENTS.c.changed_at - KEPT_SECONDS - 1))


def test_consents_that_were_closed_long_ago_are_removed(tables: Tables) -> None:
    """With their events, of which one stands for many; none is missing then, and the next one has the next number."""
    epoch = tables.take("a", "1")
    assert epoch is not None
    for consent_id in ("old", "older", "new"):
        tables.submit(consent_id, "shop", "")
    for number, consent_id in enumerate(("", "old", "older", "new", "old", "old", "new", "older"), 1):
        tables.add_event(epoch, {"number": number, **EVENT, "consent_id": consent_id})
    closed_long_ago(tables, "old")
    tables.change(None, "older", state=ConsentState.CLOSED.value)
    assert tables.prune(epoch) == 1
    assert [row["number"] for row in tables.events()] == [1, 2, 3, 4, 5, 7, 8]
    closed_long_ago(tables, "older")
    assert tables.prune(epoch) == 1
    assert tables.prune(epoch) == 0
    assert [(row["number"], row["kind"] == PRUNED) for row in tables.events()] == [
        (1, False),
        (2, True),
        (4, False),
        (5, True),
        (7, False),
        (8, True),
    ]
    assert [row["consent_id"] for row in tables.consents()] == ["new"]
    with pytest.raises(StoreError, match="lack the last events"):
        tables.add_event(epoch, {"number": 10, **EVENT})
    tables.add_event(epoch, {"number": 9, **EVENT})


def test_a_journal_goes_on_after_pruned_events(tables: Tables) -> None:
    """And still notices that one is missing."""
    epoch = tables.take("a", "1")
    assert epoch is not None
    for number, kind in enumerate((PRUNED, "requester_learned"), 1):
        event = '{"through": 5}' if kind == PRUNED else '{"credential": "key", "requester_id": 1}'
        tables.add_event(epoch, {**EVENT, "number": number, "kind": kind, "event": event})
    with pytest.raises(StoreError, match=r"event 6 .* is missing"):
        TablesJournal(tables, epoch)
    with tables.engine.begin() as connection:
        connection.execute(update(EVENTS).where(EVENTS.c.number == 2).values(number=6))
    journal = TablesJournal(tables, epoch)
    journal.record(RequesterLearned("key", 2))
    assert [row["number"] for row in tables.events()] == [1, 6, 7]
    with tables.engine.begin() as connection:
        connection.execute(update(EVENTS).where(EVENTS.c.number == 1).values(event="{}"))
    with pytest.raises(StoreError, match=r"event 1 .* is impossible"):
        TablesJournal(tables, epoch)


def test_a_coordinator_writes_nothing_behind_a_gap(tables: Tables) -> None:
    """The tables were restored from an older copy while it was at work."""
    epoch = tables.take("a", "1")
    assert epoch is not None
    journal = TablesJournal(tables, epoch)
    journal.record(RequesterLearned("key", 1))
    journal.record(RequesterLearned("key", 2))
    with tables.engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE number = 2"))
    with pytest.raises(StoreError, match="lack the last events"):
        journal.record(RequesterLearned("key", 3))
    assert [row["number"] for row in tables.events()] == [1]


def test_a_state_that_was_edited_is_named() -> None:
    with pytest.raises(StoreError, match="'opened' is no state of a consent"):
        ConsentState("opened")


EDITS = [
    ("an event is missing", text("DELETE FROM events WHERE number = 1"), "event 1 .* is missing"),
    ("an unknown kind", update(EVENTS).values(kind="spent"), "unknown kind: 'spent'"),
    ("another event", update(EVENTS).values(event='{"credential": 7, "requester_id": 1}'), "impossible requester"),
]


@pytest.mark.parametrize(("edit", "why"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
def test_events_that_were_edited_stop_the_coordinator(tables: Tables, edit: Any, why: str) -> None:
    epoch = tables.take("a", "1")
    assert epoch is not None
    journal = TablesJournal(tables, epoch)
    journal.record(RequesterLearned("key", 1))
    journal.record(RequesterLearned("key", 2))
    with tables.engine.begin() as connection:
        connection.execute(edit)
    with pytest.raises(StoreError, match=why):
        TablesJournal(tables, epoch)


def test_a_consent_is_submitted_once(tables: Tables) -> None:
    """While it is at work, it is not replaced; when it has ended, what is left of it can be submitted again."""
    tables.submit("c", "shop", "first")
    tables.submit("c", "shop", "second")
    row = tables.consent("c")
    assert row is not None
    assert (row["submission"], row["state"]) == ("first", "submitted")
    tables.change(None, "c", state=ConsentState.ENDED.value, outcome="{}", failures=2)
    tables.submit("c", "shop", "second")
    row = tables.consent("c")
    assert row is not None
    assert (row["submission"], row["state"], row["outcome"], row["failures"]) == ("second", "submitted", "", 0)


def test_of_equal_consents_that_are_submitted_at_once_one_is_at_work(tables: Tables) -> None:
    for number in range(5):
        begin, digest, written = threading.Barrier(2), f"d{number}", list[bool]()

        def submit(name: str, begin: threading.Barrier, digest: str, written: list[bool]) -> None:
            begin.wait()
            written.append(tables.submit(f"{digest}-{name}", "shop", "{}", lambda _: True))

        threads = [threading.Thread(target=submit, args=(name, begin, digest, written)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(written) == [False, True]
    assert len(tables.consents()) == 5


def test_an_equal_consent_keeps_another_one_out_in_any_state(tables: Tables) -> None:
    assert tables.submit("d_1-a", "shop", "first")
    for state in ConsentState:
        tables.change(None, "d_1-a", state=state.value)
        assert not tables.submit("d_1-b", "shop", "{}", lambda row: row["submission"] == "first")
    assert tables.submit("d_1-b", "shop", "{}", lambda row: row["submission"] == "second")
    assert tables.submit("d_1-c", "clinic", "{}", lambda _: True)
    assert tables.submit("dx1-c", "shop", "{}", lambda _: True)
    assert len(tables.consents()) == 4


def test_evidence_is_kept_until_its_consent_is_closed(tables: Tables) -> None:
    epoch = tables.take("a", "1")
    assert epoch is not None
    tables.submit("c", "shop", "")
    row = {"digest": "d", "consent_id": "c", "data": b"\x00words"}
    tables.save_evidence(epoch, [row, row])
    tables.save_evidence(epoch, [row])
    assert tables.evidence("d") == b"\x00words"
    tables.close("c", "")
    assert tables.evidence("d") is None
    assert [each["state"] for each in tables.consents()] == ["closing"]


# Versions


def test_the_migrations_make_the_tables_that_the_program_uses(tables: Tables) -> None:
    """Both are written down: a migration stays as it is when a later one changes what it made."""
    with tables.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def revise(tables: Tables, version: str) -> None:
    with tables.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_tables_of_a_newer_version_are_refused(tables: Tables) -> None:
    check(tables)
    revise(tables, "9999")
    for open_again in (lambda: check(tables), lambda: prepare(tables, upgrade=True)):
        with pytest.raises(UsageError, match="newer version of planner"):
            open_again()


def test_an_empty_database_is_prepared_by_a_worker_only(address: str, tmp_path: Path) -> None:
    tables = open_tables(address, tmp_path, {})
    with pytest.raises(UsageError, match="has no tables of planner") as caught:
        check(tables)
    assert caught.value.hint == "Start `planner worker`, which makes them."
    prepare(tables, upgrade=False)
    check(tables)
    prepare(tables, upgrade=True)
    assert tables.count(CONSENTS) == 0
    tables.engine.dispose()


def test_a_database_with_other_tables_is_refused(address: str, tmp_path: Path) -> None:
    tables = open_tables(address, tmp_path, {})
    with tables.engine.begin() as connection:
        connection.execute(text("CREATE TABLE customers (name TEXT)"))
    with pytest.raises(UsageError, match="has other tables"):
        prepare(tables, upgrade=True)
    tables.engine.dispose()


# Addresses


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql://ana:secret@db.example.org/planner", "a password does not belong here"),
        ("mysql://db.example.org/planner", "write postgresql://"),
        ("postgresql://db.example.org", "write postgresql://"),
        ("sqlite://", "write postgresql://"),
    ],
)
def test_an_invalid_address_is_refused(tmp_path: Path, address: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        open_tables(address, tmp_path, {})
    assert "secret" not in str(caught.value)


def test_another_machine_is_reached_over_tls(tmp_path: Path) -> None:
    """With the password of the environment, which no message shows."""
    environ = {"PLANNER_ORGANISATION_PASSWORD": "secret"}
    tables = open_tables("postgresql://ana@db.example.org/planner", tmp_path, environ)
    assert dict(tables.engine.url.query) == {"sslmode": "verify-full", "sslrootcert": "system"}
    assert (tables.engine.url.password, tables.shown) == ("secret", "postgresql://ana@db.example.org/planner")
    own = open_tables("postgresql://ana@db.example.org/planner?sslrootcert=/etc/ca.pem", tmp_path, {})
    assert own.engine.url.query["sslrootcert"] == "/etc/ca.pem"


def test_no_other_user_may_read_the_file(tmp_path: Path) -> None:
    open_tables("sqlite:///organisation.sqlite", tmp_path, {})
    assert S_IMODE((tmp_path / "organisation.sqlite").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "tables.sqlite").symlink_to(tmp_path / "lost" / "tables.sqlite")
    with pytest.raises(UsageError, match=r"tables.sqlite cannot be created: No such file") as caught:
        open_tables("sqlite:///tables.sqlite", tmp_path, {})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("address", ["postgresql://planner@127.0.0.1:1/planner", "sqlite:///nowhere/tables.sqlite"])
def test_a_database_that_is_away_is_named(tmp_path: Path, address: str) -> None:
    with pytest.raises((StoreError, UsageError), match=r"127\.0\.0\.1:1/planner|nowhere/tables.sqlite"):
        check(open_tables(address, tmp_path, {}))


@pytest.fixture
def roles(postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """One needs a password, one may have no connection. The address of an empty database."""
    address = postgres.new()
    engine = open_tables(address, tmp_path, {}).engine
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD 'right'"))
        connection.execute(text("CREATE ROLE full_up LOGIN CONNECTION LIMIT 0"))
    yield address
    with engine.begin() as connection:
        connection.execute(text(f"DROP ROLE {WITH_PASSWORD}, full_up"))
    engine.dispose()


REFUSED = [
    (WITH_PASSWORD, "", "", "Check PLANNER_ORGANISATION_PASSWORD"),
    (WITH_PASSWORD, "wrong", "", "Check PLANNER_ORGANISATION_PASSWORD"),
    (WITH_PASSWORD, "wrong", "_lost", "Check PLANNER_ORGANISATION_PASSWORD"),
    (WITH_PASSWORD, "right", "_lost", "createdb"),
    ("planner", "", "_lost", "createdb"),
    (WITH_PASSWORD, "right", "", "Start `planner worker`"),
    ("full_up", "", "", ""),
]


@pytest.mark.parametrize(("role", "password", "lost", "hint"), REFUSED)
def test_who_has_to_correct_something_is_told_what(
    roles: str, tmp_path: Path, role: str, password: str, lost: str, hint: str
) -> None:
    """Whoever has not may try again."""
    environ = {"PLANNER_ORGANISATION_PASSWORD": password}
    tables = open_tables(roles.replace("planner@", f"{role}@") + lost, tmp_path, environ)
    with pytest.raises(UsageError if hint else AwayError) as caught:
        check(tables)
    assert hint in caught.value.hint
    if "Start" not in hint:
        with pytest.raises(UsageError if hint else AwayError):
            prepare(tables, upgrade=False)
    tables.engine.dispose()


def test_a_server_that_was_restarted_is_used_again(postgres: Postgres, tmp_path: Path) -> None:
    """What was committed is there."""
    tables = open_tables(postgres.new(), tmp_path, {})
    prepare(tables, upgrade=False)
    epoch = tables.take("a", "1")
    assert epoch is not None
    tables.add_event(epoch, {"number": 1, **EVENT})
    postgres.stop()
    with pytest.raises(StoreError):
        tables.add_event(epoch, {"number": 2, **EVENT})
    postgres.start()
    expire(tables)
    epoch = tables.take("a", "1")
    assert epoch == 2
    tables.add_event(epoch, {"number": 2, **EVENT})
    assert [row["number"] for row in tables.events()] == [1, 2]
    tables.engine.dispose()
