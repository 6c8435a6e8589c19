"""Amounts with a unit: durations in seconds, other measures with one name for each unit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from planner.checks.spoken.numbers import END, any_of, names, trimmed

MEASURES: Final = {
    name.replace("_", " "): unit
    for unit, row in {
        "microgram": "mcg \N{GREEK SMALL LETTER MU}g micrograms",
        "milligram": "mg milligrams",
        "gram": "g grams gramme grammes",
        "kilogram": "kg kgs kilo kilos kilograms kilogramme kilogrammes",
        "lb": "lbs",  # `pounds` are money
        "ounce": "oz ounces",
        "millilitre": "ml millilitres milliliter milliliters",
        "millimetre": "mm millimetres millimeter millimeters",
        "centimetre": "cm centimetres centimeter centimeters",
        "kilometre": "km kms kilometres kilometer kilometers",
        "mph": "miles_per_hour miles_an_hour",
    }.items()
    for name in (unit, *names(row))
}
"""Read only after a number. Missing are letters that may mean other things, as in `5 m` and `5 l`."""
_SECONDS: Final = {
    **dict.fromkeys(names("hour hours hr hrs"), 3600),
    **dict.fromkeys(names("minute minutes min mins"), 60),
    **dict.fromkeys(names("seconds sec secs"), 1),  # a single `second` is read as an ordinal
}
_KEPT: Final = MEASURES | {name: unit for unit in ("day", "week", "month", "year") for name in (unit, f"{unit}s")}
"""Units that are not converted: a month may have 30 days, and a week five working days."""
_PARTS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
UNIT_NAMES: Final = "|".join(map(re.escape, _SECONDS | _KEPT))
_UNIT = f"(?:{UNIT_NAMES}){END}"
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
GLUED_UNIT: Final = re.compile(rf"([0-9]{{1,15}})({UNIT_NAMES})")
"""`5mg`."""
NAMES_UNIT: Final = re.compile(rf"(?i)(?<![^\W\d_])(?:{UNIT_NAMES})\b")


_AMOUNT = re.compile(
    rf"(?:(?P<quarters>{_NUMBER}) quarters of an? |(?P<to>to_)?(?P<number>-?{_NUMBER}) "
    r"|an? (?P<part>half|quarter) |(?:an? )?(?P<quarter>quarter) of an? |(?P<share>half|quarter) (?:an? )?"
    r"|(?P<one>an?) )"
    rf"(?P<unit>{_UNIT})(?: and an? (?P<more>half|quarter){END}(?! {_UNIT}))?"
)
_ALTERNATIVE = re.compile(rf" (?:or|to) {_NUMBER}{END}")
"""After `an hour`: `an hour or two`."""
_FURTHER = re.compile(rf" (?:and )?(?P<number>{_NUMBER}) (?P<unit>{any_of(*_SECONDS)})")
_BEFORE_ARTICLE: Final = frozenset(
    names(
        "in within for about around approximately roughly nearly almost takes take took than after over under"
        " least most last lasts lasted exactly is be was it's"
    )
)


def read_quantity(row: str, start: int, before: str) -> tuple[int, str] | None:
    """Read an amount with its unit: return where the words end, and the amount, of hours and minutes in seconds.

    `a` counts as one in `within an hour`, not in `twice a day`. `before` is the previous word, empty at the start of a
    sentence.
    """
    found = _AMOUNT.match(row, start)
    if found is None:
        return None
    if found["one"] and ((before and before not in _BEFORE_ARTICLE) or _ALTERNATIVE.match(row, found.end())):
        return None
    unit, end = found["unit"], found.end()
    part = _PARTS.get(found["part"] or found["quarter"] or found["share"], Decimal(1))
    value = Decimal(found["quarters"]) / 4 if found["quarters"] else Decimal(found["number"] or 1) * part
    value += _PARTS.get(found["more"], 0)
    to = "to " if found["to"] else ""  # the end of a range
    if unit in _KEPT:
        return end, f"{to}{trimmed(value)} {_KEPT[unit]}"
    seconds = value * _SECONDS[unit]
    while (more := _FURTHER.match(row, end)) is not None and _SECONDS[more["unit"]] < _SECONDS[unit]:
        unit, end = more["unit"], more.end()
        seconds += Decimal(more["number"]) * _SECONDS[unit]
    return end, f"{to}{trimmed(seconds)} second"
