"""How the journal's values stand in its tables, and are read from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime
from typing import Any

from planner.execution.launches import LaunchState, Slot
from planner.execution.work import Line


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


def row_of(slot: Slot) -> list[Any]:
    """In the order of the table's columns, which is that of the fields."""
    return [value.isoformat() if isinstance(value, datetime) else value for value in astuple(slot)]
