"""Words for durations, money and launches in messages. Durations are coarse, so that repeated lines do not change
constantly."""

from __future__ import annotations

from collections import Counter

from planner.execution.launches import LaunchIntent

NAMED_CASES = 3


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


def words_of(intent: LaunchIntent) -> str:
    count = len(intent.slots)
    return f"{count} run{'s' if count > 1 else ''} on {intent.line.target_type} {intent.line.target_id}"


def cases_of(intent: LaunchIntent) -> str:
    counted = Counter(slot.case_id for slot in intent.slots)
    named = [f"{case_id} ×{runs}" if runs > 1 else case_id for case_id, runs in counted.items()]
    more = f" and {len(named) - NAMED_CASES} more" if len(named) > NAMED_CASES else ""
    return ", ".join(named[:NAMED_CASES]) + more
