"""Time: the clock as an argument, time zones and ages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from planner.values import frozen


@frozen
class Clock:
    """Aware UTC time, monotonic seconds, and sleep."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    boottime: Callable[[], float] | None = None
    """Monotonic seconds that also pass while the machine sleeps; None where the system does not count them."""

    def elapsed(self) -> float:
        """`boottime` where there is one."""
        return self.monotonic() if self.boottime is None else self.boottime()


_AGE = re.compile(r"(\d{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def aware(moment: datetime) -> datetime:
    """The moment with its own time zone, or in UTC if it has none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age_of(written: str) -> timedelta | None:
    """The duration that `14d`, `12h` or `2w` means; None for anything else."""
    if (found := _AGE.fullmatch(written)) is None:
        return None
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])
