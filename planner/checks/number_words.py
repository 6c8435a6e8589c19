"""English words for numbers: `two hundred and five`, `twenty-first`, `three point one four`, `1.5 million`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

_UNITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINAL_UNITS = "first second third fourth fifth sixth seventh eighth ninth"
_ORDINAL_TEENS = "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_ORDINAL_TENS = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"

UNITS = {word: value for value, word in enumerate(_UNITS.split(), start=1)}
TEENS = {word: value for value, word in enumerate(_TEENS.split(), start=10)}
TENS = {word: value * 10 for value, word in enumerate(_TENS.split(), start=2)}
ORDINALS = {
    **{word: value for value, word in enumerate(_ORDINAL_UNITS.split(), start=1)},
    **{word: value for value, word in enumerate(_ORDINAL_TEENS.split(), start=10)},
    **{word: value * 10 for value, word in enumerate(_ORDINAL_TENS.split(), start=2)},
}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ZEROS = frozenset({"zero", "oh", "o", "nought"})

_AND_A_HALF = ["and", "a", "half"]
_HALVED = frozenset({"second", "minute", "hour", "day", "week", "month", "year", "mile", "dozen"})
"""After `2 and a half` where that is half of another thing."""

_DIGITS = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DIGIT_ORDINAL = re.compile(r"([0-9]{1,15})(?:st|nd|rd|th)")
_FRACTION = re.compile(r"([1-7])/([234568])")
_DECIMAL_COMMA = re.compile(r"([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,15}),([0-9]{1,2})")


_NOT_ONE = frozenset(
    {"few", "several", "couple", "many", "multiple", "various", "half", "quarter", "a", "an", "point", "hundred"}
    | {*UNITS, *TEENS, *TENS, *SCALES}
)
"""Before `hundred`: there are more of them, or fewer, or it is part of another number."""
_LEAST_DIGITS = 3
"""Said one by one after `hundred`: they are not added to it."""
_PART = frozenset({"half", "quarter", "many"})
"""Before `a hundred`."""
_SOME_OF = frozenset(
    {"couple", "lot", "lots", "half", "third", "thirds", "quarter", "quarters", "tenth", "fraction", "part"}
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number said in the words from `start` to before `end`."""

    start: int
    end: int
    value: Decimal
    digits: str | None
    """As a row of digits, leading zeros kept; None for what is no plain whole number."""
    ordinal: bool = False


def read_number(words: Sequence[str], start: int, end: int) -> Number | None:
    """The longest number that begins at `start` and ends before `end`; words in lower case."""
    word = words[start]
    if (ordinal := _DIGIT_ORDINAL.fullmatch(word)) is not None:
        return Number(start, start + 1, Decimal(ordinal[1]), None, ordinal=True)
    if (written := _written(word)) is not None:
        if "." not in written and start + 1 < end and (part := _fraction(words[start + 1])) is not None:
            scale, after = _scale(words, start + 2, end)
            return Number(start, after, (Decimal(written) + part) * scale, None)
        if words[start + 1 : start + 4] == _AND_A_HALF and start + 4 <= end and "." not in written:
            scale, after = _scale(words, start + 4, end)
            if "".join(words[after : after + 1]) not in _HALVED:
                return Number(start, after, (Decimal(written) + Decimal("0.5")) * scale, None)
        if start + 1 < end and (scale := 100 if words[start + 1] == "hundred" else SCALES.get(words[start + 1])):
            return Number(start, start + 2, Decimal(written) * scale, None)
        return Number(start, start + 1, Decimal(written), written if "." not in written else None)
    if word == "zero" and start + 2 < end and words[start + 1] == "point":
        return _with_decimals(words, Number(start, start + 1, Decimal(0), "0"), end)
    if word in ZEROS:
        return Number(start, start + 1, Decimal(0), "0")
    if word == "half" and (half := _half(words, start, end)) is not None:
        return half
    whole = _cardinal(words, start, end)
    return whole if whole is None or whole.ordinal else _with_decimals(words, whole, end)


def is_vague(words: Sequence[str], start: int) -> bool:
    """Whether what begins there, and says no number of itself, is not one of it: `a few hundred`, `a quarter of a dollar`."""
    before = words[start - 1] if start else ""
    if before == "of":
        return start > 1 and words[start - 2] in _SOME_OF
    if words[start] in ("a", "an", "half"):
        return before in _PART
    return before in _NOT_ONE or before[:1].isdigit()


def _half(words: Sequence[str], start: int, end: int) -> Number | None:
    """`half a million`."""
    scale, after = _scale(words, start + 1 + (words[start + 1 : start + 2] == ["a"]), end)
    return None if scale == 1 or is_vague(words, start) else Number(start, after, Decimal(scale) / 2, None)


