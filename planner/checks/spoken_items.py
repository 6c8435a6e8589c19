"""Words to what they say: amounts of money, percentages, dates, times of day, numbers; see `planner.checks.spoken`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.checks.currency_words import BEFORE_AMOUNT, ONE_OF
from planner.checks.number_words import ORDINALS, SCALES, TEENS, TENS, UNITS, ZEROS, Number
from planner.checks.spoken_money import MoneyReader
from planner.checks.spoken_words import Item, Marks, plain

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
_CODE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,12})")
_DIGIT = re.compile(r"[0-9]")
_ON_THE_HOUR = "o'clock"
_BEFORE_TOLD_TIME = _BEFORE_TIME - {"from"} | {"is", "it's", "was", "about", "nearly", "almost", "exactly"}
_BEFORE_MODAL = frozenset({"you", "i", "we", "they", "he", "she", "it", "who", "that", "which", "this", "one"})
"""Before `may` where that is no month."""
_COUNTED = frozenset(
    [
        "second",
        "seconds",
        "minute",
        "minutes",
        "hour",
        "hours",
        "day",
        "days",
        "business",
        "working",
        "calendar",
        "week",
        "weeks",
        "month",
        "months",
        "year",
        "years",
        "percent",
        "%",
        "per",
        "dollar",
        "dollars",
        "bucks",
        "people",
        "guests",
        "items",
        "times",
        "miles",
    ]
)
"""After the hour that it would be if `ten to five` were a time: then it is a range."""
_MINUS = frozenset({"minus", "negative"})
_TIMES = {"double": 2, "triple": 3}


def read_items(words: Sequence[str], marks: Marks) -> list[Item]:
    """All words in items."""
    return _Reader(words, marks).read()


_TELLING_FIRST = frozenset(
    {*UNITS, *TEENS, *TENS, *ORDINALS, *ZEROS, *_MONTHS, *BEFORE_AMOUNT, *_TIMES, *SCALES}
    | {"half", "quarter", "noon", "midnight", "hundred"}
)
_BEGINNINGS = _TELLING_FIRST | {"a", "an", "the", "point"}
_TELLING = _TELLING_FIRST | ONE_OF | {"grand"}
"""Without any of these, and without digits, there is nothing that `a` or `the` could begin."""


class _Reader(MoneyReader):
    """Reads words from left to right; what is read is an item, and the next word is at its end."""

    def read(self) -> list[Item]:
        items: list[Item] = []
        place = 0
        readers = (self._date, self._money, self._time, self._percent, self._repeated, self._number)
        readers = readers if self._names_percent else tuple(each for each in readers if each != self._percent)
        while place < len(self._words):
            item = None
            word = self._words[place]
            if word in _MINUS or self._places[place] in self._signed:
                item = self._below_zero(place)
            elif self._places[place] in self._ranged:
                item = self._up_to(place)
            if item is None and _may_begin(word):
                item = next((item for reader in readers if (item := reader(place)) is not None), None)
            if item is None:
                written = self._written[self._places[place]]
                item = Item(place, place + 1, written, None, _spelled(written) if _has_digit(word) else None)
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

    def _number(self, place: int) -> Item | None:
        number = self._number_at(place)
        if number is None or (self._at(place) in ("oh", "o") and not self._beside_digit(place)):
            return None
        if number.ordinal:
            return Item(place, number.end, f"{number.value}th")
        return Item(place, number.end, plain(number), number.digits, None, len(number.digits or "") == 1)

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

    def _up_to(self, place: int) -> Item | None:
        """`7 percent` of `5-7 percent`, which is said as `to 7 percent`."""
        item = self._percent(place) or self._number(place)
        return None if item is None else Item(place, item.end, f"to {item.amount}")

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
            if (year := self._year_said(place + 1)) is not None:
                century = 20 if self._at(place + 1) == "twenty" else 19
                return Item(place, year.end, f"{month} {century}{year.digits}")
            return self._with_year(place, day, day.end, f"{month} {day.value}")
        day = self._number_at(first)
        if day is None or not _is_day(day) or (first > place and not day.ordinal):
            return None
        after = day.end + (self._at(day.end) == "of")
        month = _MONTHS.get(self._at(after))
        if month is None or (month == "may" and self._at(place) == "one"):  # `no one may enter`
            return None
        return self._with_year(place, day, after + 1, f"{month} {day.value}")

    def _year_said(self, place: int) -> Number | None:
        """`twenty-seven` of `March twenty twenty-seven`: of a month with no day."""
        if (
            self._at(place) not in ("twenty", "nineteen")
            or self._is_end(place + 1)
            or self._time(place + 1) is not None
        ):
            return None
        rest = self._number_at(place + 1)
        is_year = self._number_at(place) is not None and rest is not None and len(rest.digits or "") == 2
        return rest if is_year and self._at(place + 1) in TEENS.keys() | TENS.keys() else None

    def _day_alone(self, start: int, day: Number, end: int) -> str:
        """`the 15th of may`, in which `the 15th` is found, too."""
        return " ".join([*self._words[start : day.start], f"{day.value}th", *self._words[day.end : end]])

    def _iso_date(self, place: int) -> Item | None:
        year, month, day = (self._at(place + offset) for offset in range(3))
        if len(year) != 4 or not (
            re.fullmatch(r"(19|20)\d\d", year) and re.fullmatch(r"0\d|1[0-2]", month) and month != "00"
        ):
            return None
        if not re.fullmatch(r"0[1-9]|[12]\d|3[01]", day):
            return None
        names = list(dict.fromkeys(_MONTHS.values()))
        return Item(place, place + 3, f"{names[int(month) - 1]} {int(day)} {year}")

    def _with_year(self, start: int, day: Number, end: int, date: str) -> Item:
        year = self._number_at(end)
        if year is None or year.ordinal or year.digits is None:
            return Item(start, end, date, None, self._day_alone(start, day, end) if day.ordinal else None)
        if 1000 <= year.value < 3000:
            return Item(start, year.end, f"{date} {year.value}")
        rest = self._number_at(year.end)
        if year.value in (19, 20) and rest is not None and rest.digits is not None and 10 <= rest.value < 100:
            return Item(start, rest.end, f"{date} {year.digits}{rest.digits}")
        return Item(start, end, date)

    def _time(self, place: int) -> Item | None:
        word = self._at(place)
        if word == "24/7":
            return Item(place, place + 1, "24 7", None, "247")
        noon = place + (word in ("12", "twelve"))
        if self._at(noon) in ("noon", "midnight"):
            return Item(place, noon + 1, "12 pm" if self._at(noon) == "noon" else "12 am")
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
        is_range = place < len(self._words) and self._places[place] in self._ranged
        if number is None or number.digits is None or not 10 <= number.value < 60 or is_range:
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
        if hour is None or hour.digits is None or not 1 <= hour.value <= 12 or self._at(hour.end) in _COUNTED:
            return None
        end = self._after_oclock(hour.end) or hour.end
        match self._at(after):
            case "past" | "after":
                return self._clock(place, end, int(hour.value), minutes)
            case "to" | "til" | "till" | "before" if minutes != 30:
                return self._clock(place, end, (int(hour.value) - 2) % 12 + 1, 60 - minutes)
            case "of" if minutes == 15 and self._at(place - 1) in _BEFORE_TIME - {"from"}:
                return self._clock(place, end, (int(hour.value) - 2) % 12 + 1, 45)
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


def _spelled(word: str) -> str | None:
    """`A B 73` of `AB73`, as a code is said; of `A7` it might be a seven of something."""
    code = _CODE.fullmatch(word)
    return None if code is None or code[1].lower() in ("a", "i") else f"{' '.join(code[1])} {code[2]}"


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
