"""The cost of a session, for its results."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED, Slot
from planner.results.model import CaseDocument, CostDocument
from planner.session.preparing import Preparation, charged_slots


def costs(
    journal: Journal,
    prepared: Preparation,
    cases: Sequence[CaseDocument],
    *,
    invocation_id: str,
    ceiling_cents: int | None,
    unread: AbstractSet[tuple[str, int]] = frozenset(),
) -> CostDocument:
    """Costs from the journal: every run that this change set launched in any session and that no finished result holds.
    `unread` are slots of ended runs that cannot be read."""
    estimate = prepared.whole_estimate
    charged = charged_slots(journal, prepared.change_set.digest)
    mine = {launch.launch_id for launch in journal.launches_of(invocation_id)}
    unsettled = {launch.launch_id for launch in journal.launches(UNSETTLED)}
    unbilled = [slot for slot in charged if slot.cost_cents is None]
    carried = [run for case in cases for run in case.carried_runs]
    not_seen = [slot for slot in unbilled if slot.launch_id not in unsettled and slot.evidence is None]
    late = [journal.slot_of_run(run.run_id) for run in carried if run.cost_cents is None]
    return CostDocument(
        estimated_cents=estimate.expected_cents,
        estimated_low_cents=estimate.low_cents,
        estimated_high_cents=estimate.high_cents,
        estimate_basis=estimate.basis,
        paid_before_cents=prepared.paid_before_cents,
        service_estimate_cents=_by_service(charged, cases),
        earlier_estimates=prepared.accuracy if prepared.accuracy.estimates else None,
        actual_cents=sum(slot.cost_cents or 0 for slot in charged),
        this_invocation_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in mine),
        # Unconfirmed, under way, or ended without a bill: the reservation stands for the cost.
        ambiguous_cents=sum(slot.reserved_cents for slot in unbilled)
        + sum(
            launch.reserved_cents
            for launch in prepared.orphans.unsettled
            if launch.launch_id not in {slot.launch_id for slot in charged}
        ),
        calls_under_way=sum(slot.key not in unread for slot in not_seen),
        unread_calls=sum(slot.key in unread for slot in not_seen),
        unbilled_calls=sum(slot.evidence is not None for slot in unbilled),
        ceiling_cents=ceiling_cents,
        carried_cents=sum(run.cost_cents or 0 for run in carried),
        carried_ambiguous_cents=sum(slot.reserved_cents for slot in late if slot is not None),
    )


def _by_service(charged: Sequence[Slot], cases: Sequence[CaseDocument]) -> int | None:
    made = {slot.run_id for slot in charged}
    estimates = [run.service_estimate_cents for case in cases for run in case.runs if run.run_id in made]
    known = [cents for cents in estimates if cents is not None]
    return sum(known) if known and len(known) == len(charged) else None
