"""Amounts of money and percentages, said or written; see `planner.checks.spoken`."""

from __future__ import annotations

from decimal import Decimal

from planner.checks.currency_words import (
    AFTER_A_GRAND,
    AFTER_AMOUNT,
    AFTER_FEW_CENTS,
    AFTER_GRAND,
    BEFORE_AMOUNT,
    BEFORE_POINT,
    CURRENCIES,
    HALVED,
    HUNDREDTH_OF,
    HUNDREDTHS,
    MAGNITUDES,
    NO_AMOUNT,
    NO_CENTS,
    ONE_OF,
    PARTS,
)
from planner.checks.number_words import Number, is_vague
from planner.checks.spoken_words import Item, SpokenWords, plain, trimmed


class MoneyReader(SpokenWords):
    """Reads amounts of money and percentages."""

    def _percent(self, place: int) -> Item | None:
        if (part := self._part_of_percent(place)) is not None:
            return part
        if self._at(place) == "point":
            return self._below_one_percent(place)
        number = self._number_at(place)
        if number is None or number.ordinal:
            return None
        end = self._percent_sign(number.end)
        return None if end is None else Item(place, end, f"{plain(number)} percent")

    def _percent_sign(self, place: int) -> int | None:
        """The place after it, if it is there."""
        if self._at(place) in ("%", "percent"):
            return place + 1
        return place + 2 if (self._at(place), self._at(place + 1)) == ("per", "cent") else None

    def _below_one_percent(self, place: int) -> Item | None:
        """`point five percent`."""
        if place not in self._breaks and self._at(place - 1) not in BEFORE_POINT:
            return None
        after, decimals = place + 1, ""
        while (digit := self._number_at(after)) is not None and len(digit.digits or "") == 1:
            after, decimals = digit.end, decimals + (digit.digits or "")
        end = self._percent_sign(after)
        return (
            Item(place, end, f"{trimmed(Decimal(f'0.{decimals}'))} percent") if decimals and end is not None else None
        )

    def _part_of_percent(self, place: int) -> Item | None:
        """`half a percent`, `a quarter of one percent`, `three quarters of a percent`."""
        part = place + (self._at(place) in ("a", "one"))
        value = PARTS.get(self._at(part))
        if value is None and self._at(part + 1) == "quarters" and (number := self._number_at(part)) is not None:
            value, part = number.value / 4, part + 1
        if value is None:
            return None
        after = part + 1 + (self._at(part + 1) == "of")
        end = self._percent_sign(after + (self._at(after) in ("a", "one", "1")))
        return None if end is None else Item(place, end, f"{trimmed(value)} percent")

    def _money(self, place: int) -> Item | None:
        first = self._at(place)
        number = self._number_at(place + 1) if first in BEFORE_AMOUNT else self._number_at(place) or self._one(place)
        if number is None or number.ordinal:
            return None
        value, end = self._magnified(number)
        if self._is_grand(first, end):
            return Item(place, end + 1, f"{trimmed(value * 1000)} dollar")
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
        elif (few := self._few_cents(first, end)) is not None:
            value, end = value + few.value / 100, few.end
        elif self._and_a_half(end):
            value, end = value + Decimal("0.5"), end + 3
        if 0 < value < 1 and currency in HUNDREDTH_OF:
            return Item(place, end, f"{trimmed(value * 100)} {HUNDREDTH_OF[currency]}")
        return Item(place, end, f"{trimmed(value)} {currency}")

    def _one(self, place: int) -> Number | None:
        """`a` of `a dollar`, `half a` of `half a dollar`."""
        half = self._at(place) == "half"
        article = place + half
        if self._at(article) not in ("a", "an") or (
            self._at(article + 1) not in ONE_OF and (half or self._at(article + 1) != "grand")
        ):
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

    def _is_grand(self, first: str, place: int) -> bool:
        """Whether `grand` stands there for thousand dollars."""
        if self._at(place) != "grand" or place in self._breaks:
            return False
        after = self._at(place + 1)
        if self._is_end(place + 1):
            return True
        return after in AFTER_A_GRAND if first in ("a", "an") else not after.endswith("s") or after in AFTER_GRAND

    def _few_cents(self, first: str, end: int) -> Number | None:
        """`five` of `a dollar five`, and of `a dollar oh five`."""
        told = self._at(end) in ("oh", "o", "zero")
        if first in BEFORE_AMOUNT or self._is_end(end) or self._is_end(end + told):
            return None
        digit = self._number_at(end + told)
        if digit is None or len(digit.digits or "") != 1 or not digit.value:
            return None
        followers = AFTER_AMOUNT if told else AFTER_FEW_CENTS
        return digit if self._is_end(digit.end) or self._at(digit.end) in followers else None

    def _ends_amount(self, first: str, end: int, rest: Number) -> bool:
        """Whether `ten` after `forty-two dollars` is cents: where nothing follows that it could be so many of."""
        is_cents = first not in BEFORE_AMOUNT and rest.start == end and len(rest.digits or "") == 2
        after = self._at(rest.end)
        if is_cents and first in ("a", "an"):  # hardly `fifty` of something else
            return self._is_end(rest.end) or not (after in NO_CENTS or after.endswith("s"))
        return is_cents and (self._is_end(rest.end) or after in AFTER_AMOUNT)

    def _and_a_half(self, end: int) -> bool:
        """Of `two dollars and a half`, and not of `two dollars and a half hour`."""
        after = end + 3
        if self._words[end:after] != ["and", "a", "half"] or any(end <= place < after for place in self._breaks):
            return False
        return after in self._breaks or self._at(after) not in HALVED
