"""How long something takes, in seconds: `an hour`, `1 hour` and `60 minutes` are alike, and so are the parts of `an hour and a half`.

Days, weeks, months and years stay what they are: a month may have 30 days, and a week five working days. `a` counts as one only
where a time is spoken of (`within an hour`), and not in `twice a day` or `$20 an hour`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from planner.checks.spoken.numbers import END, any_of, names
from planner.checks.spoken.tokens import trimmed

NAMES_TIME: Final = re.compile(r"(?i)\b(?:hours?|hrs?|minutes?|mins?|seconds|days?|weeks?|months?|years?)\b")

_SECONDS: Final = {
    **dict.fromkeys(names("hour hours hr hrs"), 3600),
    **dict.fromkeys(names("minute minutes min mins"), 60),
    "seconds": 1,  # a single one is read as an ordinal
}
_CALENDAR: Final = {name: unit for unit in ("day", "week", "month", "year") for name in (unit, f"{unit}s")}
_PARTS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
_UNIT = any_of(*_SECONDS, *_CALENDAR)
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"


_AMOUNT = re.compile(
    rf"(?:(?P<quarters>{_NUMBER}) quarters of an? |(?P<number>{_NUMBER}) "
    r"|an? (?P<part>half|quarter) |(?:an? )?(?P<quarter>quarter) of an? |(?P<share>half|quarter) (?:an? )?|(?P<one>an?) )"
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


def read_duration(row: str, start: int, before: str) -> tuple[int, str] | None:
    """Where the time that begins there ends, and what it comes to. `before` is the word before it, empty at the start of a sentence.

    Words are separated by spaces, sentences by `. `.
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
    if unit in _CALENDAR:
        return end, f"{trimmed(value)} {_CALENDAR[unit]}"
    seconds = value * _SECONDS[unit]
    while (more := _FURTHER.match(row, end)) is not None and _SECONDS[more["unit"]] < _SECONDS[unit]:
        unit, end = more["unit"], more.end()
        seconds += Decimal(more["number"]) * _SECONDS[unit]
    return end, f"{trimmed(seconds)} second"
