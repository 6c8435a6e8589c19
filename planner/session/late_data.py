"""Reads late evidence and bills of stored runs, free, before anything is called, and corrects what is stored about them.

A call is never repeated only because its data came late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from planner.changes.history import HISTORY_INVOCATIONS
from planner.changes.model import Change
from planner.clock import aware
from planner.evidence import CostBasis, Evidence, merged, missing_parts
from planner.execution.journal import Journal
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import LONGEST_RUN
from planner.execution.rereading import Stale, reread
from planner.providers.base import CallId
from planner.results.model import CaseResult, Run, RunResult
from planner.results.outcomes import Action
from planner.results.repository import ResultsRepository
from planner.session.interruption import until_interrupted
from planner.session.orphaned_launches import search_orphans
from planner.session.preparing import Preparation
from planner.values import frozen

if TYPE_CHECKING:
    from planner.session.run_session import RunSession

LATEST_CHARGE: Final = LONGEST_RUN
"""A run's transaction is searched for this long after its end."""


@frozen
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

    def is_of(self, result: RunResult, case: CaseResult, run: Run) -> bool:
        """Whether the bill is part of this result's own cost. A retry has the same digest as the runs it pools."""
        if case.action != "call" or run.pooled:
            return False
        return self.change_set_digest in (None, result.change_set_digest)


@frozen
class _Unconfirmed:
    """A run billed by its call, because its transaction had not arrived."""

    run_id: int
    call_id: CallId
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
                yield _Unconfirmed(run.run_id, CallId(run.call_id), ended_at, run.invocation_id, run.evidence)


def _in_journal(repository: ResultsRepository, journal: Journal, now: datetime) -> Iterator[_Unconfirmed]:
    """Runs that a killed session had collected."""
    for slot in journal.unconsumed_slots():
        if slot.run_id is None or slot.evidence is None or slot.completed_at is None:
            continue
        evidence = repository.load_evidence(slot.evidence) if now - slot.completed_at < LATEST_CHARGE else None
        if evidence is not None and evidence.cost_basis == "call" and evidence.call_id is not None:
            launch = journal.launch(slot.launch_id)
            invocation_id = launch.invocation_id if launch is not None else ""
            yield _Unconfirmed(slot.run_id, CallId(evidence.call_id), slot.completed_at, invocation_id, slot.evidence)


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
        journal.record(evidence_stored([replace(slot, evidence=digest, cost_cents=cents)]))
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


def _has(run: Run, bill: LateBill) -> bool:
    return (run.cost_cents, run.cost_basis) == (bill.cents, bill.basis)


def _billed(case: CaseResult, bills: Mapping[int, LateBill]) -> CaseResult:
    if not any(run.run_id in bills and not _has(run, bills[run.run_id]) for run in case.runs):
        return case
    return case.model_copy(
        update={"runs": [_with(run, bills[run.run_id]) if run.run_id in bills else run for run in case.runs]}
    )


def _with(run: Run, bill: LateBill) -> Run:
    missing = [part for part in run.missing if part != "bill"]
    evidence = bill.evidence or run.evidence
    return run.model_copy(
        update={"cost_cents": bill.cents, "cost_basis": bill.basis, "evidence": evidence, "missing": missing}
    )


async def refresh(session: RunSession, prepared: Preparation) -> Preparation:
    """The calls with what has become known of earlier ones: refreshed runs, and orphaned launches that were found."""
    changes = await _refreshed_changes(session, prepared.change_set.changes)
    orphans = await search_orphans(session, prepared.orphans)
    return replace(prepared, change_set=replace(prepared.change_set, changes=tuple(changes)), orphans=orphans)


async def _refreshed_changes(session: RunSession, changes: Sequence[Change]) -> list[Change]:
    """The changes with refreshed runs; late bills are also corrected in stored results."""
    stale = {item.run_id: item for change in changes for item in _stale(change)}
    if not stale:
        return list(changes)
    fresh: dict[int, Run] = {}
    repository, shell = session.place.repository, session.shell

    async def read() -> None:
        result = await reread(session.transactions, stale, shell.clock)
        stored = {run.run_id: run for change in changes for run in _counted_runs(change)}
        for run_id, evidence in result.found.items():
            fresh[run_id] = _refreshed(stored[run_id], evidence, stale[run_id], repository)
        left = sum(1 for run_id in stale if run_id not in fresh or fresh[run_id].missing)
        problem = f" ({result.problem})" if result.problem else ""
        shell.log(
            f"read {len(stale)} stored runs again (free): {len(stale) - left} are complete now, {left} are not{problem}"
        )

    await until_interrupted(read, session.interrupted)
    if bills := _note_in_journal(session.journal, changes, fresh):
        correct_results(repository, bills)
    return [_with_runs(change, fresh) for change in changes]


def _counted_runs(change: Change) -> list[Run]:
    if change.prior is None or change.case is None:
        return []
    if change.action is Action.CALL:
        return [run for run in change.prior.runs if run.run_id in change.kept_run_ids]
    return change.prior.runs


def _stale(change: Change) -> list[Stale]:
    """Runs with missing parts; for a kept case only those without a bill, since its verdict stays."""
    case = change.case
    if case is None:
        return []
    return [
        Stale(run.run_id, case.wants_grade, run.completed_at)
        for run in _counted_runs(change)
        if ("bill" in run.missing if change.action is Action.KEEP else run.missing)
    ]


def _refreshed(run: Run, evidence: Evidence, stale: Stale, repository: ResultsRepository) -> Run:
    stored = repository.load_evidence(run.evidence) if run.evidence is not None else None
    evidence = merged(stored, evidence)
    return run.model_copy(
        update={
            "evidence": repository.save_evidence(evidence),
            "call_id": evidence.call_id or run.call_id,
            "cost_cents": run.cost_cents if evidence.cost_cents is None else evidence.cost_cents,
            "cost_basis": run.cost_basis if evidence.cost_cents is None else evidence.cost_basis,
            "duration_seconds": evidence.duration_seconds or run.duration_seconds,
            "missing": list(missing_parts(evidence, grade_wanted=stale.grade_wanted)),
        }
    )


def _with_runs(change: Change, fresh: Mapping[int, Run]) -> Change:
    if change.prior is None or not any(run.run_id in fresh for run in change.prior.runs):
        return change
    runs = [fresh.get(run.run_id, run) for run in change.prior.runs]
    return replace(change, prior=change.prior.model_copy(update={"runs": runs}))


def _note_in_journal(journal: Journal, changes: Iterable[Change], fresh: Mapping[int, Run]) -> dict[int, LateBill]:
    """Update the journal; return the new bills by run id."""
    bills: dict[int, LateBill] = {}
    before = {run.run_id: run.cost_cents for change in changes for run in _counted_runs(change)}
    for run_id, run in fresh.items():
        slot = journal.slot_of_run(run_id)
        launch = journal.launch(slot.launch_id) if slot is not None else None
        if slot is None or launch is None or run.evidence is None:
            continue
        journal.record(
            evidence_stored(
                [replace(slot, evidence=run.evidence, cost_cents=run.cost_cents, completed_at=run.completed_at)]
            )
        )
        if before[run_id] is None and run.cost_cents is not None:
            bills[run_id] = LateBill(
                run.cost_cents,
                run.cost_basis,
                None,  # older results keep the evidence that they were judged by
                slot.reserved_cents,
                launch.invocation_id,
                launch.change_set_digest,
            )
    return bills
