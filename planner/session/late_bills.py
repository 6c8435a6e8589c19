"""Corrects bills that arrived after their runs were stored: in the journal, in stored results and in baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from planner.evidence import CostBasis
from planner.execution.journal import Journal
from planner.execution.launches import LONGEST_RUN
from planner.moments import aware
from planner.results.model import CaseDocument, RunDocument, RunResult
from planner.results.repository import ResultsRepository
from planner.session.preparing import HISTORY_INVOCATIONS

if TYPE_CHECKING:
    from planner.session.run_session import RunSession

LATEST_CHARGE: Final = LONGEST_RUN
"""A run's transaction is searched for this long after its end."""


@dataclass(frozen=True, slots=True)
class LateBill:
    """The current bill of a stored run, and which results it belongs to."""

    cents: int
    basis: CostBasis | None
    evidence: str | None
    """Digest of the evidence with this bill."""
    reserved_cents: int
    invocation_id: str
    change_set_digest: str | None
    """Of the launch; None if it is not in this machine's journal."""

    def is_of(self, result: RunResult, case: CaseDocument, run: RunDocument) -> bool:
        """Whether the bill is part of this result's own cost. A retry has the same digest as the runs it pools."""
        if case.action != "call" or run.pooled:
            return False
        return self.change_set_digest in (None, result.change_set_digest)


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    """A run billed by its call, because its transaction had not arrived."""

    run_id: int
    call_id: int
    ended_at: datetime
    invocation_id: str
    evidence: str


async def correct_bills(session: RunSession) -> None:
    """Search again for transactions of recent runs billed by their call, and correct everything stored about them."""
    transactions, journal, now = session.transactions, session.journal, session.shell.clock.now()
    place, repository = session.place, session.place.repository
    unconfirmed = {run.run_id: run for run in (*_in_results(repository, now), *_in_journal(repository, journal, now))}
    if not unconfirmed:
        return
    for run in unconfirmed.values():
        transactions.expect(run.call_id, run.ended_at)
    await transactions.read()
    bills: dict[int, LateBill] = {}
    for run in unconfirmed.values():
        cents = transactions.charged_cents(run.call_id)
        transactions.forget(run.call_id)
        if cents is not None and (bill := _noted(run, cents, repository, journal)) is not None:
            bills[run.run_id] = bill
    if bills:
        correct_results(repository, bills)
        repository.amend_baselines(place.environment, session.loaded.plan_names, lambda case: _billed(case, bills))
        transactions.log(f"corrected the cost of {len(bills)} earlier runs from the account's transactions")


def _in_results(repository: ResultsRepository, now: datetime) -> Iterator[_Unconfirmed]:
    for outline in islice(repository.invocations(), HISTORY_INVOCATIONS):
        if now - outline.ended_at > LATEST_CHARGE:
            return
        for run in (run for case in outline.cases for run in case.runs):
            ended_at = outline.started_at if run.completed_at is None else aware(run.completed_at)
            is_recent = now - ended_at < LATEST_CHARGE
            if run.cost_basis == "call" and run.call_id is not None and run.evidence is not None and is_recent:
                yield _Unconfirmed(run.run_id, run.call_id, ended_at, run.invocation_id, run.evidence)


def _in_journal(repository: ResultsRepository, journal: Journal, now: datetime) -> Iterator[_Unconfirmed]:
    """Runs that a killed session had collected."""
    for slot in journal.unconsumed_slots():
        if slot.run_id is None or slot.evidence is None or slot.completed_at is None:
            continue
        evidence = repository.load_evidence(slot.evidence) if now - slot.completed_at < LATEST_CHARGE else None
        if evidence is not None and evidence.cost_basis == "call" and evidence.call_id is not None:
            launch = journal.launch(slot.launch_id)
            invocation_id = launch.invocation_id if launch is not None else ""
            yield _Unconfirmed(slot.run_id, evidence.call_id, slot.completed_at, invocation_id, slot.evidence)


def _noted(run: _Unconfirmed, cents: int, repository: ResultsRepository, journal: Journal) -> LateBill | None:
    """Store the evidence with its bill and update the journal; None if the evidence is gone."""
    evidence = repository.load_evidence(run.evidence)
    if evidence is None:
        return None
    billed = evidence.model_copy(update={"cost_cents": cents, "cost_basis": "transaction"})
    digest = repository.save_evidence(billed)
    slot = journal.slot_of_run(run.run_id)
    launch = journal.launch(slot.launch_id) if slot is not None else None
    if slot is not None:
        journal.collect([replace(slot, evidence=digest, cost_cents=cents)])
    return LateBill(
        cents,
        "transaction",
        digest,
        slot.reserved_cents if slot is not None else 0,
        run.invocation_id,
        launch.change_set_digest if launch is not None else None,
    )


def correct_results(repository: ResultsRepository, bills: Mapping[int, LateBill]) -> None:
    oldest = min(bill.invocation_id for bill in bills.values())
    for result in list(repository.invocations_since(oldest)):
        corrected = _corrected(result, bills)
        if corrected is not result:
            repository.save_invocation(corrected)


def _corrected(result: RunResult, bills: Mapping[int, LateBill]) -> RunResult:
    late = [
        (case, run, bills[run.run_id])
        for case in result.cases
        for run in case.runs
        if run.run_id in bills and not _has(run, bills[run.run_id])
    ]
    if not late:
        return result
    changed: Counter[str] = Counter()
    for case, run, bill in late:
        more_cents = bill.cents - (run.cost_cents or 0)
        was_unbilled = run.cost_cents is None
        if bill.is_of(result, case, run):
            changed["actual_cents"] += more_cents
            changed["this_invocation_cents"] += more_cents if bill.invocation_id == result.invocation_id else 0
            changed["ambiguous_cents"] -= bill.reserved_cents if was_unbilled else 0
            changed["unbilled_calls"] -= was_unbilled
        elif was_unbilled or case.action != "call" or run.pooled:
            changed["carried_cents"] += more_cents
            changed["carried_ambiguous_cents"] -= bill.reserved_cents if was_unbilled else 0
    cost = {name: max(0, getattr(result.cost, name) + cents) for name, cents in changed.items()}
    return result.model_copy(
        update={
            "cases": [_billed(case, bills) for case in result.cases],
            "cost": result.cost.model_copy(update=cost),
        }
    )


def _has(run: RunDocument, bill: LateBill) -> bool:
    return (run.cost_cents, run.cost_basis) == (bill.cents, bill.basis)


def _billed(case: CaseDocument, bills: Mapping[int, LateBill]) -> CaseDocument:
    if not any(run.run_id in bills and not _has(run, bills[run.run_id]) for run in case.runs):
        return case
    return case.model_copy(
        update={"runs": [_with(run, bills[run.run_id]) if run.run_id in bills else run for run in case.runs]}
    )


def _with(run: RunDocument, bill: LateBill) -> RunDocument:
    missing = [part for part in run.missing if part != "bill"]
    evidence = bill.evidence or run.evidence
    return run.model_copy(
        update={"cost_cents": bill.cents, "cost_basis": bill.basis, "evidence": evidence, "missing": missing}
    )
