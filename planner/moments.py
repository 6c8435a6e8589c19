"""Moments are in UTC: one that says no zone was written by somebody who meant that. And how long ago one was."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGE = re.compile(r"(\d{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def aware(moment: datetime) -> datetime:
    """With a zone: its own, else UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age_of(written: str) -> timedelta | None:
    """`14d` as fourteen days, so `h` and `w`; None of anything else."""
    if (found := _AGE.fullmatch(written)) is None:
        return None
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])
