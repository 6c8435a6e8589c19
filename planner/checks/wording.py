"""Formats values for messages: one line, JSON, limited length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

LONGEST_VALUE = 120
"""Longest value in a message, in characters."""


def shown(value: Any) -> str:
    """A value as JSON on one line, cut if long."""
    text = to_json(value, inf_nan_mode="constants").decode()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def listed(items: Sequence[str], conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def named(names: Sequence[str], conjunction: str = "and") -> str:
    """`listed`, with each name in backquotes."""
    return listed([f"`{name}`" for name in names], conjunction)


def number(value: float) -> str:
    """A number with all its digits, so that a value just off a limit does not look equal to it; `2.0` as `2`."""
    return repr(value).removesuffix(".0")


def counted(number: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
