"""`planner gate`: answer the required check of a pull request. Makes no calls and stores nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from planner.changes.model import Change
from planner.execution.journal import Journal
from planner.reports.required_check import render_json, render_text
from planner.results.model import Action, FailOn
from planner.session.asking import known_service
from planner.session.preparing import Preparation, open_journal, prepare
from planner.session.reporting import print_diagnostics, publisher_of, redactor_of
from planner.session.selection import Selection, load
from planner.session.shell import Shell
from planner.session.stores import Place, place_of
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.gate import EVERYTHING, Gate
from planner.verdicts.open_runs import OpenRuns, open_runs_of_stored
from planner.verdicts.rates import suite_of
from planner.verdicts.required_check import CheckedCase, decide, must_call


@dataclass(frozen=True, slots=True)
class GateOptions:
    selection: Selection
    refresh: bool = False
    fail_on: frozenset[FailOn] = EVERYTHING
    output_format: Literal["text", "json"] = "text"


def gate(shell: Shell, options: GateOptions) -> int:
    """Print the answer; return its exit code."""
    selection, now = options.selection, shell.clock.now()
    loaded = load(shell, selection)
    print_diagnostics(shell, loaded.diagnostics)
    place = place_of(shell, loaded.root, selection, loaded.project)
    known = known_service(shell, selection, loaded, place, refresh=options.refresh)
    journal = open_journal(shell, place, loaded.cases)
    try:
        prepared = prepare(shell, selection, loaded, place, targets=known.targets, journal=journal)
        open_runs = _open_runs(shell, prepared, journal)
    finally:
        if journal:
            journal.close()
    cases = _checked(shell, place, prepared, open_runs)
    own = [case.judged for case in cases if case.judged is not None and not case.is_base_result]
    check = decide(cases, prepared.change_set.digest, Gate(options.fail_on, suite_of(own)), now)
    names = redactor_of(loaded.project).names(case.change.case_id for case in cases)
    render = render_json if options.output_format == "json" else render_text
    shell.print(render(check, names))
    if to_github := publisher_of(shell):
        to_github.required_check(check)
    return check.exit_code


def _open_runs(shell: Shell, prepared: Preparation, journal: Journal | None) -> dict[str, OpenRuns]:
    if journal is None:
        return {}
    return open_runs_of_stored(prepared.change_set.changes, prepared.resumable, journal, shell.clock.now())


def _checked(shell: Shell, place: Place, prepared: Preparation, open_runs: dict[str, OpenRuns]) -> list[CheckedCase]:
    """Every case of the plans with its result by today's expectations, judged from stored evidence."""
    changes = [change for change in prepared.change_set.changes if change.case is not None]
    judged = assemble_cases(
        [_standing(change) for change in changes if change.prior is not None and not must_call(change)],
        {},
        place.repository.load_evidence,
        MissingRuns(open_runs=open_runs),
        today=shell.clock.now().date(),
        ask=prepared.judging.cache,
    )
    documents = {document.case_id: document for document in judged}
    cases: list[CheckedCase] = []
    for change in changes:
        made = prepared.already_made.get(change.case_id, 0)
        calls = max(0, change.runs - made) if must_call(change) else 0
        document, base = documents.get(change.case_id), prepared.base.get(change.case_id)
        cases.append(CheckedCase(change, document, base, calls, made))
    return cases


def _standing(change: Change) -> Change:
    """A failed case that could be called again stands as it is."""
    return replace(change, action=Action.KEEP, runs=0) if change.action is Action.CALL else change
