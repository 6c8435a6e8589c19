"""What the service lists of one month: the sum that the month's ceiling limits.

Nobody can forge or delete that list. It has the test calls of all repositories of the organization, and survives a lost
log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from planner.calls.model import Month, Now
from planner.calls.reading import read_list
from planner.errors import IncompleteError, PlannerError
from planner.log.fold import Stage, State, tallies_of
from planner.providers.base import CallId, Provider, Run

UNREADABLE: Final = "the service's list of test calls cannot be read back to the beginning of the month"
LATEST_CREATION: Final = timedelta(hours=1)
"""A launch of the end of a month may create its runs in the next."""


def is_in_month(run: Run, month: str) -> bool:
    """Whether a run was created in a month (`2026-11`, UTC). A run without a time counts."""
    return run.created_at is None or f"{run.created_at.astimezone(UTC):%Y-%m}" == month


async def read_month(provider: Provider, state: State, limit_cents: int, dearest_cents: int, now: Now) -> Month:
    """Read the runs of this month, each with what the account was charged for it. `dearest_cents` is the price of a run
    whose charge is unknown. Calls without a bill in the log count as the log's reservations.

    Raises `IncompleteError` if the list cannot be read to the beginning of the month: the ceiling may be reached.
    """
    begins_at = now.month_begin
    listed = await read_list(provider.runs, oldest=begins_at)
    if not listed.whole:
        raise IncompleteError(UNREADABLE, "Run the same command again.")
    runs = [run for run in listed.found.values() if is_in_month(run, now.month)]
    calls: dict[CallId, datetime] = {run.call_id: begins_at for run in runs if run.call_id is not None}
    charged: dict[CallId, int] = {}
    try:
        if calls:
            charged = dict((await provider.charges(calls)).cents)
    except PlannerError:
        charged = {}  # each run counts at the dearest price
    dearest_cents = max([dearest_cents, state.highest_bill(None), *charged.values()])
    reserved_cents, reserved = _reserved_since(state, begins_at - LATEST_CREATION)
    cents = reserved_cents
    for run in runs:
        if run.id not in reserved:
            cents += dearest_cents if run.call_id is None else charged.get(run.call_id, dearest_cents)
    listed_ids = frozenset(int(run.id) for run in runs)
    return Month(limit_cents, now.month, dearest_cents, cents, state.tallies.committed_cents, listed_ids)


def _reserved_since(state: State, moment: datetime) -> tuple[int, set[int]]:
    """What the log has reserved for launches since then, in cents, and their runs without a final bill."""
    cents = 0
    runs = set[int]()
    for launch, intent in state.at_stage(Stage.OPEN, Stage.UNREAD, Stage.INCOMPLETE):
        if intent.at >= moment:
            cents += tallies_of(launch).reserved.total()
            calls = launch.live_calls
            runs |= set(launch.run_ids) - {run_id for run_id, call in calls.items() if call.has_final_bill}
    return cents, runs


def note_listed(month: Month, state: State, runs: Iterable[Run]) -> None:
    """Add runs of others that were listed since the month was read."""
    new = {int(run.id) for run in runs if run.id not in month.listed and is_in_month(run, month.month)}
    month.others = {run_id for run_id in month.others | new if not state.is_claimed("run", run_id)}
