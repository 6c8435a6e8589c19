"""What the service lists of one month: the sum that the month's ceiling limits.

Nobody can forge or delete that list. It has the test calls of all repositories of the organization, and survives a lost
log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from planner.calls.model import Month, Now
from planner.errors import IncompleteError, PlannerError
from planner.execution.reading import read_list
from planner.providers.base import CallId, Provider, Run

UNREADABLE: Final = "the service's list of test calls cannot be read back to the beginning of the month"


def is_in_month(run: Run, month: str) -> bool:
    """Whether a run was created in a month (`2026-11`, UTC). A run without a time counts."""
    return run.created_at is None or f"{run.created_at.astimezone(UTC):%Y-%m}" == month


async def read_month(provider: Provider, limit_cents: int, dearest_cents: int, now: Now) -> Month:
    """Read the runs of this month, each with what the account was charged for it. `dearest_cents` is the price of a run
    whose charge is unknown.

    Raises `IncompleteError` if the list cannot be read to the beginning of the month: the ceiling may be reached.
    """
    begins_at = datetime(now.server.year, now.server.month, 1, tzinfo=UTC)
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
    dearest_cents = max([dearest_cents, *charged.values()])
    prices = {run.id: None if run.call_id is None else charged.get(run.call_id) for run in runs}
    return Month(limit_cents, now.month, dearest_cents, prices)
