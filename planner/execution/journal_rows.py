"""Conversion between journal values and table rows. Readers raise `ValueError` or `TypeError` for invalid rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

from planner.execution.jobs import Line
from planner.execution.launches import Launch, LaunchState, Slot


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


def row_of(slot: Slot) -> list[Any]:
    """In the order of the table's columns, which is the order of the fields."""
    return [value.isoformat() if isinstance(value, datetime) else value for value in astuple(slot)]
