"""Converts the rows of a journal and rejects impossible values: a damaged or edited journal could lift a ceiling or hide
a launch.

A journal is checked when it is opened. Only unconsumed rows and launches are parsed, since a session builds on them.
SQLite checks numbers in every row.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from planner.bounds import MAX_SECONDS, SERVER_CLOCK_SKEW, is_possible
from planner.errors import StoreError
from planner.execution.jobs import Line
from planner.execution.launches import Launch, LaunchState, Slot

_NEGATIVE: Final = {
    "slots": ("reserved_cents", "cost_cents", "ordinal"),
    "launches": ("slack_seconds",),
    "asked": ("reserved", "cost", "number"),
}
"""Columns that are never negative, by table."""
_LONGEST_STAGGER_SECONDS: Final = 60


def impossible_value(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the journal {path} holds an impossible value: {what}",
        "Nothing is launched: its sums cannot be trusted. Restore the journal from a backup. Without a backup, check the"
        " service's list of test calls, then move the journal away with its -wal and -shm files: launches under way are"
        " forgotten then, and their calls may be repeated and charged again.",
    )


def check_tables(db: sqlite3.Connection, path: Path, script: str, states: Mapping[str, Iterable[Enum]]) -> None:
    """Check that the tables match `script`, contain no triggers or views, no negative numbers, and only known `states`
    (the values of the column `state`, by table).

    Raises `StoreError`.
    """
    programs = db.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
    if programs is not None:
        raise impossible_value(path, f"the {programs[0]} {programs[1]!r}, which would change what is written")
    with closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(script)
        expected = _columns(ours)
    found = _columns(db)
    for table, columns in expected.items():
        if found.get(table) != columns:
            raise impossible_value(path, f"the table {table} has other columns than planner writes")
        for column in _NEGATIVE.get(table, ()):
            row = db.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} < 0 LIMIT 1").fetchone()  # noqa: S608 - ours
            if row is not None:
                raise impossible_value(path, f"{column} is {row[1]} in row {row[0]} of the table {table}")
        known = ", ".join(f"'{state.value}'" for state in states.get(table, ()))
        row = known and db.execute(f"SELECT rowid, state FROM {table} WHERE state NOT IN ({known}) LIMIT 1").fetchone()  # noqa: S608 - ours
        if row:
            raise impossible_value(path, f"state is {row[1][:80]!r} in row {row[0]} of the table {table}")


def _columns(db: sqlite3.Connection) -> dict[str, object]:
    """Per table: whether it is strict, and its columns (name, type, not null, computed)."""
    return {
        name: (
            strict,
            db.execute('SELECT name, type, "notnull", hidden FROM pragma_table_xinfo(?)', (name,)).fetchall(),
        )
        for _, name, kind, _, _, strict in db.execute("PRAGMA main.table_list").fetchall()
        if kind != "virtual" and not name.startswith("sqlite_")
    }


def checked_launch(path: Path, row: Sequence[Any], run_ids: tuple[int, ...], now: datetime | None) -> Launch:
    """Parse a row. Raises `StoreError`."""
    with parsing(path, f"launch {row[0]}"):
        launch = launch_of(row, run_ids)
    wrong = _wrong_line(launch.line) or _wrong_time("sent_at", launch.sent_at, now)
    if not math.isfinite(launch.slack_seconds) or launch.slack_seconds > MAX_SECONDS:
        wrong = f"slack_seconds is {launch.slack_seconds}"
    if wrong:
        raise impossible_value(path, f"{wrong} in launch {launch.launch_id}")
    return launch


def checked_slot(path: Path, row: Sequence[Any], now: datetime | None) -> Slot:
    """Parse a row. Raises `StoreError`."""
    with parsing(path, f"slot {row[1]} of launch {row[0]}"):
        slot = slot_of(row)
    if slot.completed_at is not None and (wrong := _wrong_time("completed_at", slot.completed_at, now)):
        raise impossible_value(path, f"{wrong} in slot {slot.ordinal} of launch {slot.launch_id}")
    return slot


@contextmanager
def parsing(path: Path, where: str) -> Generator[None]:
    """Raises `StoreError` if a row cannot be parsed."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise impossible_value(path, f"{where} cannot be read ({error})") from error


def _wrong_line(line: Line) -> str:
    texts = (line.target_type, line.direction, line.mode)
    if any(type(text) is not str for text in (*texts, line.target_number or "")):
        return f"the line is {line}"
    if type(line.target_id) is not int or type(line.stagger_seconds) is not int:
        return f"the line is {line}"
    if not 0 <= line.stagger_seconds <= _LONGEST_STAGGER_SECONDS:
        return f"stagger_seconds is {line.stagger_seconds}"
    return ""


def _wrong_time(column: str, moment: datetime, now: datetime | None) -> str:
    if moment.tzinfo is None:
        return f"{column} is {moment.isoformat()} without a time zone"
    # The service's clock may be ahead.
    return "" if is_possible(moment, now, SERVER_CLOCK_SKEW) else f"{column} is {moment.isoformat()}"


def quoted(states: Iterable[LaunchState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


def line_text(line: Line) -> str:
    return json.dumps(
        [line.target_type, line.target_id, line.direction, line.mode, line.target_number, line.stagger_seconds],
        separators=(",", ":"),
    )


def line_of(text: str) -> Line:
    return Line(*json.loads(text))


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def launch_of(row: Sequence[Any], run_ids: tuple[int, ...]) -> Launch:
    """`row` has the columns of `journal._LAUNCH_COLUMNS`."""
    return Launch(
        launch_id=row[0],
        invocation_id=row[1],
        change_set_digest=row[2],
        state=LaunchState(row[3]),
        line=line_of(row[4]),
        name=row[5],
        sent_at=time_of(row[6]),
        slack_seconds=row[7],
        batch_id=row[8],
        run_ids=run_ids,
        detail=row[9],
    )


def slot_of(row: Sequence[Any]) -> Slot:
    """`row` has the columns of `journal._SLOT_COLUMNS`."""
    return Slot(
        launch_id=row[0],
        ordinal=row[1],
        case_id=row[2],
        plan=row[3],
        prompt=row[4],
        call_fingerprint=row[5],
        agent_revision=row[6],
        reserved_cents=row[7],
        run_id=row[8],
        evidence=row[9],
        cost_cents=row[10],
        completed_at=time_of(row[11]) if row[11] else None,
        consumed_by=row[12],
    )


def launch_row(launch: Launch) -> dict[str, Any]:
    """By column; claims hold its runs."""
    row = {field.name: getattr(launch, field.name) for field in fields(launch) if field.name != "run_ids"}
    return row | {
        "state": launch.state.value,
        "line": line_text(launch.line),
        "sent_at": launch.sent_at.isoformat(),
    }


def slot_row(slot: Slot) -> dict[str, Any]:
    """By column."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(slot).items()}
