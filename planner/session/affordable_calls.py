"""How many calls the ceilings cover at worst-case prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from planner.execution.jobs import Job
from planner.execution.ledger import Ledger
from planner.execution.packing import LARGEST_BATCH, Pending
from planner.reports.quantities import count, money


def guaranteed_calls(jobs: Sequence[Job], already_made: Mapping[str, int], ledger: Ledger) -> list[str]:
    """A sentence; none if all calls are covered or a price is unknown.

    A call is launched only if its high estimate fits under every ceiling next to spent and reserved money. Lower bills
    leave room for more.
    """
    left = [(job, runs) for job in jobs if (runs := job.runs - already_made.get(job.case_id, 0)) > 0]
    if any(job.reserve_cents is None for job, _ in left):
        return []
    pending, ledger = Pending(left), deepcopy(ledger)
    wanted = len(pending)

    def fits(job: Job) -> bool:
        cents = ledger.reservation_for(job.plan, job.line.target, job.reserve_cents)
        if cents is not None:
            ledger.reserve(job.plan, cents)
        return cents is not None

    while pending.take(LARGEST_BATCH, fits):
        pass
    if not len(pending):
        return []
    short = {
        f"{ceiling.label} ({money(ceiling.limit_cents)})": None
        for ceiling in ledger.ceilings
        for job in pending.jobs()
        if ceiling.covers(job.plan) and (ledger.price(job.line.target, job.reserve_cents) or 0) > ceiling.left_cents
    }
    sure = wanted - len(pending)
    covered = f"{', '.join(short)} covers {sure:,} of {count(wanted, 'call')} at worst-case prices"
    return [f"{covered}; the rest start if actual bills allow"]
