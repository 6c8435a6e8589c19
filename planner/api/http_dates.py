"""Parses times in HTTP headers."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from planner.moments import aware


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, or as a date (RFC 9110, 10.2.3) relative to the answer's `Date`; None if invalid."""
    value = headers.get("retry-after", "")
    try:
        seconds = (
            float(value) if value.isascii() and value.strip().isdigit() else _between(value, headers.get("date", ""))
        )
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 86_400 else None


def _between(then: str, now: str) -> float:
    """Seconds between two HTTP dates, which are UTC even with -0000.

    Raises ValueError or OverflowError for invalid dates.
    """
    return (aware(parsedate_to_datetime(then)) - aware(parsedate_to_datetime(now))).total_seconds()
