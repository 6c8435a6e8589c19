"""Short strings for messages: values in one line, lists of names, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

_MAX_WORD = 60
_MAX_COMPARED = 200
_COMPARING = 10
"""Comparing two words takes this many times as long as skipping one."""
_MAX_DIFFERENCE = 4
_LIKENESS = 0.7
"""difflib's ratio of `runz` and `runs` is 0.75, of `urgent` and `targets` 0.62."""


def shorten(text: str, limit: int = 60) -> str:
    """An author's text in one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def describe(value: Any) -> str:
    """A value as authors call it, in one line."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the string "{shorten(value, 40)}"'
        case dict():
            return "a mapping"
        case _:
            return "a list"


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant. Looks at a bounded number of choices of similar length."""
    if len(word) > _MAX_WORD:
        return None
    word = word.lower()
    by_lower = {choice.lower(): choice for choice in choices}
    if word in by_lower or f"{word}s" in by_lower:
        return by_lower.get(word) or by_lower[f"{word}s"]
    with_unit = [choice for choice in by_lower if choice.startswith(f"{word}_")]
    if with_unit:
        return by_lower[min(with_unit, key=len)]
    similar = (choice for choice in by_lower if abs(len(choice) - len(word)) <= _MAX_DIFFERENCE)
    matches = get_close_matches(word, islice(similar, _MAX_COMPARED), n=1, cutoff=_LIKENESS)
    return by_lower[matches[0]] if matches else None


@dataclass(slots=True)
class Searches:
    """`nearest`, until all searches together have taken about a second: there may be a thousand names among
    thousands."""

    room: int = 1_500_000

    def nearest(self, word: str, choices: Collection[str]) -> str | None:
        if self.room < 0:
            return None
        self.room -= len(choices) + _COMPARING * min(len(choices), _MAX_COMPARED)
        return nearest(word, choices)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean …?`, or ""."""
    meant = nearest(word, choices)
    return f"did you mean `{meant}`?" if meant is not None else ""


def one_of(choices: Iterable[str], limit: int = 20) -> str:
    """The choices in a row, the first `limit` of them."""
    choices = list(choices)
    listed = ", ".join(f"`{shorten(choice, 40)}`" for choice in choices[:limit])
    return listed if len(choices) <= limit else f"{listed} and {len(choices) - limit:,} more"


def known(choices: Collection[str]) -> str:
    """The available names, for a message about an unknown one."""
    if len(choices) > _MAX_COMPARED:
        return f"there are {len(choices):,}"
    return f"known: {one_of(sorted(choices))}"


def unknown(what: str, word: str, choices: Iterable[str], searches: Searches | None = None) -> str:
    """`what`, such as "`runz` is not a key here", and what was probably meant, or what there is."""
    choices = list(choices)
    meant = (searches or Searches()).nearest(word, choices)
    if meant is not None:
        return f"{what}; did you mean `{meant}`?"
    return f"{what}; {known(choices)}" if choices else what
