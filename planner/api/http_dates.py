"""Times in HTTP headers."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from planner.moments import aware


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3) that the answer's own `Date` turns into seconds; nonsense is None."""
    told = headers.get("retry-after", "")
    try:
        seconds = float(told) if told.isascii() and told.strip().isdigit() else _between(told, headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 86_400 else None


def _between(then: str, now: str) -> float:
    """Between two HTTP dates, which are UTC, also where they end in -0000, which Python reads as not knowing.

    Raises ValueError or OverflowError for what is none.
    """
    return (aware(parsedate_to_datetime(then)) - aware(parsedate_to_datetime(now))).total_seconds()
