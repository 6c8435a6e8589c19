"""Words for durations, money and launches in messages. Durations are coarse, so that repeated lines do not change
constantly."""

from __future__ import annotations


def span(seconds: float) -> str:
    """`under 10 s`, `40 s`, `3 min`, `2 h 5 min`: rounded down."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 60:
        return f"{int(seconds) // 10 * 10} s"
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}" if cents >= 0 else f"-{dollars(-cents)}"
