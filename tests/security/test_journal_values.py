"""Attacks on the journal and on shared launches: planner stops before it launches anything, and no limit is raised.

Each attack edits a journal that a real session wrote. `--sandbox` uses the same code as real calls.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from journals import Events, edit_journal
from store_writes import put

from planner.errors import StoreError
from planner.execution.events import Intended, Moved
from planner.execution.journal import Journal
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.sharing import IntentSharing
from planner.providers.base import Line
from planner.stores.directory import DirectoryStore
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

JOURNAL = ".planner/sandbox/journal.sqlite"


@pytest.fixture
def interrupted(project: Project) -> Project:
    """A project whose last session died. Its journal contains a launch of two calls; one is billed."""
    journal = Journal(project.root / JOURNAL)
    slots = tuple(SlotIntent("hours/cancel@clinic", "hours", "Ask.", "sha256:" + "2" * 64, None, 16) for _ in range(2))
    line = Line("agent", 12, "outbound", "bot", None)
    intent = LaunchIntent("abc", "20261124T115900000-00000001", "sha256:0", line, "planner abc", NOW, 2.0, slots)
    journal.record(Intended(intent))
    journal.record(Moved("abc", LaunchState.SENT))
    journal.record(Moved("abc", LaunchState.ACKNOWLEDGED, batch_id=3, run_ids=(7, 8), bindings={0: 7, 1: 8}))
    billed = journal.slots_of("abc")[0]
    journal.record(evidence_stored([replace(billed, evidence="0" * 64, cost_cents=16, completed_at=NOW)]))
    journal.close()
    return project


def assert_stopped(project: Project, what: str) -> None:
    """No calls are made, and the error names the file and the value. `plan` reports the same error."""
    for command in (("plan",), ("run", "--consent-to-charge", "--max-cost", "9"), ("reconcile",)):
        ran = project.planner(*command, "--sandbox")
        assert ran.code == 4, (ran.out, ran.err)
        assert "journal.sqlite" in ran.err
        assert what in ran.err


def event_of(events: Events, kind: str) -> dict[str, Any]:
    return next(event for name, event in events if name == kind)


@pytest.mark.parametrize(
    ("kind", "where", "value", "what"),
    [
        ("evidence_stored", ("slots", 0, "cost_cents"), -100_000, "slots.0.cost_cents is -100000"),
        ("intended", ("intent", "slots", 0, "reserved_cents"), -100_000, "reserved_cents is -100000"),
        ("intended", ("intent", "slots", 0, "reserved_cents"), "nothing", "reserved_cents is nothing"),
        ("intended", ("intent", "sent_at"), "2999-01-01T00:00:00Z", "2999"),
        ("intended", ("intent", "sent_at"), "2026-11-24T12:00:00", "timezone"),
        ("intended", ("intent", "sent_at"), "yesterday", "yesterday"),
        ("intended", ("intent", "line"), [], "intent.line is []"),
        ("intended", ("intent", "slack_seconds"), float("inf"), "slack_seconds is inf"),
        ("intended", ("intent", "slack_seconds"), -1, "slack_seconds is -1"),
        ("moved", ("state",), "paid", "state is paid"),
        ("moved", ("state",), "acknowledged", "is not a valid transition"),
        ("moved", ("launch_id",), "other", "event 2 (moved)"),
        ("evidence_stored", ("slots", 0, "ordinal"), 2, "not bound"),
    ],
)
def test_impossible_value(
    interrupted: Project, kind: str, where: tuple[str | int, ...], value: object, what: str
) -> None:
    """The attacker edits an event of the journal.

    Before: a bill of -$1,000 or a negative reservation raised every limit by that amount; a launch in the year 2999 was
    searched for forever; other values caused a traceback or arithmetic with infinity.
    Now: the session stops, and the error names the file and the value.
    """

    def edit(events: Events) -> None:
        place: Any = event_of(events, kind)
        for step in where[:-1]:
            place = place[step]
        place[where[-1]] = value

    edit_journal(interrupted.root / JOURNAL, edit)
    assert_stopped(interrupted, what)


def test_missing_event(interrupted: Project) -> None:
    """The attacker deletes the event that launched two calls.

    Before: the launch was forgotten, and its calls were paid for again.
    Now: the session stops, since an event is missing.
    """
    with closing(sqlite3.connect(interrupted.root / JOURNAL, isolation_level=None)) as journal:
        journal.execute("DELETE FROM events WHERE number = 1")
    assert_stopped(interrupted, "event 1 is missing")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("CREATE TRIGGER free AFTER INSERT ON events BEGIN DELETE FROM events; END", "trigger"),
        ("ALTER TABLE events RENAME TO real; CREATE VIEW events AS SELECT * FROM real WHERE 0", "view"),
        ("CREATE TABLE other AS SELECT * FROM events; DROP TABLE events; ALTER TABLE other RENAME TO events", "table"),
        ("UPDATE events SET event = hex(zeroblob(10000000))", "too big"),
    ],
)
def test_edited_database(interrupted: Project, statement: str, what: str) -> None:
    """The attacker changes what SQLite stores or shows: a trigger, a view in place of the table, a table without types,
    a huge text.

    Before: everything spent was forgotten, and limits ignored later launches.
    Now: the session stops.
    """
    with closing(sqlite3.connect(interrupted.root / JOURNAL, isolation_level=None)) as journal:
        journal.executescript(statement)
    assert_stopped(interrupted, what)


def test_unknown_event(interrupted: Project) -> None:
    """The journal holds an event that this planner does not know, for example of a newer one.

    Before: such a journal could not exist.
    Now: the session stops, and the error names the event.
    """
    edit_journal(interrupted.root / JOURNAL, lambda events: [*events, ("refunded", {})])
    ran = interrupted.planner("plan", "--sandbox")
    assert ran.code == 2
    assert "'refunded'" in ran.err


INTENT: dict[str, Any] = {
    "schema_version": "2.0",
    "launch_id": "abc",
    "session_id": "20261124T120000000-00000001",
    "consent_id": "sha256:" + "0" * 64,
    "state": "acknowledged",
    "line": {
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "mode": "bot",
        "target_number": None,
    },
    "name": "planner abc",
    "sent_at": "2026-11-24T11:00:00Z",
    "slack_seconds": 2.0,
    "batch_id": None,
    "run_ids": [7],
    "slots": [
        {
            "case_id": "p/s@t",
            "plan": "p",
            "prompt": "sha256:" + "1" * 64,
            "call_fingerprint": "sha256:" + "2" * 64,
            "reserved_cents": 16,
            "run_id": 7,
            "cost_cents": 16,
        }
    ],
}


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("slots", 0, "reserved_cents"), -100_000),
        (("slots", 0, "cost_cents"), -100_000),
        (("slots", 0, "cost_cents"), 2**70),
        (("slots", 0, "evidence"), "../../etc/passwd"),
        (("slots", 0, "run_id"), 1e400),
        (("slots",), []),
        (("slots",), [INTENT["slots"][0]] * 5000),
        (("slack_seconds",), float("nan")),
        (("slack_seconds",), -3600),
        (("slack_seconds",), 1e300),
        (("line", "target_id"), 10**30),
        (("sent_at",), (NOW + timedelta(days=500)).isoformat()),
        (("sent_at",), "0001-01-01T00:00:00Z"),
        (("launch_id",), "another"),
        (("state",), "paid"),
        (("run_ids",), list(range(100_000))),
        (("name",), "x" * 100_000),
    ],
)
def test_shared_launch(tmp_path: Path, where: tuple[str | int, ...], value: object) -> None:
    """The attacker writes a launch with an impossible value into the shared store (`intents/`).

    Before: negative cents entered the journal of every machine and raised its limits. Other values caused a
    traceback.
    Now: no machine imports the launch. The error names the document and the value.
    """
    document = json.loads(json.dumps(INTENT))
    place = document
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    store = DirectoryStore(tmp_path / "shared")
    put(store, "intents/abc.json", json.dumps(document).encode(), expected=None)
    journal = Journal(tmp_path / "journal.sqlite")
    try:
        with pytest.raises(StoreError, match=r"intents/abc\.json") as refused:
            IntentSharing(store, journal, show_name=str, now=NOW).import_launches({})
        assert "remove it" in refused.value.hint
        assert journal.launch("abc") is journal.launch("another") is None
    finally:
        journal.close()


def test_valid_shared_launch(tmp_path: Path) -> None:
    """Without an impossible value, the same document is imported."""
    store = DirectoryStore(tmp_path / "shared")
    put(store, "intents/abc.json", json.dumps(INTENT).encode(), expected=None)
    journal = Journal(tmp_path / "journal.sqlite")
    try:
        assert IntentSharing(store, journal, show_name=str, now=NOW).import_launches({}) == 1
    finally:
        journal.close()
