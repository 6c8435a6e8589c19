"""Corrects stored results by bills that arrived after their session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from planner.evidence import CostBasis
from planner.results.calls import each_call
from planner.results.model import CaseResult, JudgedRun, RunResult
from planner.values import frozen


@frozen
class LateBill:
    """The current bill of a stored run, and which results it belongs to."""

    cents: int
    basis: CostBasis | None
    evidence: str | None
    """Digest of the evidence with this bill; None if the results keep the evidence that they were judged by."""
    reserved_cents: int
    """What the call counted as until now; 0 if an earlier bill counted."""
    session_id: str
    consent_id: str | None
    """Of the launch; None if it is not in this machine's journal."""

    def is_of(self, result: RunResult, case: CaseResult, run: JudgedRun) -> bool:
        """Whether the bill is part of this result's own cost. A retry may have the consent of the runs it pools."""
        if case.action != "call" or run.pooled:
            return False
        return self.consent_id in (None, result.consent.id)

    def is_known(self, run: JudgedRun) -> bool:
        return (run.cost_cents, run.cost_basis) == (self.cents, self.basis)


def corrected(result: RunResult, bills: Mapping[int, LateBill]) -> RunResult:
    """The result with these bills, by run id; itself if it has none of them, or they are known."""
    late = [
        (case, run, bills[run.run_id])
        for case, run in each_call(result.cases)
        if run.run_id in bills and not bills[run.run_id].is_known(run)
    ]
    if not late:
        return result
    changed: Counter[str] = Counter()
    for case, run, bill in late:
        more_cents = bill.cents - (run.cost_cents or 0)
        was_unbilled = run.cost_cents is None or bill.reserved_cents > 0
        if bill.is_of(result, case, run):
            billed_cents = bill.cents if was_unbilled else more_cents
            changed["actual_cents"] += billed_cents
            changed["this_session_cents"] += billed_cents if bill.session_id == result.session_id else 0
            changed["unconfirmed_cents"] -= bill.reserved_cents
            changed["unbilled_calls"] -= was_unbilled
        elif was_unbilled or case.action != "call" or run.pooled:
            changed["carried_cents"] += more_cents
            changed["carried_unconfirmed_cents"] -= bill.reserved_cents if run.cost_cents is None else 0
    cost = {name: max(0, getattr(result.cost, name) + cents) for name, cents in changed.items()}
    cases = [_billed(case, bills) for case in result.cases]
    return result.model_copy(update={"cases": cases, "cost": result.cost.model_copy(update=cost)})


def _billed(case: CaseResult, bills: Mapping[int, LateBill]) -> CaseResult:
    runs, confirmation = (
        [_with(run, bills.get(run.run_id)) for run in side] for side in (case.runs, case.confirmation)
    )
    changed = {"runs": runs, "confirmation": confirmation}
    return case if [*runs, *confirmation] == case.all_runs else case.model_copy(update=changed)


def _with(run: JudgedRun, bill: LateBill | None) -> JudgedRun:
    if bill is None or bill.is_known(run):
        return run
    missing = [part for part in run.missing if part != "bill"]
    evidence = bill.evidence or run.evidence
    return run.model_copy(
        update={"cost_cents": bill.cents, "cost_basis": bill.basis, "evidence": evidence, "missing": missing}
    )
