"""Short texts for messages: values in one line, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

_MAX_WORD = 60
_MAX_CHOICES = 1_000


def shorten(text: str, limit: int = 60) -> str:
    """An author's text in one line of at most `limit` characters."""
    line = " ".join(text[: 20 * limit].split())
    return line if len(line) <= limit and len(text) <= 20 * limit else line[: limit - 1] + "…"


def describe(value: Any) -> str:
    """A value as an author would name it, in one line."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{shorten(value, 40)}"'
        case dict():
            return "a mapping"
        case _:
            return "a list"


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant. Looks at a bounded number of choices."""
    if len(word) > _MAX_WORD:
        return None
    by_lower = {choice.lower(): choice for choice in islice(choices, _MAX_CHOICES)}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[matches[0]] if matches else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The end of a message: what was probably meant, or nothing."""
    meant = nearest(word, choices)
    return f"; did you mean `{meant}`?" if meant is not None else ""


def listed(words: Iterable[str], most: int = 12) -> str:
    """`a, b, c`, cut after a few."""
    words = list(words)
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most:,} more"
