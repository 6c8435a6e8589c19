"""`planner recheck`: evaluate stored calls with today's expectations. Stores no verdict.

Offline and free, unless `check: judge` needs a judge call whose answer is not stored.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from planner import __version__
from planner.changes.model import Action, Change, ChangeSet, Reason
from planner.errors import UsageError
from planner.reports.quantities import count
from planner.results.model import ConsentDocument, CostDocument, RunResult
from planner.session.preparing import open_journal, prepare
from planner.session.rechecking import RecheckOptions, request_missing_answers
from planner.session.report_session import ReportSession, report_session
from planner.session.reporting import print_diagnostics, show_result
from planner.session.selection import Loaded, load
from planner.session.shell import Shell
from planner.session.stores import place_of
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.ending import NextCommands, ending_of
from planner.verdicts.gate import Gate
from planner.verdicts.open_runs import open_runs_of_stored
from planner.verdicts.rates import repeated_passes, suite_of


def recheck(shell: Shell, options: RecheckOptions) -> int:
    """Recheck the stored cases; return the exit code of the verdict, as `run` does.

    Raises:
        PlanInvalidError: a plan is invalid.
        UsageError: no run of these plans is stored.
    """
    selection = options.selection
    again = shlex.join(options.words())
    with report_session(shell, options.report_dir, selection, again=again, prefix="recheck-") as reports:
        loaded = load(shell, selection)
        reports.project, reports.plans = loaded.project, loaded.plan_names
        print_diagnostics(shell, loaded.diagnostics)
        result = _judge(shell, options, loaded, reports)
        reports.write(result)
    show_result(shell, result, options.report_dir, loaded.project)
    return result.exit_code


def _judge(shell: Shell, options: RecheckOptions, loaded: Loaded, reports: ReportSession) -> RunResult:
    selection = options.selection
    place = place_of(shell, loaded.root, selection, loaded.project)
    reports.repository = place.repository
    journal = open_journal(shell, place, loaded.cases)
    try:
        prepared = prepare(shell, selection, loaded, place, targets={}, journal=journal)
        change_set, now = prepared.change_set, shell.clock.now()
        open_runs = open_runs_of_stored(change_set.changes, prepared.resumable, journal, now) if journal else {}
    finally:
        if journal:
            journal.close()
    changes = [_recheck(change) for change in change_set.changes if change.case and change.prior]
    changes = [change for change in changes if change.prior and change.prior.runs]
    if not changes:
        raise UsageError(
            "no run of these plans has finished, so there is nothing to recheck",
            "Make the calls first: planner run. It also resumes calls of an interrupted session.",
        )
    votes = request_missing_answers(shell, options, loaded, place, prepared.judging, changes)
    cases = assemble_cases(
        changes,
        {},
        place.repository.load_evidence,
        MissingRuns(open_runs=open_runs),
        today=reports.started_at.date(),
        ask=prepared.judging.cache,
    )
    command = shlex.join(["planner", "run", *selection.words()])
    gate = Gate(options.fail_on, suite_of(cases))
    ending = ending_of(cases, votes.outcome, frozenset(), NextCommands(command, command, command, command), gate)
    return RunResult(
        tool_version=__version__,
        outcome=ending.outcome,
        exit_code=ending.exit_code,
        problems=[*ending.problems, *_problems(change_set, changes)],
        next_steps=list(ending.next_steps),
        invocation_id=reports.invocation_id,
        change_set_digest=change_set.digest,
        environment=selection.environment or "",
        sandbox=selection.sandbox,
        partial=selection.partial or bool(_without_calls(change_set, changes)),
        started_at=reports.started_at,
        ended_at=shell.clock.now(),
        consent=ConsentDocument(given=options.consent_to_charge),
        plans=loaded.plan_names,
        cases=cases,
        suite=gate.suite,
        fail_on=gate.names,
        repeated=repeated_passes(cases),
        cost=CostDocument(
            estimated_cents=None,
            actual_cents=0,
            this_invocation_cents=0,
            ambiguous_cents=0,
            carried_cents=sum(run.cost_cents or 0 for case in cases for run in case.runs),
            judge=votes.cost,
        ),
        stats=reports.stats(),
    )


def _recheck(change: Change) -> Change:
    reason = change.reason if change.action is Action.RECHECK else Reason.FORCED
    inputs = change.prior.inputs if change.prior else change.inputs
    return replace(change, action=Action.RECHECK, reason=reason, runs=0, detail="", inputs=inputs, kept_run_ids=())


def _problems(change_set: ChangeSet, changes: Sequence[Change]) -> list[str]:
    """Cases that were skipped or whose inputs changed since their calls."""
    stored = {change.case_id for change in changes}
    missing = _without_calls(change_set, changes)
    moved = [
        change
        for change in change_set.with_action(Action.CALL)
        if change.case_id in stored and change.reason in (Reason.PROMPT_CHANGED, Reason.SETTINGS_CHANGED)
    ]
    lines = [f"{count(len(missing), 'case')} skipped: no stored run"] if missing else []
    if moved:
        lines.append(f"{count(len(moved), 'case')} rechecked with runs whose inputs have changed since")
    return lines


def _without_calls(change_set: ChangeSet, changes: Sequence[Change]) -> list[Change]:
    stored = {change.case_id for change in changes}
    return [change for change in change_set.changes if change.case and change.case_id not in stored]
