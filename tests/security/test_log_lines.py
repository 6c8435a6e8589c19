"""Attacks on the log of a machine, as they look to a user: no limit is raised, nothing is called twice.

What a fact may say is tested in tests/log/test_fold.py. `--sandbox` uses the same code as real calls.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from lost_launches import lost_launch, note

from planner.log.facts import write_fact
from planner.log.journal import Journal
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOG = ".planner/sandbox/log.db"
RUN = ("run", "--consent-to-charge", "--max-cost", "9")
COMMANDS = (("plan",), RUN, ("reconcile",))


def add_line(project: Project, **fields: Any) -> None:
    """A launch with other values than planner writes."""
    line = json.dumps({**json.loads(write_fact(lost_launch("abc", NOW, "Ask."))), **fields})
    with closing(Journal(project.root / LOG)) as journal:
        journal.note([line])


def calls_of(project: Project) -> int:
    service = project.root / ".planner/sandbox/service.jsonl"
    return service.read_text().count("scenario_prompt") if service.exists() else 0


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (
            {"asked": [{"key": "k", "prompt": "p", "calls": 1, "cents": -100_000}]},
            "impossible value (intent.asked.0.cents",
        ),
        ({"slack_seconds": float("inf")}, "impossible value"),
        ({"at": "8000-01-01T00:00:00Z"}, "from the future"),
        ({"account": "b" * 16}, "of another account"),
        ({"fact": "lease"}, "not a fact"),
    ],
)
def test_impossible_value(project: Project, fields: dict[str, Any], what: str) -> None:
    """The attacker writes a line into the log. It counts for nothing, and is named."""
    add_line(project, **fields)
    for command in COMMANDS[:2]:
        ran = project.planner(*command, "--sandbox")
        assert ran.code in (0, 1), ran.err
        assert "warning: 1 line of the log ignored: " in ran.err
        assert what in ran.err
    assert "abc" not in project.planner("reconcile", "--sandbox").out


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER free AFTER INSERT ON lines BEGIN DELETE FROM lines; END",
        "ALTER TABLE lines RENAME TO real; CREATE VIEW lines AS SELECT * FROM real WHERE 0",
        "CREATE TABLE other AS SELECT * FROM lines; DROP TABLE lines; ALTER TABLE other RENAME TO lines",
        "UPDATE lines SET line = hex(zeroblob(10000000))",
    ],
)
def test_edited_database(project: Project, statement: str) -> None:
    """The attacker changes what SQLite stores or shows: no calls are made, and the error names the file."""
    note(project.root / LOG, lost_launch("abc", NOW, "Ask."))
    with closing(sqlite3.connect(project.root / LOG, isolation_level=None)) as journal:
        journal.executescript(statement)
    for command in COMMANDS:
        ran = project.planner(*command, "--sandbox")
        assert ran.code == 4, (ran.out, ran.err)
        assert "log.db is damaged" in ran.err
    assert calls_of(project) == 0


def test_newer_database(project: Project) -> None:
    note(project.root / LOG, lost_launch("abc", NOW, "Ask."))
    with closing(sqlite3.connect(project.root / LOG, isolation_level=None)) as journal:
        journal.execute("PRAGMA user_version=2")
    for command in COMMANDS:
        ran = project.planner(*command, "--sandbox")
        assert ran.code == 2, (ran.out, ran.err)
        assert "log.db was written by another version of planner" in ran.err


def test_newer_fact(project: Project) -> None:
    """It may change what the other facts mean: no calls are made."""
    add_line(project, fact="refund", v=2)
    assert "1 line of the log ignored: written by a newer version" in project.planner("plan", "--sandbox").err
    ran = project.planner(*RUN, "--sandbox")
    assert ran.code == 2, ran.err
    assert "newer version of planner" in ran.out + ran.err
    assert calls_of(project) == 0


def test_older_journal(project: Project) -> None:
    """It may hold launches under way, which this version cannot read: no calls are made."""
    old = project.root / ".planner/sandbox/journal.sqlite"
    old.parent.mkdir(mode=0o700, parents=True)
    old.write_bytes(b"")
    for command in COMMANDS:
        ran = project.planner(*command, "--sandbox")
        assert ran.code == 2, (ran.out, ran.err)
        assert "journal.sqlite was written by an older version of planner" in ran.err
        assert "move the file away" in ran.err
    assert calls_of(project) == 0
    old.unlink()
    assert project.planner(*RUN, "--sandbox").code == 0
