"""`planner run --offline`: judge stored calls by today's expectations. Uses no network and stores nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from planner.agents.live_tools import unknown_tools
from planner.changes.model import Change, Reason
from planner.errors import UsageError
from planner.quantities import count
from planner.results.calls import each_call
from planner.results.model import RunResult
from planner.results.outcomes import Action
from planner.session.preparing import prepare, stored_state
from planner.session.run_session import RunOptions, next_commands
from planner.shell import Shell
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.ending import ending_of, open_runs_of_stored
from planner.verdicts.gate import Gate
from planner.verdicts.outcome import Outcome
from planner.workspace.report_session import NO_COST, ReportSession, report_session
from planner.workspace.selection import Selection
from planner.workspace.stores import Workspace

_OTHER_INPUTS: Final = (
    Reason.CALLER_PROMPT_CHANGED,
    Reason.SETTINGS_CHANGED,
    Reason.AGENT_FILE_CHANGED,
    Reason.AGENT_EDITED,
)
"""For these reasons, the stored calls do not show what a call would be like today."""


def judge_offline(
    shell: Shell,
    selection: Selection,
    *,
    report_dir: Path,
    is_json: bool = False,
) -> int:
    """Judge the stored cases; return the exit code of the verdict, as `run` does."""
    again = selection.command("run", "--offline")
    with report_session(shell, report_dir, selection, again=again, prefix="offline-", is_json=is_json) as reports:
        result = _judge(reports.open(), reports)
        result = reports.write(result)
        reports.show(result)
    return result.exit_code


def _judge(work: Workspace, reports: ReportSession) -> RunResult:
    with stored_state(work) as state:
        prepared = prepare(work, {}, state)
        change_set, now = prepared.change_set, work.shell.clock.now()
        open_runs = open_runs_of_stored(change_set.changes, prepared.resumable, now)
    changes = [
        _recheck(change)
        for change in change_set.changes
        if change.case and change.prior and any(run.excluded is None for run in change.prior.runs)
    ]
    if not changes:
        raise UsageError(
            "no session with these plans has finished with calls that count, so there is nothing to recheck",
            "Run `planner run` first. It also resumes an interrupted session.",
        )
    if prepared.judging.settings is not None:
        prepared.judging.cache.missing = "only `planner run` asks the judge"
    cases = assemble_cases(
        changes,
        {},
        work.place.repository.load_evidence,
        MissingRuns(open_runs=open_runs),
        today=reports.started_at.date(),
        ask=prepared.judging.cache,
    )
    cases, suite = prepared.with_history(cases)
    gate = Gate(suite)
    commands = next_commands(RunOptions(work.selection), consenting=False)
    ending = ending_of(cases, Outcome(), frozenset(), commands, gate)
    stored = {change.case_id for change in changes}
    missing = sum(1 for change in change_set.changes if change.case and change.case_id not in stored)
    moved = sum(
        change.case_id in stored and change.reason in _OTHER_INPUTS for change in change_set.with_action(Action.CALL)
    )
    skipped = [f"{count(missing, 'case')} skipped: no stored run that counts"] if missing else []
    if moved:
        skipped.append(f"{count(moved, 'case')} rechecked with runs whose inputs have changed since")
    carried_cents = sum(run.cost_cents or 0 for _, run in each_call(cases))
    return reports.result(
        replace(ending, problems=(*ending.problems, *skipped), finished=True),
        cases,
        gate,
        warnings=[each.warning for each in unknown_tools(work.loaded.cases, prepared.tools, cases)],
        change_set_digest=change_set.digest,
        partial=work.selection.partial or bool(missing),
        cost=NO_COST.model_copy(update={"carried_cents": carried_cents}),
    )


def _recheck(change: Change) -> Change:
    reason = change.reason if change.action is Action.RECHECK else Reason.OFFLINE
    inputs = change.prior.inputs if change.prior else change.inputs
    return replace(change, action=Action.RECHECK, reason=reason, runs=0, detail="", inputs=inputs, kept_run_ids=())
