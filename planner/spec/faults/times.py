"""Days, times of the day and ages as people write them: what a plan has for each."""

from __future__ import annotations

import re
from typing import Any

from planner.spec.authored.keys import AGE, DAY, TIME_OF_DAY

_TIME = re.compile(r"(?i)(\d{1,2})(?:[:.](\d\d))? ?(?:([ap])\.?m\.?|h|uhr)?")
_NOON = 12
_AGE = re.compile(r"(?i)([1-9]\d{0,3}|1\.5) ?(h|hours?|hrs?|d|days?|w|weeks?)")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_HOURS_OF = {"d": 24, "w": 7 * 24}


def as_planned(value: Any, form: str) -> str:
    """What to write for a text that is nearly of this form; nothing where it may be several."""
    if not isinstance(value, str):
        return ""
    if form == TIME_OF_DAY:
        return _as_time(value)
    if form == DAY:
        return _as_day(value)
    if form == AGE and re.fullmatch(r"0+[hdw]", value):
        return "1h at least, or leave it out: without it results do not age"
    found = _AGE.fullmatch(value.strip()) if form == AGE else None
    if found is None:
        return ""
    unit = found[2][0].lower()
    if found[1] == "1.5":
        return f"{_HOURS_OF[unit] * 3 // 2}h" if unit in _HOURS_OF else ""
    return f"{found[1]}{unit}"


def _as_time(text: str) -> str:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return ""
    hours, minutes, half = int(found[1]), found[2] or "00", (found[3] or "").lower()
    if half:
        if not 1 <= hours <= _NOON:
            return ""
        hours = hours % _NOON + (_NOON if half == "p" else 0)
    written = f"{hours:02}:{minutes}"
    return f'"{written}"' if re.fullmatch(TIME_OF_DAY, written) else ""


def _as_day(text: str) -> str:
    """A day with its month first is one with its day first to somebody else, unless only one of the two can be a month."""
    if (found := _YEAR_FIRST.fullmatch(text.strip())) is not None:
        year, month, day = found[1], int(found[2]), int(found[3])
    elif (found := _YEAR_LAST.fullmatch(text.strip())) is not None:
        year, day, month = found[4], int(found[1]), int(found[3])
        if day <= _NOON and month <= _NOON and day != month and found[2] != ".":
            return ""
        if month > _NOON:
            day, month = month, day
    else:
        return ""
    written = f"{year}-{month:02}-{day:02}"
    return written if re.fullmatch(DAY, written) else ""
