"""Amounts of money and percentages, said or written; see `planner.checks.spoken`."""

from __future__ import annotations

from decimal import Decimal

from planner.checks.currency_words import (
    AFTER_AMOUNT,
    BEFORE_AMOUNT,
    CURRENCIES,
    HALVED,
    HUNDREDTH_OF,
    HUNDREDTHS,
    MAGNITUDES,
    NO_AMOUNT,
    NO_CENTS,
    ONE_OF,
)
from planner.checks.number_words import Number, is_vague
from planner.checks.spoken_words import Item, SpokenWords, plain, trimmed


class MoneyReader(SpokenWords):
    """Reads amounts of money and percentages."""

    def _percent(self, place: int) -> Item | None:
        number = self._number_at(place)
        if number is None or number.ordinal:
            return None
        following = [self._at(number.end), self._at(number.end + 1)]
        if following[0] in ("%", "percent"):
            return Item(place, number.end + 1, f"{plain(number)} percent")
        return Item(place, number.end + 2, f"{plain(number)} percent") if following == ["per", "cent"] else None

    def _money(self, place: int) -> Item | None:
        first = self._at(place)
        number = self._number_at(place + 1) if first in BEFORE_AMOUNT else self._number_at(place) or self._one(place)
        if number is None or number.ordinal:
            return None
        value, end = self._magnified(number)
        if first in BEFORE_AMOUNT:
            currency = CURRENCIES[first]
            end += CURRENCIES.get(self._at(end)) == currency
        elif (currency := CURRENCIES.get(self._at(end), "")) != "":
            end += 1
        elif (part := HUNDREDTHS.get(self._at(number.end))) is not None and self._at(number.end) != "p":
            return Item(place, number.end + 1, f"{plain(number)} {part}")
        else:
            return None
        rest = None if end in self._breaks else self._number_at(end + (self._at(end) == "and"))
        if rest is not None and rest.value < 100 and self._at(rest.end) in HUNDREDTHS:
            value, end = value + rest.value / 100, rest.end + 1
        elif rest is not None and self._ends_amount(first, end, rest):
            value, end = value + rest.value / 100, rest.end
        elif self._and_a_half(end):
            value, end = value + Decimal("0.5"), end + 3
        if 0 < value < 1 and currency in HUNDREDTH_OF:
            return Item(place, end, f"{trimmed(value * 100)} {HUNDREDTH_OF[currency]}")
        return Item(place, end, f"{trimmed(value)} {currency}")

    def _one(self, place: int) -> Number | None:
        """`a` of `a dollar`, `half a` of `half a dollar`."""
        half = self._at(place) == "half"
        article = place + half
        if self._at(article) not in ("a", "an") or self._at(article + 1) not in ONE_OF:
            return None
        after = self._at(article + 2)
        another = after in NO_AMOUNT or (self._at(article + 1), after) == ("pound", "of")
        if (another and article + 2 not in self._breaks) or is_vague(self._words, place):
            return None
        return Number(place, article + 1, Decimal("0.5") if half else Decimal(1), None)

    def _magnified(self, number: Number) -> tuple[Decimal, int]:
        """With the `k` behind it, as in `$5k`: the value and where it ends."""
        if number.end in self._breaks or (scale := MAGNITUDES.get(self._at(number.end))) is None:
            return number.value, number.end
        return number.value * scale, number.end + 1

    def _ends_amount(self, first: str, end: int, rest: Number) -> bool:
        """Whether `ten` after `forty-two dollars` is cents: where nothing follows that it could be so many of."""
        is_cents = first not in BEFORE_AMOUNT and rest.start == end and len(rest.digits or "") == 2
        after = self._at(rest.end)
        if is_cents and first in ("a", "an"):  # hardly `fifty` of something else
            return rest.end in self._breaks or not (after in NO_CENTS or after.endswith("s"))
        return is_cents and (rest.end in self._breaks or after in AFTER_AMOUNT)

    def _and_a_half(self, end: int) -> bool:
        """Of `two dollars and a half`, and not of `two dollars and a half hour`."""
        after = end + 3
        if self._words[end:after] != ["and", "a", "half"] or any(end <= place < after for place in self._breaks):
            return False
        return after in self._breaks or self._at(after) not in HALVED
