"""Reads missing evidence and bills of stored runs again, free, before anything is called.

A call is never repeated only because its data came late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from planner.changes.model import Action, Change
from planner.evidence import Evidence, merged, missing_parts
from planner.execution.journal import Journal
from planner.execution.rereading import Stale, reread
from planner.results.model import RunDocument
from planner.results.repository import ResultsRepository
from planner.session.interruption import until_interrupted
from planner.session.late_bills import LateBill, correct_results

if TYPE_CHECKING:
    from planner.session.run_session import RunSession


async def refresh_stored(session: RunSession, changes: Sequence[Change]) -> list[Change]:
    """The changes with refreshed runs; late bills are also corrected in stored results."""
    stale = {item.run_id: item for change in changes for item in _stale(change)}
    if not stale:
        return list(changes)
    fresh: dict[int, RunDocument] = {}
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


def _counted_runs(change: Change) -> list[RunDocument]:
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


def _refreshed(run: RunDocument, evidence: Evidence, stale: Stale, repository: ResultsRepository) -> RunDocument:
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


def _with_runs(change: Change, fresh: Mapping[int, RunDocument]) -> Change:
    if change.prior is None or not any(run.run_id in fresh for run in change.prior.runs):
        return change
    runs = [fresh.get(run.run_id, run) for run in change.prior.runs]
    return replace(change, prior=change.prior.model_copy(update={"runs": runs}))


def _note_in_journal(
    journal: Journal, changes: Iterable[Change], fresh: Mapping[int, RunDocument]
) -> dict[int, LateBill]:
    """Update the journal; return the new bills by run id."""
    bills: dict[int, LateBill] = {}
    before = {run.run_id: run.cost_cents for change in changes for run in _counted_runs(change)}
    for run_id, run in fresh.items():
        slot = journal.slot_of_run(run_id)
        launch = journal.launch(slot.launch_id) if slot is not None else None
        if slot is None or launch is None or run.evidence is None:
            continue
        journal.collect(
            [replace(slot, evidence=run.evidence, cost_cents=run.cost_cents, completed_at=run.completed_at)]
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
