"""When to read the service's lists next: as rarely as the runs allow. No I/O, no clock."""

from __future__ import annotations

from typing import Final

from planner.execution.engine import Now
from planner.execution.state import State
from planner.providers.base import PAGE_LIMIT

POLLS_A_RUN: Final = 0.6
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


def schedule_poll(state: State, began: float, now: Now) -> None:
    """Decide when to poll next, right after a poll. `began` is in monotonic seconds: the lists are as of then, however
    long the process was suspended meanwhile."""
    state.polled_at = began
    state.poll_at = now.seconds + _poll_seconds(state, now)


def _poll_seconds(state: State, now: Now) -> float:
    if state.seconds_seen and state.is_under_way():
        usual = max(sum(state.seconds_seen) / len(state.seconds_seen), state.settings.poll_floor_seconds)
        running = max(1, state.accepted_in_flight())
        if len(state.wanted.pending):
            pages = -(-max(1, state.list_rows) // PAGE_LIMIT)
            share = pages / (POLLS_A_RUN * running)
        else:
            share = TAIL_POLL_SHARE * running
        interval = usual * min(share, LONGEST_POLL_SHARE)
        # Ends that are spread evenly wait this long in all for polls at this interval.
        allowed = running * interval**2 / (2 * usual)
        waited = _seconds_until_waited(state, allowed, now)
        wanted = interval if waited is None else waited
        if not (state.posting or state.reading or state.unbound or state.unconfirmed or len(state.wanted.pending)):
            # Unreadable runs are retried later.
            wanted = max(wanted, min(item.retry_at for item in state.watched.values()) - now.seconds)
    else:
        asked = (state.watched, state.unbound, state.unconfirmed)
        since = min((item.since for items in asked for item in items.values()), default=now.seconds)
        wanted = (now.seconds - since) * FIRST_POLL_SHARE
        wanted = min(wanted, max(_seconds_until_expected(state, now), wanted / MOST_FIRST_POLLS))
    floor, ceiling = state.settings.poll_floor_seconds, state.settings.poll_ceiling_seconds
    if not state.seconds_seen or state.unbound or state.unconfirmed or state.outage.since is not None:
        ceiling = min(ceiling, max(floor, MAX_UNCERTAIN_POLL_SECONDS))
    return min(max(wanted, floor), ceiling)


def _seconds_until_expected(state: State, now: Now) -> float:
    """Seconds until a run under way should end, by earlier runs of its case. Those may have been of a faster or slower
    service, so this only adds polls."""
    left = (
        item.job.expected_seconds - item.age_seconds(now)
        for item in state.watched.values()
        if item.job.expected_seconds is not None
    )
    return min((seconds for seconds in left if seconds > 0), default=NEVER)


def _seconds_until_waited(state: State, allowed: float, now: Now) -> float | None:
    """Seconds until the runs that have probably ended by then have waited for the poll this long in all; None if no run
    is under way."""
    lengths = sorted(state.seconds_seen)
    lengths = [lengths[len(lengths) * part // QUANTILES] for part in range(QUANTILES)]
    spread = max(lengths[-1] - lengths[0], OVERDUE_SHARE * lengths[0])
    ends: list[tuple[float, float]] = []
    for watched in state.watched.values():
        if watched.ended_at is None:
            age = watched.age_seconds(now)
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
    return at + (allowed - waited) / ended if ended else None
