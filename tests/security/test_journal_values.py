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
from store_writes import put

from planner.errors import StoreError
from planner.execution.jobs import Line
from planner.execution.journal import Journal
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.sharing import IntentSharing
from planner.results.directory import DirectoryStore
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

JOURNAL = ".planner/sandbox/journal.sqlite"


@pytest.fixture
def interrupted(project: Project) -> Project:
    """A project whose last session died. Its journal contains a launch of two calls; one is billed."""
    journal = Journal(project.root / JOURNAL)
    slots = tuple(SlotIntent("hours/cancel@clinic", "hours", "Ask.", "sha256:" + "2" * 64, None, 16) for _ in range(2))
    line = Line("agent", 12, "outbound", "bot", None, 0)
    intent = LaunchIntent("abc", "20261124T115900000-00000001", "sha256:0", line, "planner abc", NOW, 2.0, slots)
    journal.intend(intent)
    journal.settle("abc", LaunchState.SENT)
    journal.settle("abc", LaunchState.ACKNOWLEDGED, batch_id=3, run_ids=(7, 8), bindings={0: 7, 1: 8})
    billed = journal.slots_of("abc")[0]
    journal.collect([replace(billed, evidence="0" * 64, cost_cents=16, completed_at=NOW)])
    journal.close()
    return project


def edit(project: Project, statement: str) -> None:
    with closing(sqlite3.connect(project.root / JOURNAL, isolation_level=None)) as journal:
        journal.executescript(statement)


def assert_stopped(project: Project, what: str) -> None:
    """No calls are made, and the error names the file and the value. `plan` reports the same error."""
    for command in (("plan",), ("run", "--consent-to-charge", "--max-cost", "9"), ("reconcile",)):
        ran = project.planner(*command, "--sandbox")
        assert ran.code == 4, (ran.out, ran.err)
        assert "journal.sqlite" in ran.err
        assert what in ran.err
    with closing(sqlite3.connect(project.root / JOURNAL)) as journal:
        assert journal.execute("SELECT launch_id FROM launches").fetchall() == [("abc",)]


def test_negative_bill(interrupted: Project) -> None:
    """The attacker sets the bill of a stored run to -$1,000.

    Before: the ledger started at -$1,000, so `--max-cost 0.01` allowed $1,000 of calls.
    Now: the session stops with exit code 4.
    """
    edit(interrupted, "UPDATE slots SET cost_cents = -100000")
    assert_stopped(interrupted, "cost_cents is -100000")


def test_negative_reservation(interrupted: Project) -> None:
    """The attacker makes the reservation of a launch negative and removes its bill.

    Before: the reservation lowered the amount that counts as spent.
    Now: the session stops.
    """
    edit(interrupted, "UPDATE slots SET reserved_cents = -100000, cost_cents = NULL")
    assert_stopped(interrupted, "reserved_cents is -100000")


def test_negative_value_in_a_consumed_row(interrupted: Project) -> None:
    """The attacker edits a row that no session uses any more.

    Before: the value was read when a late bill was corrected.
    Now: every row is checked.
    """
    edit(interrupted, "UPDATE slots SET cost_cents = -1, consumed_by = 'x'")
    assert_stopped(interrupted, "cost_cents is -1")


def test_trigger(interrupted: Project) -> None:
    """The attacker adds a trigger that makes every new reservation free.

    Before: the next session read the values that the trigger wrote, and its limit ignored those launches.
    Now: a journal that contains a trigger is refused.
    """
    edit(
        interrupted,
        "CREATE TRIGGER free AFTER INSERT ON slots BEGIN UPDATE slots SET reserved_cents = 0, cost_cents = 0; END",
    )
    assert_stopped(interrupted, "trigger")


def test_view_in_place_of_a_table(interrupted: Project) -> None:
    """The attacker replaces the table of slots with a view that shows no spent money.

    Before: everything spent was forgotten.
    Now: the session stops.
    """
    edit(
        interrupted,
        "ALTER TABLE slots RENAME TO real_slots; CREATE VIEW slots AS SELECT * FROM real_slots WHERE 0",
    )
    assert_stopped(interrupted, "view")


def test_table_without_types(interrupted: Project) -> None:
    """The attacker replaces a table with one that accepts any value, and writes text where cents belong.

    Before: a traceback, or a comparison of text with numbers.
    Now: the session stops.
    """
    edit(
        interrupted,
        "PRAGMA foreign_keys=OFF; CREATE TABLE other AS SELECT * FROM slots; DROP TABLE slots;"
        " ALTER TABLE other RENAME TO slots; UPDATE slots SET reserved_cents = 'nothing'",
    )
    assert_stopped(interrupted, "columns")


def test_launch_in_the_future(interrupted: Project) -> None:
    """The attacker moves an unanswered launch to the year 2999.

    Before: planner searched for it forever, so its calls were never made.
    Now: the session stops.
    """
    edit(
        interrupted,
        "UPDATE launches SET sent_at = '2999-01-01T00:00:00+00:00', state = 'ambiguous'",
    )
    assert_stopped(interrupted, "2999")


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("sent_at", "'2026-11-24T12:00:00'", "time zone"),
        ("sent_at", "'yesterday'", "yesterday"),
        ("state", "'paid'", "state is 'paid'"),
        ("line", "'[]'", "cannot be read"),
        ("line", '\'["agent",12,"outbound","bot",null,-9]\'', "stagger_seconds is -9"),
        ("slack_seconds", "9e999", "slack_seconds is inf"),
        ("slack_seconds", "-1", "slack_seconds is -1"),
        ("name", "hex(zeroblob(10000000))", "too big"),
    ],
)
def test_garbage_in_a_launch(interrupted: Project, column: str, value: str, what: str) -> None:
    """The attacker writes garbage into a launch: a time without a zone, an unknown state, infinite or negative
    seconds.

    Before: a traceback (exit code 5), or arithmetic with infinity.
    Now: the session stops, and the error names the file and the value.
    """
    edit(interrupted, f"UPDATE slots SET consumed_by = NULL; UPDATE launches SET {column} = {value}")  # noqa: S608
    assert_stopped(interrupted, what)


INTENT: dict[str, Any] = {
    "schema_version": "1.0",
    "launch_id": "abc",
    "invocation_id": "20261124T120000000-00000001",
    "change_set_digest": "sha256:" + "0" * 64,
    "state": "acknowledged",
    "target_type": "agent",
    "target_id": 12,
    "direction": "outbound",
    "mode": "bot",
    "stagger_seconds": 0,
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
        (("stagger_seconds",), -60),
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
            IntentSharing(store, journal, show_name=str, now=NOW).take_over({})
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
        assert IntentSharing(store, journal, show_name=str, now=NOW).take_over({}) == 1
    finally:
        journal.close()
