"""How findings put things: one line, values as JSON, nothing longer than a reader wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

LONGEST_VALUE = 120
"""Characters of one value that a message shows."""


def shown(value: Any) -> str:
    """A value as JSON, on one line, cut when it is long."""
    text = to_json(value, inf_nan_mode="constants").decode()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def listed(items: Sequence[str], conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def number(value: float) -> str:
    """With all of its digits, so that what misses a limit by little is not told as what would reach it; whole ones without a point."""
    return repr(value).removesuffix(".0")


def counted(number: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
