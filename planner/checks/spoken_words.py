"""The words of a text as they are read from left to right: what each reader of numbers, money, dates and times begins from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from planner.checks.currency_words import beside_currency
from planner.checks.number_words import Number, read_number

_GLUED_HALF = re.compile(r"(\d{1,2}(?::\d\d)?)(am|pm)")
_GLUED_MAGNITUDE = re.compile(r"(\d{1,15})(k|m|bn?)")


_PERCENT = frozenset({"percent", "%", "per"})


@dataclass(frozen=True, slots=True)
class Item:
    """What stands for the words from `start` to before `end`. `digits` where it can be part of a row of digits."""

    start: int
    end: int
    amount: str
    digits: str | None = None
    row: str | None = None
    """Its other reading, where that is not `amount`."""
    said_as_one: bool = False
    """A single digit, or digits grown out of such."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What punctuation says that is in no word, by the places of the words behind it."""

    breaks: set[int]
    """Where sentences begin."""
    pauses: set[int]
    """Behind a comma, or the like."""
    signed: set[int]
    """Of numbers below zero."""
    ranged: set[int]
    """Up to which a range goes: `7` of `5-7 days`."""


class SpokenWords:
    """Words in lower case, taken apart where a transcript glues them (`9am`, `$5k`), and the numbers among them. A reader is told a
    place, and gives the item that begins there, or None."""

    def __init__(self, words: Sequence[str], marks: Marks) -> None:
        self._signed = marks.signed
        self._ranged = marks.ranged
        self._written = list(words)
        self._words: list[str] = []
        self._places: list[int] = []
        self._breaks: list[int] = []
        self._pauses: set[int] = set()
        self._numbers: dict[int, Number | None] = {}
        for place, word in enumerate(words):
            if place in marks.breaks:
                self._breaks.append(len(self._words))
            if place in marks.pauses:
                self._pauses.add(len(self._words))
            if not word:
                continue
            lower = word.lower()
            glued = _GLUED_HALF.fullmatch(lower) or (
                beside_currency(words, place) and _GLUED_MAGNITUDE.fullmatch(lower)
            )
            for part in glued.groups() if glued else (lower,):
                self._words.append(part)
                self._places.append(place)

    @property
    def _names_percent(self) -> bool:
        return not _PERCENT.isdisjoint(self._words)

    def _number_at(self, place: int) -> Number | None:
        """A number does not go on in the next sentence."""
        if place >= len(self._words):
            return None
        if place not in self._numbers:  # each reader asks again
            end = next((start for start in self._breaks if start > place), len(self._words))
            self._numbers[place] = read_number(self._words, place, end)
        return self._numbers[place]

    def _is_end(self, place: int) -> bool:
        """Whether nothing goes on there."""
        return place in self._breaks or place in self._pauses or place >= len(self._words)

    def _at(self, place: int) -> str:
        return self._words[place] if 0 <= place < len(self._words) else ""


def plain(number: Number) -> str:
    return number.digits or trimmed(number.value)


def trimmed(value: Decimal) -> str:
    """Without zeros that say nothing: 12.50 is 12.5."""
    text = f"{value:f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text
