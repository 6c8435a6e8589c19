"""What an invocation cost, for its results."""

from __future__ import annotations

from collections.abc import Sequence

from planner.commands.preparing import Preparation, charged_slots
from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED
from planner.results.model import CaseDocument, CostDocument


def costs(
    journal: Journal,
    prepared: Preparation,
    cases: Sequence[CaseDocument],
    *,
    invocation_id: str,
    ceiling_cents: int | None,
) -> CostDocument:
    """By the journal: every run this change set launched, whoever did, and no finished result holds yet."""
    estimate = prepared.whole_estimate
    charged = charged_slots(journal, prepared.change_set.digest)
    mine = {launch.launch_id for launch in journal.launches_of(invocation_id)}
    unsettled = {launch.launch_id for launch in journal.launches(UNSETTLED)}
    return CostDocument(
        estimated_cents=estimate.expected_cents,
        estimated_low_cents=estimate.low_cents,
        estimated_high_cents=estimate.high_cents,
        estimate_basis=estimate.basis,
        actual_cents=sum(slot.cost_cents or 0 for slot in charged),
        this_invocation_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in mine),
        # Of unknown fate, or ended and never billed: what was reserved stands for what it may have cost.
        ambiguous_cents=sum(
            slot.reserved_cents
            for slot in charged
            if slot.cost_cents is None and (slot.launch_id in unsettled or slot.evidence is not None)
        ),
        ceiling_cents=ceiling_cents,
        carried_cents=sum(run.cost_cents or 0 for case in cases if case.action != "call" for run in case.runs),
    )
