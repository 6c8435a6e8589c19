"""How long something takes, alike in whatever it is told: `an hour`, `1 hour` and `60 minutes`, `half an hour`, `an hour and a half`.

Hours, minutes and seconds are one amount. Days, weeks, months and years are not told in each other: a month may have 30 days, and a
week five working ones. `a` is one of them only where something says that a time is spoken of (`within an hour`, `less than a day`): of
`twice a day` and `$20 an hour` it is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final

from planner.checks.spoken_words import Item, trimmed

NAMES_TIME: Final = re.compile(r"(?i)\b(?:hours?|hrs?|minutes?|mins?|seconds|days?|weeks?|months?|years?)\b")

_SECONDS: Final = {
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), 3600),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60),
    "seconds": 1,  # one of them is read as a second one
}
_CALENDAR: Final = {name: unit for unit in ("day", "week", "month", "year") for name in (unit, f"{unit}s")}
_ARTICLES: Final = frozenset({"a", "an"})
_BEFORE_ARTICLE: Final = frozenset(
    [
        "in",
        "within",
        "for",
        "about",
        "around",
        "approximately",
        "roughly",
        "nearly",
        "almost",
        "takes",
        "take",
        "took",
        "than",
        "after",
        "over",
        "under",
        "least",
        "most",
        "last",
        "lasts",
        "lasted",
        "exactly",
        "is",
        "be",
        "was",
        "it's",
    ]
)
_ALTERNATIVES: Final = frozenset({"or", "to"})
"""After `an hour`, where a number follows: `an hour or two`."""
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PARTS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}


def in_seconds(items: Sequence[Item], breaks: Collection[int]) -> list[Item] | None:
    """The items, those that tell one time as one; None where none does. `breaks` are the words that sentences begin at."""
    reader = _Reader(items, breaks)
    found: list[Item] = []
    place = 0
    while place < len(items):
        item, place = reader.read(place)
        found.append(item)
    return found if len(found) < len(items) else None


class _Reader:
    def __init__(self, items: Sequence[Item], breaks: Collection[int]) -> None:
        self._items = items
        self._breaks = breaks

    def read(self, place: int) -> tuple[Item, int]:
        """What begins there, and the place after it."""
        one = self._time(place)
        if one is None:
            return self._items[place], place + 1
        value, unit, end = one
        while unit in _SECONDS and (more := self._and_more(end, unit)) is not None:
            (number, unit), end = more[:2], more[2]
            value += number
        if unit in _CALENDAR:
            return self._item(place, end, f"{trimmed(value)} {_CALENDAR[unit]}"), end
        return self._item(place, end, f"{trimmed(value)} second"), end

    def _item(self, place: int, end: int, amount: str) -> Item:
        return Item(self._items[place].start, self._items[end - 1].end, amount)

    def _time(self, place: int) -> tuple[Decimal, str, int] | None:
        """(how much, its unit, the place after it); seconds where the unit has some."""
        told = self._quantity(place)
        if told is None:
            return None
        value, end = told
        unit = self._word(end)
        if not self._is_unit(end):
            return None
        end += 1
        part = _PARTS.get(self._word(end + 2))
        of_it = self._word(end) == "and" and self._word(end + 1) in _ARTICLES and not self._is_unit(end + 3)
        if of_it and part is not None:
            value, end = value + part, end + 3
        return value * _SECONDS.get(unit, 1), unit, end

    def _quantity(self, place: int) -> tuple[Decimal, int] | None:
        """Of units that begin at the place behind it: a number, `an`, `half an`, `a quarter of an`, `three quarters of an`."""
        number = self._number(place)
        word = self._word(place)
        if number is not None and self._word(place + 1) == "quarters":
            return (number / 4, place + 4) if self._is_of_one(place + 2) else None
        if number is not None:
            return number, place + 1
        part = place + (word in _ARTICLES)
        if (share := _PARTS.get(self._word(part))) is not None:
            if self._is_of_one(part + 1) and self._word(part) == "quarter":
                return share, part + 3
            return share, part + 1 + (self._word(part + 1) in _ARTICLES and part == place)
        return (Decimal(1), place + 1) if word in _ARTICLES and self._is_one(place) else None

    def _is_of_one(self, place: int) -> bool:
        return self._word(place) == "of" and self._word(place + 1) in _ARTICLES

    def _is_one(self, place: int) -> bool:
        """Whether an article counts: where a time is spoken of."""
        if self._word(place + 2) in _ALTERNATIVES and self._number(place + 3) is not None:
            return False
        begins = place == 0 or self._items[place].start in self._breaks
        return begins or self._word(place - 1) in _BEFORE_ARTICLE

    def _and_more(self, place: int, unit: str) -> tuple[Decimal, str, int] | None:
        """`and thirty minutes` after an hour."""
        place += self._word(place) == "and"
        number, smaller = self._number(place), self._word(place + 1)
        if number is None or self._items[place].start in self._breaks or _SECONDS.get(smaller, 3600) >= _SECONDS[unit]:
            return None
        return number * _SECONDS[smaller], smaller, place + 2

    def _is_unit(self, place: int) -> bool:
        return self._word(place) in _SECONDS or self._word(place) in _CALENDAR

    def _word(self, place: int) -> str:
        return self._items[place].amount.lower() if 0 <= place < len(self._items) else ""

    def _number(self, place: int) -> Decimal | None:
        found = _NUMBER.fullmatch(self._word(place))
        return None if found is None else Decimal(found[0])
