"""What is proven: every case of the plans with its result by today's expectations. Makes no calls and stores nothing."""

from __future__ import annotations

from dataclasses import replace

from planner.changes.model import Change
from planner.execution.journal import Journal
from planner.results.outcomes import Action
from planner.session.preparing import Preparation
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.open_runs import open_runs_of_stored
from planner.verdicts.required_check import CheckedCase, must_call


def checked_cases(
    shell: Shell, place: Place, prepared: Preparation, journal: Journal | None, *, excuse_known: bool = True
) -> list[CheckedCase]:
    """Every case of the plans with its result, judged from stored evidence. `excuse_known`: what the base branch already
    fails is known."""
    now = shell.clock.now()
    open_runs = open_runs_of_stored(prepared.change_set.changes, prepared.resumable, journal, now) if journal else {}
    changes = [change for change in prepared.change_set.changes if change.case is not None]
    judged = assemble_cases(
        [_kept(change) for change in changes if change.prior is not None and not must_call(change)],
        {},
        place.repository.load_evidence,
        MissingRuns(open_runs=open_runs),
        today=now.date(),
        ask=prepared.judging.cache,
    )
    documents = {document.case_id: document for document in judged}
    cases: list[CheckedCase] = []
    for change in changes:
        made = prepared.already_made.get(change.case_id, 0)
        calls = max(0, change.runs - made) if must_call(change) else 0
        document, base = documents.get(change.case_id), prepared.base.get(change.case_id)
        cases.append(CheckedCase(change, document, base, calls, made, excuse_known))
    return cases


def _kept(change: Change) -> Change:
    """Keep the results of a failed case, which could be called again."""
    return replace(change, action=Action.KEEP, runs=0) if change.action is Action.CALL else change
