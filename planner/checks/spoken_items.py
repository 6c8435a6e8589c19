"""Words to what they say: amounts of money, percentages, dates, times of day, numbers; see `planner.checks.spoken`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
    beside_currency,
)
from planner.checks.number_words import ORDINALS, SCALES, TEENS, TENS, UNITS, ZEROS, Number, is_vague, read_number

_MONTHS = {
    name: full
    for full in (
        "january february march april may june july august september october november december".split()  # noqa: SIM905
    )
    for name in (full, full[:3], *(["sept"] if full == "september" else []))
}
_HALVES = {
    ("am",): "am",
    ("pm",): "pm",
    ("a", "m"): "am",
    ("p", "m"): "pm",
    ("in", "the", "morning"): "am",
    ("in", "the", "afternoon"): "pm",
    ("in", "the", "evening"): "pm",
    ("at", "night"): "pm",
}
_BEFORE_TIME = frozenset({"at", "by", "until", "till", "before", "after", "around", "from"})
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_GLUED_HALF = re.compile(r"(\d{1,2}(?::\d\d)?)(am|pm)")
_GLUED_MAGNITUDE = re.compile(r"(\d{1,15})(k|m|bn?)")
_DIGIT = re.compile(r"[0-9]")
_ON_THE_HOUR = "o'clock"
_BEFORE_TOLD_TIME = _BEFORE_TIME - {"from"} | {"is", "it's", "was", "about", "nearly", "almost", "exactly"}
_BEFORE_MODAL = frozenset({"you", "i", "we", "they", "he", "she", "it", "who", "that", "which", "this", "one"})
"""Before `may` where that is no month."""
_MINUS = frozenset({"minus", "negative"})
_TIMES = {"double": 2, "triple": 3}


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


def read_items(words: Sequence[str], breaks: set[int], signed: frozenset[int] = frozenset()) -> list[Item]:
    """All words in items; `breaks` are the places where sentences begin, `signed` those of numbers below zero."""
    return _Reader(words, breaks, signed).read()


_TELLING_FIRST = frozenset(
    {*UNITS, *TEENS, *TENS, *ORDINALS, *ZEROS, *_MONTHS, *BEFORE_AMOUNT, *_TIMES, *SCALES}
    | {"half", "quarter", "noon", "midnight", "hundred"}
)
_BEGINNINGS = _TELLING_FIRST | {"a", "an", "the"}
_TELLING = _TELLING_FIRST | ONE_OF
"""Without any of these, and without digits, there is nothing that `a` or `the` could begin."""


class _Reader:
    """Reads words from left to right; what is read is an item, and the next word is at its end."""

    def __init__(self, words: Sequence[str], breaks: set[int], signed: frozenset[int]) -> None:
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

    def read(self) -> list[Item]:
        items: list[Item] = []
        place = 0
        readers = (self._date, self._money, self._time, self._percent, self._repeated, self._number)
        while place < len(self._words):
            item = self._below_zero(place)
            if item is None and _may_begin(self._words[place]):
                item = next((item for reader in readers if (item := reader(place)) is not None), None)
            if item is None:
                item = Item(place, place + 1, self._written[self._places[place]])
            place = item.end
            items.append(self._placed(item))
        return items

    def _below_zero(self, place: int) -> Item | None:
        """`minus five`, and `-5`, whose sign is among no words; nothing is taken away from a number before it."""
        if self._words[place] in _MINUS and self._number_at(place - 1 if place else len(self._words)) is None:
            first = place + 1
        elif self._places[place] in self._signed:
            first = place
        else:
            return None
        readers = (self._money, self._percent, self._number)
        item = next((item for reader in readers if (item := reader(first)) is not None), None)
        return None if item is None else Item(place, item.end, f"-{item.amount}")

    def _placed(self, item: Item) -> Item:
        """By plain words; words that were glued together share theirs."""
        start, end = self._places[item.start], self._places[item.end - 1] + 1
        return Item(start, end, item.amount, item.digits, item.row, item.said_as_one)

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

    def _number(self, place: int) -> Item | None:
        number = self._number_at(place)
        if number is None or (self._at(place) in ("oh", "o") and not self._beside_digit(place)):
            return None
        if number.ordinal:
            return Item(place, number.end, f"{number.value}th")
        return Item(place, number.end, _plain(number), number.digits, None, len(number.digits or "") == 1)

    def _beside_digit(self, place: int) -> bool:
        return any(
            self._at(beside) not in ("oh", "o") and (number := self._number_at(beside)) and number.digits is not None
            for beside in (place - 1, place + 1)
            if beside >= 0
        )

    def _repeated(self, place: int) -> Item | None:
        """`double five`."""
        times = _TIMES.get(self._at(place))
        number = self._number_at(place + 1)
        if times is None or number is None or len(number.digits or "") != 1:
            return None
        digits = (number.digits or "") * times
        return Item(place, number.end, digits, digits, None, said_as_one=True)

    def _percent(self, place: int) -> Item | None:
        number = self._number_at(place)
        if number is None or number.ordinal:
            return None
        following = [self._at(number.end), self._at(number.end + 1)]
        if following[0] in ("%", "percent"):
            return Item(place, number.end + 1, f"{_plain(number)} percent")
        return Item(place, number.end + 2, f"{_plain(number)} percent") if following == ["per", "cent"] else None

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
            return Item(place, number.end + 1, f"{_plain(number)} {part}")
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

    def _date(self, place: int) -> Item | None:
        if (iso := self._iso_date(place)) is not None:
            return iso
        first = place + (self._at(place) == "the")
        if (month := _MONTHS.get(self._at(place))) is not None:
            modal = month == "may" and self._at(place - 1) in _BEFORE_MODAL
            if modal or place + 1 in self._breaks:
                return None
            day = self._number_at(place + 1 + (self._at(place + 1) == "the"))
            if day is None or not _is_day(day):
                return None
            return self._with_year(place, day.end, f"{month} {day.value}")
        day = self._number_at(first)
        if day is None or not _is_day(day) or (first > place and not day.ordinal):
            return None
        after = day.end + (self._at(day.end) == "of")
        month = _MONTHS.get(self._at(after))
        if month is None or (month == "may" and self._at(place) == "one"):  # `no one may enter`
            return None
        return self._with_year(place, after + 1, f"{month} {day.value}")

    def _iso_date(self, place: int) -> Item | None:
        year, month, day = (self._at(place + offset) for offset in range(3))
        if not (re.fullmatch(r"(19|20)\d\d", year) and re.fullmatch(r"0\d|1[0-2]", month) and month != "00"):
            return None
        if not re.fullmatch(r"0[1-9]|[12]\d|3[01]", day):
            return None
        names = list(dict.fromkeys(_MONTHS.values()))
        return Item(place, place + 3, f"{names[int(month) - 1]} {int(day)} {year}")

    def _with_year(self, start: int, end: int, date: str) -> Item:
        year = self._number_at(end)
        if year is None or year.ordinal or year.digits is None:
            return Item(start, end, date)
        if 1000 <= year.value < 3000:
            return Item(start, year.end, f"{date} {year.value}")
        rest = self._number_at(year.end)
        if year.value in (19, 20) and rest is not None and rest.digits is not None and 10 <= rest.value < 100:
            return Item(start, rest.end, f"{date} {year.digits}{rest.digits}")
        return Item(start, end, date)

    def _time(self, place: int) -> Item | None:
        word = self._at(place)
        if word in ("noon", "midnight"):
            return Item(place, place + 1, "12 pm" if word == "noon" else "12 am")
        if (clock := _CLOCK.fullmatch(word)) is not None:
            return self._clock(place, place + 1, int(clock[1]), int(clock[2]))
        if (told := self._past_or_to(place)) is not None:
            return told
        hour = self._number_at(place)
        if hour is None or hour.digits is None or not 1 <= hour.value <= 12:
            return None
        if (after := self._after_oclock(hour.end)) is not None:
            return self._clock(place, after, int(hour.value), 0)
        minute, end = self._minute(hour.end)
        if minute is not None and (self._half(end) is not None or self._at(place - 1) in _BEFORE_TIME):
            return self._clock(place, end, int(hour.value), minute)
        return self._clock(place, hour.end, int(hour.value), 0) if self._half(hour.end) is not None else None

    def _after_oclock(self, place: int) -> int | None:
        if self._at(place) in ("o'clock", "oclock"):
            return place + 1
        return place + 2 if (self._at(place), self._at(place + 1)) == ("o", "clock") else None

    def _minute(self, place: int) -> tuple[int | None, int]:
        """Minutes as they follow an hour: `thirty`, `oh five`."""
        if self._at(place) in ("oh", "o", "zero"):
            digit = self._number_at(place + 1)
            return (
                (int(digit.value), digit.end)
                if digit is not None and digit.digits and digit.value < 10
                else (None, place)
            )
        number = self._number_at(place)
        if number is None or number.digits is None or not 10 <= number.value < 60:
            return None, place
        return int(number.value), number.end

    def _past_or_to(self, place: int) -> Item | None:
        first = place + (self._at(place) == "a")
        if self._at(first) in ("half", "quarter"):
            minutes, after = (30 if self._at(first) == "half" else 15), first + 1
        else:
            number = self._number_at(place)
            if number is None or number.ordinal or not 1 <= number.value < 60 or number.value % 1:
                return None
            minutes, after = int(number.value), number.end
            if self._at(after) in ("minute", "minutes"):
                after += 1
            elif not self._tells_time(place, after, minutes):
                return None
        hour = self._number_at(after + 1)
        if hour is None or hour.digits is None or not 1 <= hour.value <= 12:
            return None
        end = self._after_oclock(hour.end) or hour.end
        match self._at(after):
            case "past" | "after":
                return self._clock(place, end, int(hour.value), minutes)
            case "to" | "til" | "till" | "before" if minutes != 30:
                return self._clock(place, end, (int(hour.value) - 2) % 12 + 1, 60 - minutes)
            case _:
                return None

    def _tells_time(self, place: int, after: int, minutes: int) -> bool:
        """Whether `ten to five`, without "minutes", is a time: it may be a span, too. Nothing else is past something."""
        began = self._at(place - 1) in _BEFORE_TOLD_TIME
        alone = place == 0 and after + 2 == len(self._words)
        return self._at(after) == "past" or (minutes % 5 == 0 and (began or alone))

    def _clock(self, start: int, end: int, hour: int, minute: int) -> Item:
        half = self._half(end)
        if half is not None:
            end += half[1]
        said = half[0] if half else "pm" if hour > 12 else "am" if hour == 0 else ""
        if half and half[0] == "pm" and self._at(end - 1) == "night" and (hour == 12 or hour < 5):
            said = "am"
        hour = (hour - 1) % 12 + 1
        # With a zero before it, it is a clock of 24 hours; or that of a machine.
        by_24 = not said and self._at(start).startswith("0")
        if minute == 0:
            return Item(start, end, f"{hour} {said or _ON_THE_HOUR}", None, f"{hour} am" if by_24 else None)
        return Item(start, end, f"{hour}:{minute:02} {said}", None, f"{hour}{minute:02} {'am' if by_24 else said}")

    def _half(self, place: int) -> tuple[str, int] | None:
        """Which half of the day is said, and in how many words."""
        for words, half in _HALVES.items():
            if tuple(self._words[place : place + len(words)]) == words:
                return half, len(words)
        return None


def all_plain(words: Sequence[str]) -> bool:
    """Whether every word stands for itself: no number, month, currency or time of day is among them, as in most sentences."""
    return not any((lower := word.lower()) in _TELLING or _has_digit(lower) for word in words)


def _may_begin(word: str) -> bool:
    """Whether anything but a plain word can begin with this one: most words are plain, and need no further look."""
    return word in _BEGINNINGS or _has_digit(word)


def _has_digit(word: str) -> bool:
    return not word.isalpha() and _DIGIT.search(word) is not None


def _is_day(number: Number) -> bool:
    return 1 <= number.value <= 31 and number.value == int(number.value)


def _plain(number: Number) -> str:
    return number.digits or trimmed(number.value)


def trimmed(value: Decimal) -> str:
    """Without zeros that say nothing: 12.50 is 12.5."""
    text = f"{value:f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text
