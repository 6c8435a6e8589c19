"""English numbers in words or digits: `two hundred and five`, `twenty-first`, `three point one four`, `1.5 million`.

The text is a row of words, each followed by a separator: a space, `, ` at a pause, `. ` at the end of a sentence. A
number may contain a pause, but does not go on in the next sentence.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from planner.values import frozen

S: Final = r",?\x20"
"""Between two words of one sentence."""
END: Final = r"(?=[,.]?\x20)"
"""Where a word ends."""


def names(row: str) -> list[str]:
    """The words of a table's row."""
    return row.split()


def trimmed(value: Decimal) -> str:
    """Without trailing zeros: 12.50 is 12.5."""
    text = f"{value:f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


def _numbered(row: str, first: int, step: int = 1) -> dict[str, int]:
    return {word: first + step * index for index, word in enumerate(names(row))}


UNITS: Final = _numbered("one two three four five six seven eight nine", 1)
TEENS: Final = _numbered("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10)
TENS: Final = _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
_ORDINAL_UNITS: Final = _numbered("first second third fourth fifth sixth seventh eighth ninth", 1)
ORDINALS: Final = {
    **_ORDINAL_UNITS,
    **_numbered(
        "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth", 10
    ),
    **_numbered("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth", 20, 10),
}
SCALES: Final = {
    **{name: 10**power for name, power in (("thousand", 3), ("lakh", 5), ("million", 6), ("crore", 7), ("billion", 9))},
    **{name: 10**power for name, power in (("trillion", 12), ("quadrillion", 15), ("quintillion", 18))},
    "sextillion": 10**21,
}
_ORDINAL_SCALES: Final = {f"{name}th": value for name, value in SCALES.items()}
ZEROS: Final = ("zero", "oh", "o", "nought")
_MULTIPLIERS: Final = {"hundred": 100, **SCALES}
_VALUES: Final = {**UNITS, **TEENS, **TENS, **ORDINALS}
_LIMIT: Final = 10**24


def any_of(*rows: str) -> str:
    """A pattern for one of these words, and for nothing longer."""
    return rf"(?:{'|'.join(re.escape(word) for row in rows for word in names(row))}){END}"


_DIGIT = any_of(*UNITS, *ZEROS)
_SMALL = rf"(?:{any_of(*TENS)}(?:{S}{any_of(*UNITS)})?|{any_of(*TEENS, *UNITS)})"
_SMALL_ORDINAL = rf"(?:(?:{any_of(*TENS)}{S})?{any_of(*_ORDINAL_UNITS)}|{any_of(*ORDINALS)})"
_SCALE = any_of(*SCALES)
_SCALE_TH = any_of(*_ORDINAL_SCALES)
_MULTIPLIER = any_of(*_MULTIPLIERS)
_GROUP = re.compile(
    rf"(?:(?P<ordinal>{_SMALL_ORDINAL}|{_SMALL}{S}hundredth{END})"
    rf"|(?:{_SMALL}{S}|an?{S})?hundred{END}"
    rf"(?:(?!(?:{S}{_DIGIT}){{3}}){S}(?:and{S})?(?:(?P<tail>{_SMALL_ORDINAL})|{_SMALL}))?"
    rf"|{_SMALL}|an?{S}(?={_SCALE})|(?={_SCALE}))"
    rf"(?(ordinal)|(?(tail)|(?:(?:{S})?(?P<scale>{_SCALE}|{_SCALE_TH}))?))"
)
"""A number below a thousand and its scale. Digits that follow `eight hundred` one by one are part of a telephone
number."""
_BARE = re.compile(rf"(?:an?{S})?{_MULTIPLIER}")
_AND = re.compile(rf"{S}(?:and{S})?")
_WRITTEN = re.compile(
    rf"(?:(?P<whole>[0-9]{{1,30}})|[0-9]{{1,30}}\.[0-9]{{1,30}}"
    rf"|(?P<comma>(?:[0-9]{{1,3}}(?:\.[0-9]{{3}})+|[0-9]{{1,15}}),[0-9]{{1,2}})){END}"
)
_ORDINAL = re.compile(rf"([0-9]{{1,15}})(?:st|nd|rd|th){END}")
_SUFFIX = re.compile(rf"\x20{any_of('th nd')}")
"""As in `twelve nd`, which some transcribers write."""
_SCALED = rf"(?:{S}(?P<scale>{_MULTIPLIER}))?"
_FRACTION = re.compile(rf"{S}(?P<share>[1-9][0-9]{{0,2}})/(?P<of>[1-9][0-9]{{0,2}})(?:st|nd|rd|th)?{END}{_SCALED}")
_AND_A_HALF = rf"{S}and{S}a{S}half{END}"
_HALF_AFTER_DIGITS = re.compile(
    rf"{_AND_A_HALF}{_SCALED}(?!{S}{any_of('second minute hour day week month year mile dozen')})"
)
"""`2 and a half`, but not where the half belongs to another thing: `2 and a half hour later`."""
_HALF_AFTER_WORDS = re.compile(rf"{_AND_A_HALF}(?:{S}(?P<scale>{_SCALE}))?")
_DECIMALS = re.compile(
    rf"{S}point(?:(?P<digits>(?:{S}(?:{_DIGIT}|[0-9]+{END}))+)|{S}(?P<small>{_SMALL}))(?:{S}(?P<scale>{_SCALE}))?"
)
_MULTIPLIED = re.compile(rf"{S}(?P<scale>{_MULTIPLIER})")
_HALF_OF = re.compile(rf"half{S}(?:a{S})?(?P<scale>{_MULTIPLIER})")
_ZERO = re.compile(any_of(*ZEROS))
_POINT = re.compile(rf"point((?:{S}(?:{_DIGIT}|[0-9]{{1,9}}{END}))+)")
_POINTED = any_of("is it's was be of by to at about around only just and or than over under with")
_BEFORE_POINT = re.compile(
    rf"(?:^|[.]\x20|(?<!\S)[$€£¥₹]\x20"
    rf"|(?<!\S){_POINTED},?\x20)$"
)
"""Before `point five`; `at this point five` is five."""
_GAP = r"[,.]?\x20"
_PART_BEFORE = re.compile(rf"(?<!\S)(?:half|quarter|many){_GAP}$")
_SOME = any_of(
    "few several couple many multiple various half quarter a an point hundred", *UNITS, *TEENS, *TENS, *SCALES
)
_SOME_BEFORE = re.compile(rf"(?<!\S)(?:[0-9]\S*|{_SOME}){_GAP}$")
_SHARE_BEFORE = re.compile(
    rf"(?<!\S){any_of('couple lot lots half third thirds quarter quarters tenth fraction part 3th 10th')}"
    rf"{_GAP}of{_GAP}$"
)
_LONGEST_BEFORE = 24


@frozen
class Number:
    """A number whose words end before `end`."""

    end: int
    value: Decimal
    digits: str | None = None
    """As a row of digits, with leading zeros; None unless it is a plain integer."""
    ordinal: bool = False


def read_number(text: str, start: int) -> Number | None:
    """The longest number that begins at the word there."""
    if (ordinal := _ORDINAL.match(text, start)) is not None:
        return Number(ordinal.end(), Decimal(ordinal[1]), ordinal=True)
    if (written := _WRITTEN.match(text, start)) is not None:
        if written["whole"] and (suffix := _SUFFIX.match(text, written.end())) is not None:  # `1,000th`
            return Number(suffix.end(), Decimal(written["whole"]), ordinal=True)
        return _read_written(text, written)
    whole = _read_words(text, start)
    if whole is None:
        return _half(text, start) or _zero(text, start) or _point(text, start)
    if (suffix := _SUFFIX.match(text, whole.end)) is not None and not whole.ordinal:
        return Number(suffix.end(), whole.value, ordinal=True)
    return whole if whole.ordinal else _with_decimals(text, whole)


def is_vague(text: str, start: int) -> bool:
    """Whether an amount without a number of its own is only part of one: `a few hundred`, `a quarter of a dollar`."""
    first = max(0, start - _LONGEST_BEFORE)
    before = _PART_BEFORE if text.startswith(("a ", "an ", "half "), start) else _SOME_BEFORE
    return any(each.search(text, first, start) is not None for each in (before, _SHARE_BEFORE))


def _scale(found: re.Match[str]) -> int:
    return _MULTIPLIERS[found["scale"]] if found["scale"] else 1


def _read_written(text: str, written: re.Match[str]) -> Number:
    """Digits, and what multiplies them or adds to them."""
    end = written.end()
    value = Decimal(written[0].replace(".", "").replace(",", ".") if written["comma"] else written[0])
    if written["whole"]:
        if (part := _FRACTION.match(text, end)) is not None and int(part["share"]) < int(part["of"]):
            return Number(part.end(), (value + Decimal(part["share"]) / Decimal(part["of"])) * _scale(part))
        if (half := _HALF_AFTER_DIGITS.match(text, end)) is not None:
            return Number(half.end(), (value + Decimal("0.5")) * _scale(half))
    if (scaled := _MULTIPLIED.match(text, end)) is not None:
        return Number(scaled.end(), value * _scale(scaled))
    return Number(end, value, written["whole"])


def _read_words(text: str, start: int) -> Number | None:
    """Groups below a thousand whose scales fall; the last one may be an ordinal."""
    if _BARE.match(text, start) is not None and is_vague(text, start):
        return None
    total, limit, end, place = 0, _LIMIT, start, start
    while (group := _GROUP.match(text, place)) is not None:
        scale = {**SCALES, **_ORDINAL_SCALES}.get(group["scale"] or "", 1)
        value = _value(group[0]) * scale
        starts_bare = group[0].startswith(tuple(_MULTIPLIERS))
        if value >= limit or (end > start and (starts_bare or (scale == 1 and value >= 1000))):
            break
        total, limit, end = total + value, scale, group.end()
        if group["ordinal"] or group["tail"] or group["scale"] in _ORDINAL_SCALES:
            return Number(end, Decimal(total), ordinal=True)
        if scale == 1 or (joint := _AND.match(text, end)) is None:
            break
        place = joint.end()
    return None if end == start else Number(end, Decimal(total), str(total))


def _value(group: str) -> int:
    """The value of a group without its scale."""
    value = 0
    for word in re.findall("[a-z]+", group):
        value = (value or 1) * 100 if word in ("hundred", "hundredth") else value + _VALUES.get(word, 0)
    return value or 1


def _half(text: str, start: int) -> Number | None:
    """`half a million`."""
    half = _HALF_OF.match(text, start)
    return None if half is None or is_vague(text, start) else Number(half.end(), Decimal(_scale(half)) / 2)


def _zero(text: str, start: int) -> Number | None:
    zero = _ZERO.match(text, start)
    if zero is None:
        return None
    number = Number(zero.end(), Decimal(0), "0")
    return _with_decimals(text, number) if zero[0] == "zero" else number


def _point(text: str, start: int) -> Number | None:
    """`point five`."""
    found = _POINT.match(text, start)
    if found is None or not _BEFORE_POINT.search(text, max(0, start - _LONGEST_BEFORE), start):
        return None
    return Number(found.end(), Decimal(f"0.{_digits(found[1])}"))


def _digits(words: str) -> str:
    return "".join(str(UNITS.get(word, "0" if word in ZEROS else word)) for word in re.findall("[^ ,]+", words))


def _with_decimals(text: str, whole: Number) -> Number:
    """`three point one four`, `two and a half`, `one point five million`."""
    if whole.value and (half := _HALF_AFTER_WORDS.match(text, whole.end)) is not None:
        return Number(half.end(), (whole.value + Decimal("0.5")) * _scale(half))
    found = _DECIMALS.match(text, whole.end)
    if found is None:
        return whole
    decimals = _digits(found["digits"] or "") or str(_value(found["small"]))
    return Number(found.end(), Decimal(f"{whole.value}.{decimals}") * _scale(found))
