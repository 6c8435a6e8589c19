"""How many calls are sure to be started under the ceilings, however dear each of them turns out to be within its estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from planner.execution.ledger import Ledger
from planner.execution.packing import LARGEST_BATCH, Pending
from planner.execution.work import CaseWork
from planner.reports.quantities import count, money


def sure_to_start(works: Sequence[CaseWork], already_made: Mapping[str, int], ledger: Ledger) -> list[str]:
    """A sentence, or none where all are sure to be, or where a price is not known.

    A call is launched only where its high estimate fits under every ceiling beside what is spent and held; each bill that is
    below it leaves room for more.
    """
    left = [(work, runs) for work in works if (runs := work.runs - already_made.get(work.case_id, 0)) > 0]
    if any(work.reserve_cents is None for work, _ in left):
        return []
    pending, ledger = Pending(left), deepcopy(ledger)
    wanted = len(pending)

    def fits(work: CaseWork) -> bool:
        cents = ledger.reservation_for(work.plan, work.line.target, work.reserve_cents)
        if cents is not None:
            ledger.reserve(work.plan, cents)
        return cents is not None

    while pending.take(LARGEST_BATCH, fits):
        pass
    if not len(pending):
        return []
    short = {
        f"{ceiling.label} ({money(ceiling.limit_cents)})": None
        for ceiling in ledger.ceilings
        for work in pending.works()
        if ceiling.covers(work.plan) and (ledger.price(work.line.target, work.reserve_cents) or 0) > ceiling.left_cents
    }
    sure = wanted - len(pending)
    under = f"{sure:,} of {count(wanted, 'call')} can be started for sure under {', '.join(short)}"
    return [f"{under}: each may cost as much as its high estimate; the others as far as the bills leave room"]