def _fraction(word: str) -> Decimal | None:
    """`1/2`, after a whole number; anything else with a slash may be a date."""
    part = _FRACTION.fullmatch(word)
    return None if part is None or int(part[1]) >= int(part[2]) else Decimal(part[1]) / Decimal(part[2])


def _scale(words: Sequence[str], place: int, end: int) -> tuple[int, int]:
    """What the word there multiplies by, and the place after it; 1 where it does not."""
    scale = (100 if words[place] == "hundred" else SCALES.get(words[place], 1)) if place < end else 1
    return scale, place + (scale != 1)


def _written(word: str) -> str | None:
    """Digits as English writes them: `3,50` is 3.50, `1.000,50` is 1000.50."""
    if (comma := _DECIMAL_COMMA.fullmatch(word)) is not None:
        return f"{comma[1].replace('.', '')}.{comma[2]}"
    return word if _DIGITS.fullmatch(word) else None


def _cardinal(words: Sequence[str], start: int, end: int) -> Number | None:
    """Groups below a thousand with falling scales between them; the last word may be an ordinal."""
    total, place, limit = 0, start, max(SCALES.values()) * 1000
    while True:
        joined = place
        if place > start and place < end and words[place] == "and":
            joined = place + 1
        group = _below_thousand(words, joined, end, first=place == start)
        if group is None:
            break
        value, after, ordinal = group
        if ordinal:
            if value >= limit:
                break
            return Number(start, after, Decimal(total + value), None, ordinal=True)
        scale = SCALES.get(words[after], 1) if after < end else 1
        if scale * value >= limit or (place > start and scale == 1 and value >= 1000):
            break
        total += value * scale
        place = after + (scale != 1)
        limit = scale
    return None if place == start else Number(start, place, Decimal(total), str(total))


def _below_thousand(words: Sequence[str], start: int, end: int, *, first: bool) -> tuple[int, int, bool] | None:
    """(value, after, ordinal), `fifteen hundred` included; a `first` one may be `hundred` or `thousand` alone."""
    if start >= end:
        return None
    article = words[start] in ("a", "an") and start + 1 < end
    if (article or first) and (words[start + article] == "hundred" or words[start + article] in SCALES):
        if is_vague(words, start):
            return None
        value, place = 1, start + article
    else:
        small = _below_hundred(words, start, end)
        if small is None or small[2]:
            return small
        value, place, _ = small
    if place < end and words[place] == "hundredth":
        return value * 100, place + 1, True
    if place < end and words[place] == "hundred":
        value, place = value * 100, place + 1
        if _are_digits(
            words[place : min(place + _LEAST_DIGITS, end)]
        ):  # `eight hundred five five five …` is a telephone's
            return value, place, False
        rest = _below_hundred(words, place + (place < end and words[place] == "and"), end)
        if rest is not None:
            return value + rest[0], rest[1], rest[2]
    return value, place, False


def _below_hundred(words: Sequence[str], start: int, end: int) -> tuple[int, int, bool] | None:
    if start >= end:
        return None
    word = words[start]
    if word in ORDINALS:
        return ORDINALS[word], start + 1, True
    if word in TENS:
        following = words[start + 1] if start + 1 < end else ""
        if following in UNITS:
            return TENS[word] + UNITS[following], start + 2, False
        if 0 < ORDINALS.get(following, 0) < 10:
            return TENS[word] + ORDINALS[following], start + 2, True
        return TENS[word], start + 1, False
    value = UNITS.get(word) or TEENS.get(word)
    return None if value is None else (value, start + 1, False)


def _with_decimals(words: Sequence[str], whole: Number, end: int) -> Number:
    """`three point one four`, `two and a half`, `one point five million`."""
    place = whole.end
    if words[place : place + 3] == _AND_A_HALF and place + 3 <= end:
        value, place = whole.value + Decimal("0.5"), place + 3
        if place < end and (scale := SCALES.get(words[place])):
            return Number(whole.start, place + 1, value * scale, None)
        return Number(whole.start, place, value, None)
    if place >= end or words[place] != "point":
        return whole
    place += 1
    decimals = ""
    while place < end and (digit := _digit(words[place])) is not None:
        decimals, place = decimals + digit, place + 1
    if not decimals:
        small = _below_hundred(words, place, end)
        if small is None or small[2]:
            return whole
        decimals, place = str(small[0]), small[1]
    value = Decimal(f"{whole.value}.{decimals}")
    if place < end and (scale := SCALES.get(words[place])):
        return Number(whole.start, place + 1, value * scale, None)
    return Number(whole.start, place, value, None)


def _are_digits(words: Sequence[str]) -> bool:
    return len(words) == _LEAST_DIGITS and all(word in UNITS or word in ZEROS for word in words)


def _digit(word: str) -> str | None:
    if word in ZEROS:
        return "0"
    return str(UNITS[word]) if word in UNITS else word if word.isascii() and word.isdigit() else None
