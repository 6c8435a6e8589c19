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


class SpokenWords:
    """Words in lower case, taken apart where a transcript glues them (`9am`, `$5k`), and the numbers among them. A reader is told a
    place, and gives the item that begins there, or None."""

    def __init__(self, words: Sequence[str], breaks: set[int], signed: frozenset[int] = frozenset()) -> None:
        self._signed = signed
        self._written = list(words)
        self._words: list[str] = []
        self._places: list[int] = []
        self._breaks: list[int] = []
        self._numbers: dict[int, Number | None] = {}
        for place, word in enumerate(words):
            if place in breaks:
                self._breaks.append(len(self._words))
            lower = word.lower()
            glued = _GLUED_HALF.fullmatch(lower) or (
                beside_currency(words, place) and _GLUED_MAGNITUDE.fullmatch(lower)
            )
            for part in glued.groups() if glued else (lower,):
                self._words.append(part)
                self._places.append(place)

    def _number_at(self, place: int) -> Number | None:
        """A number does not go on in the next sentence."""
        if place >= len(self._words):
            return None
        if place not in self._numbers:  # each reader asks again
            end = next((start for start in self._breaks if start > place), len(self._words))
            self._numbers[place] = read_number(self._words, place, end)
        return self._numbers[place]

    def _at(self, place: int) -> str:
        return self._words[place] if 0 <= place < len(self._words) else ""


def plain(number: Number) -> str:
    return number.digits or trimmed(number.value)


def trimmed(value: Decimal) -> str:
    """Without zeros that say nothing: 12.50 is 12.5."""
    text = f"{value:f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text
