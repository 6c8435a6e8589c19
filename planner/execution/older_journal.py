"""Reads a journal of version 1, which had tables of launches and slots instead of events."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from planner.execution.events import Event, Imported, RequesterLearned, RunsKnown
from planner.execution.journal import impossible_value
from planner.execution.journal_state import OTHER_RESULTS
from planner.execution.launches import Launch, LaunchState, Slot
from planner.providers.base import Line

_LAUNCHES = (
    "SELECT l.launch_id, invocation_id, change_set_digest, state, line, name, sent_at, slack_seconds, batch_id, detail,"
    " coalesce(credential, '') FROM launches l LEFT JOIN launched_with w ON w.launch_id = l.launch_id ORDER BY sent_at"
)
_SLOTS = (
    "SELECT launch_id, ordinal, case_id, plan, prompt, call_fingerprint, agent_revision, reserved_cents, run_id, evidence,"
    " cost_cents, completed_at, consumed_by FROM slots WHERE launch_id = ? ORDER BY ordinal"
)
_LATER_TABLES = """
CREATE TABLE IF NOT EXISTS requesters (credential TEXT NOT NULL, requested_by_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS launched_with (launch_id TEXT PRIMARY KEY, credential TEXT NOT NULL);
"""
"""Missing in the oldest journals."""


def events_of(db: sqlite3.Connection, path: Path) -> Generator[Event]:
    """The contents as events; the tables are dropped afterwards. Raises `StoreError`."""
    for statement in filter(str.strip, _LATER_TABLES.split(";")):
        db.execute(statement)
    try:
        yield from _launches(db)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise impossible_value(path, f"a launch cannot be read ({error})") from error
    for credential, requested_by_id in db.execute("SELECT credential, requested_by_id FROM requesters").fetchall():
        yield RequesterLearned(credential, requested_by_id)
    for table in ("slots", "claims", "requesters", "launched_with", "launches"):
        db.execute(f"DROP TABLE {table}")


def _launches(db: sqlite3.Connection) -> Generator[Event]:
    for *row, credential in db.execute(_LAUNCHES).fetchall():
        claims = db.execute("SELECT run_id FROM claims WHERE launch_id = ? ORDER BY run_id", (row[0],)).fetchall()
        run_ids = tuple(claim[0] for claim in claims)
        if row[0] == OTHER_RESULTS:
            yield RunsKnown(run_ids)
        else:
            slots = tuple(map(_slot, db.execute(_SLOTS, (row[0],)).fetchall()))
            yield Imported(replace(_launch(row), run_ids=run_ids), slots, credential)


def _launch(row: list[Any]) -> Launch:
    launch_id, invocation_id, digest, state, line, name, sent_at, slack_seconds, batch_id, detail = row
    return Launch(
        launch_id=launch_id,
        invocation_id=invocation_id,
        change_set_digest=digest,
        state=LaunchState(state),
        line=Line(*json.loads(line)),
        name=name,
        sent_at=datetime.fromisoformat(sent_at),
        slack_seconds=slack_seconds,
        batch_id=batch_id,
        run_ids=(),
        detail=detail,
    )


def _slot(row: tuple[Any, ...]) -> Slot:
    completed_at = datetime.fromisoformat(row[11]) if row[11] else None
    return Slot(*row[:11], completed_at, row[12])  # pyright: ignore[reportCallIssue] - as selected
