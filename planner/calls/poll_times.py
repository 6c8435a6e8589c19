"""When to read the service's lists next: as rarely as the runs allow. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.calls.model import Settings
from planner.providers.base import PAGE_LIMIT
from planner.values import frozen

POLLS_A_RUN: Final = 0.4
"""List requests per run while further runs wait for capacity, if runs end evenly; fewer if several end together."""
LONGEST_POLL_SHARE: Final = 0.16
"""Longest poll interval, as a share of a run's duration."""
TAIL_POLL_SHARE: Final = 0.04
"""The same for the last run, when nothing waits for capacity; multiplied by the number of runs."""
MAX_UNCERTAIN_POLL_SECONDS: Final = 5.0
"""Longest poll interval while something is unresolved or no run has ended yet."""
QUANTILES: Final = 10
OVERDUE_SHARE: Final = 0.05
"""How much longer a run may last that has lasted longer than others, as a share of its age."""
FIRST_POLL_SHARE: Final = 0.15
"""Poll interval until a run has ended, as a share of the time waited."""
MOST_FIRST_POLLS: Final = 4
"""How many polls there may be in that interval when earlier runs of the cases show when the next run should end."""
NEVER: Final = float("inf")


@frozen
class Awaited:
    """What the next poll waits for."""

    ages: Sequence[float]
    """Seconds since each run under way was launched."""
    expected: Sequence[float | None]
    """How long each of them should last; None if unknown."""
    lengths: Sequence[float]
    """How long the runs lasted that have ended in this session."""
    has_pending: bool
    """Further calls wait for capacity."""
    is_uncertain: bool
    """A launch is unconfirmed, runs of a launch are unknown, or the last poll failed."""
    list_rows: int
    """Rows of the list that were needed last time."""


def poll_seconds(awaited: Awaited, settings: Settings) -> float:
    """Seconds from one poll to the next."""
    floor, ceiling = settings.poll_floor_seconds, settings.poll_ceiling_seconds
    if awaited.lengths and awaited.ages:
        usual = max(sum(awaited.lengths) / len(awaited.lengths), floor)
        running = len(awaited.ages)
        if awaited.has_pending:
            pages = -(-max(1, awaited.list_rows) // PAGE_LIMIT)
            share = pages / (POLLS_A_RUN * running)
        else:
            share = TAIL_POLL_SHARE * running
        interval = usual * min(share, LONGEST_POLL_SHARE)
        # Ends that are spread evenly wait this long in all for polls at this interval.
        allowed = running * interval**2 / (2 * usual)
        wanted = _seconds_until_waited(awaited, allowed)
    else:
        wanted = max(awaited.ages, default=0.0) * FIRST_POLL_SHARE
        wanted = min(wanted, max(_seconds_until_expected(awaited), wanted / MOST_FIRST_POLLS))
    if not awaited.lengths or awaited.is_uncertain:
        ceiling = min(ceiling, max(floor, MAX_UNCERTAIN_POLL_SECONDS))
    return min(max(wanted, floor), ceiling)


def _seconds_until_expected(awaited: Awaited) -> float:
    """Seconds until a run under way should end, by earlier runs of its case. Those may have been of a faster or slower
    service, so this only adds polls."""
    left = (
        seconds - age
        for seconds, age in zip(awaited.expected, awaited.ages, strict=True)
        if seconds is not None and seconds > age
    )
    return min(left, default=NEVER)


def _seconds_until_waited(awaited: Awaited, allowed: float) -> float:
    """Seconds until the runs that have probably ended by then have waited for the poll this long in all."""
    lengths = sorted(awaited.lengths)
    lengths = [lengths[len(lengths) * part // QUANTILES] for part in range(QUANTILES)]
    spread = max(lengths[-1] - lengths[0], OVERDUE_SHARE * lengths[0])
    ends: list[tuple[float, float]] = []
    for age in awaited.ages:
        left = [length - age for length in lengths if length > age]
        if len(left) < QUANTILES:  # it may end at any moment
            left += [spread * part / QUANTILES for part in range(1, QUANTILES + 1)]
        ends += ((seconds, 1 / len(left)) for seconds in left)
    at = waited = ended = 0.0
    for seconds, weight in sorted(ends):
        if waited + ended * (seconds - at) >= allowed:
            break
        waited += ended * (seconds - at)
        at, ended = seconds, ended + weight
    return at + (allowed - waited) / ended
