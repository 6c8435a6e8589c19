"""Events that stand for others, whose consents were removed from the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json

from planner.errors import StoreError

PRUNED: Final = "pruned"
"""The kind of an event that stands for all up to the number `through`, whose consents were removed."""


def last_of(number: int, kind: str, event: str) -> int:
    return last_pruned(number, event) if kind == PRUNED else number


def last_pruned(number: int, event: str) -> int:
    """The last event for which this one stands. Raises `StoreError` for what no coordinator writes."""
    try:
        through = int(from_json(event)["through"])
    except (ValueError, LookupError, TypeError):
        through = 0
    if through < number:
        raise StoreError(f"event {number} of the organisation's tables is impossible", "Restore the database.")
    return through


def together(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in as few ranges as possible."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] == first - 1:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found
