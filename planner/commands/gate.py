"""`planner ci gate`: decide the required check of a pull request. Makes no calls and stores nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from planner.reports.change_set import PlanView, judged_otherwise
from planner.reports.neutral import for_json_text
from planner.reports.pull_request import render_json, render_text
from planner.results.model import CaseResult, RunResult
from planner.results.outcomes import Action, CaseState, CheckState, FailOn, RequiredCheck
from planner.session.ci import NO_BASE
from planner.session.preparing import Preparation, checked_cases, prepare, refusal_of, stored_journal
from planner.session.selection import Selection
from planner.session.service import known_service
from planner.session.shell import Shell, publisher_of, redactor_of, write_output
from planner.session.stores import OpenedStore, Workspace, open_workspace
from planner.values import frozen
from planner.verdicts.comparison import suite_of
from planner.verdicts.gate import EVERYTHING, Gate, decide_check

if TYPE_CHECKING:
    from planner.reports.pull_request import LastCalls
    from planner.session.pull_request import Publication

_SESSIONS: Final = 20
"""Number of newest sessions among which to look for the last calls."""


@frozen
class GateOptions:
    selection: Selection
    fail_on: frozenset[FailOn] = EVERYTHING
    output_format: Literal["text", "json"] = "text"
    publication: Path | None = None
    """File for the comment and the status."""
    name: str = "default"
    """Separates two uses in one repository."""


def gate(shell: Shell, options: GateOptions) -> int:
    """Print the answer; return its exit code."""
    work = open_workspace(shell, options.selection)
    known = known_service(work)
    if known.note:
        shell.log(known.note)
    with stored_journal(work) as journal:
        prepared = prepare(work, known.targets, journal)
        cases = checked_cases(work, prepared, journal, excuse_known=options.selection.base != NO_BASE)
    own = [case.judged for case in cases if case.judged is not None and not case.is_base_result]
    again = replace(options.selection, rerun="failed").command("run")
    digest, judged_by = prepared.change_set.digest, Gate(options.fail_on, suite_of(own))
    check = decide_check(cases, digest, judged_by, shell.clock.now(), again)
    names = redactor_of(work.loaded.project).names(case.change.case_id for case in cases)
    render = render_json if options.output_format == "json" else render_text
    shell.print(render(check, names))
    if options.publication is not None:
        judged = [case.judged for case in cases if case.judged is not None]
        publication = _publication(work, options, prepared, check, judged, _last_calls(work.place, own))
        write_output(shell, options.publication, for_json_text(shell.keys.text(publication.model_dump_json())) + "\n")
    if to_github := publisher_of(shell):
        to_github.required_check(check)
    return check.exit_code


def _publication(
    work: Workspace,
    options: GateOptions,
    prepared: Preparation,
    check: RequiredCheck,
    judged: list[CaseResult],
    last: LastCalls | None,
) -> Publication:
    from planner.reports.pull_request import render_comment
    from planner.session.consent import head_of, shareable
    from planner.session.pull_request import Publication, pull_request_of

    shell, loaded = work.shell, work.loaded
    now, redactor = shell.clock.now(), redactor_of(loaded.project)
    refusal = refusal_of(work, prepared)
    preview = PlanView(
        prepared.change_set,
        loaded.plans,
        [],
        "",
        prepared.progress.runs_made,
        prepared.unconfirmed_runs,
        now,
        redactor,
        (str(refusal), refusal.hint) if refusal else None,
        [*filter(None, [loaded.limits_note]), *prepared.warnings],
        agents=prepared.agents,
        spent_cents=prepared.progress.all_spent_cents,
        reserved_cents=sum(prepared.progress.reserved_cents.values()),
    )
    names = redactor.names(change.case_id for change in prepared.change_set.changes)
    pull = pull_request_of(shell.environ, head_of(shell, work.place, loaded), options.name)
    comment = render_comment(preview, check, judged, names, pull, last)
    change_set = shareable(work, prepared.change_set) if check.needs_run else None
    return Publication(
        state=check.state.value,
        description=check.description,
        digest=check.digest if check.needs_run else "",
        commit=pull.commit,
        decided_at=now,
        comment=comment,
        worth_saying=check.state is not CheckState.SUCCESS
        or any(map(check.cases.get, (CaseState.KNOWN_FAILING, CaseState.QUARANTINED)))
        or bool(check.flaky)
        or bool(prepared.change_set.with_action(Action.DROP))
        or any(map(judged_otherwise, prepared.change_set.with_action(Action.RECHECK))),
        store=(options.selection.store or loaded.project.store or "") if change_set is not None else "",
        is_sandbox=options.selection.sandbox,
        change_set=change_set,
    )


def _last_calls(place: OpenedStore, own: list[CaseResult]) -> LastCalls | None:
    """The newest calls of this pull request that somebody agreed to; None outside of one, or if nobody agreed. `own`
    are its results."""
    if place.base is None:
        return None
    from planner.reports.pull_request import LastCalls

    agreed = [
        result
        for result in islice(place.repository.sessions(), _SESSIONS)
        if result.consent.given and place.base.load_session(result.session_id) is None
    ]
    if not agreed:
        return None
    newest = agreed[0]
    last = next((result for result in agreed if result.stats.launches), newest)
    same = [result for result in agreed if result.change_set_digest == last.change_set_digest]
    still_ignored = {case.case_id for case in own if case.start_over is not None}
    ignored = [
        case.start_over
        for result in agreed
        for case in result.cases
        if result.stats.launches and case.action is Action.CALL
        if result.change_set_digest == last.change_set_digest or case.case_id in still_ignored
    ]
    return LastCalls(
        last.consent.by,
        last.consent.max_cost_cents,
        billed_cents(reversed(same)),
        newest.change_set_digest if newest.outcome == "interrupted" else "",
        next(filter(None, ignored), None),
    )


def billed_cents(sessions: Iterable[RunResult]) -> int:
    """What the calls and judge calls of one change set cost so far, from its sessions, oldest first."""
    cents = 0
    for cost in (session.cost for session in sessions):
        judge = (cost.judge.this_session_cents, cost.judge.actual_cents) if cost.judge else (0, 0)
        # Bills that came later are only in `actual_cents` of a session that resumed.
        cents = max(cents + cost.this_session_cents + judge[0], cost.actual_cents + judge[1])
    return cents
