"""What `planner ci gate --publication` prepares for `planner ci publish`, a job with write access: the comment, the
status, and the set of calls that the comment offers."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.changes.consent import EarlierSpending, ceiling_of
from planner.changes.consented_calls import ConsentedCalls
from planner.changes.model import ChangeSet
from planner.changes.weakened import Weakened, weakened_project, weakened_tests
from planner.ci.event import asked_by, head_commit, namespace_of
from planner.ci.git import Git
from planner.ci.pull_request import files_url, pull_request_of, run_url_of
from planner.errors import PlanInvalidError, PlannerError
from planner.log.fold import State
from planner.planfile.project import load_project
from planner.reports.change_set import PlanView, judged_otherwise
from planner.reports.neutral import for_markdown, one_line
from planner.reports.problems import problem_line, render_problem
from planner.reports.pull_request import CommentFacts, EndedSession, LastCalls, Offer, PullRequest, render_comment
from planner.reports.reply import mention, render_reply
from planner.results.model import CaseResult, RunResult
from planner.results.outcomes import Action, CaseState, CheckState, RequiredCheck
from planner.session.consents import refusal_of
from planner.session.preparing import Preparation, failed_cases, prepare
from planner.shell import Shell, redactor_of
from planner.values import frozen
from planner.workspace.agreed_calls import head_of, shareable
from planner.workspace.merge_base import NoPlans, at_merge_base
from planner.workspace.stores import OpenedStore, Workspace

_SESSIONS: Final = 20
"""Number of newest sessions among which to look for the last calls."""
_MAX_RESULTS_BYTES: Final = 200_000_000
_FIXED_ELSEWHERE: Final = "fixed outside this repository"
"""The reason that the comment proposes for calls after a fix that planner cannot see."""


class Publication(BaseModel):
    """The file of `planner ci gate --publication`. `digest` is "" if the comment offers no calls; `worth_saying` is
    false if a new comment would say nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: str = "1.0"
    state: str
    description: str
    digest: str
    commit: str = Field(default="", description="The head commit that the answer is about.")
    decided_at: datetime | None = None
    comment: str
    reply: str = Field(default="", description="Mentions who agreed, once their calls have ended; empty for no reply.")
    worth_saying: bool
    store: str = Field(default="", description="The shared store that the set of calls belongs to.")
    is_sandbox: bool = False
    change_set: ConsentedCalls | None = Field(
        default=None, description="For `run --digest`. The job that plans may not write to the store."
    )


@frozen
class Decision:
    """What `planner ci gate` found. `own` are the results of this pull request, `judged` all of them."""

    work: Workspace
    prepared: Preparation
    check: RequiredCheck
    judged: list[CaseResult]
    own: list[CaseResult]
    ended: RunResult | None = None
    """The session of this job, if one has just ended."""
    no_plans: NoPlans | None = None


def read_ended(path: Path) -> RunResult | None:
    """The results of the session that this job has just ended; None if there are none."""
    try:
        if path.stat().st_size > _MAX_RESULTS_BYTES:
            return None
        return RunResult.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def publication_of(decision: Decision, state: State | None, name: str) -> Publication:
    """What to publish. `name` separates two uses in one repository."""
    work, prepared, check = decision.work, decision.prepared, decision.check
    shell, loaded = work.shell, work.loaded
    redactor = redactor_of(loaded.project)
    refusal = refusal_of(work, prepared)
    preview = PlanView(
        prepared.change_set,
        loaded.plans,
        [],
        "",
        prepared.progress.runs_made,
        prepared.unconfirmed_runs,
        shell.clock.now(),
        redactor,
        refusal,
        [*filter(None, [loaded.limits_note]), *prepared.all_warnings],
        agents=prepared.agents,
        reserved_cents=sum(prepared.progress.reserved_cents.values()),
        again_at=prepared.unconfirmed_until,
    )
    names = redactor.names(change.case_id for change in prepared.change_set.changes)
    pull = pull_request_of(shell.environ, head_of(shell, work.place, loaded), name)
    offered = None if refusal is not None else _offered(decision, state)
    ended = _ended(decision.ended, check)
    last = _last_calls(work.place, decision.own)
    offer = None if offered is None else _offer(*offered)
    weakened = _weakened(decision, redactor.text)
    facts = CommentFacts(pull, last, ended, offer, weakened)
    comment = render_comment(preview, check, decision.judged, names, facts)
    change_set = shareable(work, offered[0]) if offered is not None else None
    return Publication(
        state=check.state.value,
        description=_description(check, ended),
        digest=offered[0].digest if offered is not None else "",
        commit=pull.commit,
        decided_at=shell.clock.now(),
        comment=comment,
        reply=_reply(decision, pull, redactor.text(weakened.summary) if weakened else ""),
        worth_saying=_is_worth_saying(decision) or weakened is None or bool(weakened.ways),
        store=(work.selection.store or loaded.project.store or "") if change_set is not None else "",
        is_sandbox=work.selection.sandbox,
        change_set=change_set,
    )


def _reply(decision: Decision, pull: PullRequest, weakened: str) -> str:
    if decision.ended is None:
        return ""
    return render_reply(decision.ended, decision.check, pull, asked_by(decision.work.shell.environ), weakened)


def problem_publication(shell: Shell, error: PlannerError) -> Publication:
    """What to publish if the change set cannot be determined: an older answer must not stand."""
    environ = shell.environ
    commit = head_commit(environ) or _checked_out(shell)
    comment = render_problem(error, files_url(environ, commit, shell.cwd), run_url_of(environ))
    who = asked_by(environ)  # of a job that planned, nobody
    state = "failure" if isinstance(error, PlanInvalidError) else "pending" if error.exit_code == 4 else "error"
    return Publication(
        state=state,
        description=problem_line(error),
        digest="",
        commit=commit,
        decided_at=shell.clock.now(),
        comment=comment,
        reply=f"{mention(who)} ❌ {for_markdown(problem_line(error))}" if who else "",
        worth_saying=True,
    )


def _checked_out(shell: Shell) -> str:
    """The head commit in a job for a pull request whose event does not name it, such as a comment; "" elsewhere."""
    if not namespace_of(shell.environ):
        return ""
    try:
        return Git(shell.cwd, shell.environ)("rev-parse", "--verify", "--quiet", "HEAD").out.decode().strip()
    except PlannerError:
        return ""  # no git: the error to publish says more


def _is_worth_saying(decision: Decision) -> bool:
    prepared, check = decision.prepared, decision.check
    return (
        decision.no_plans is not None
        or decision.ended is not None
        or check.state is not CheckState.SUCCESS
        or any(map(check.cases.get, (CaseState.KNOWN_FAILING, CaseState.BELOW_REQUIREMENT, CaseState.QUARANTINED)))
        or bool(check.flaky)
        or bool(prepared.change_set.with_action(Action.DROP))
        or any(map(judged_otherwise, prepared.change_set.with_action(Action.RECHECK)))
    )


def _weakened(decision: Decision, show: Callable[[str], str]) -> Weakened | None:
    """What the pull request does to the tests of the commit where it branched off; None if not all of these
    can be read. Outside of one, nothing."""
    work, prepared = decision.work, decision.prepared
    if work.loaded.base is None:
        return Weakened()
    before = at_merge_base(work)
    if before is None or not before.is_whole:
        return None
    cases = [case for plan in work.loaded.plans for case in plan.cases]
    renamed = {change.case_id: change.renamed_from or "" for change in prepared.change_set.changes}
    tests, gone = weakened_tests(before.cases, cases, renamed, show)
    failed = failed_cases(replace(work, loaded=replace(work.loaded, cases=gone)), prepared) if gone else set[str]()
    removed = {case.case_id: case.case_id in failed for case in gone}
    merged = load_project(work.loaded.root, cwd=work.shell.cwd)[0]
    return Weakened(
        tests,
        [case_id for case_id, is_failing in removed.items() if is_failing],
        [case_id for case_id, is_failing in removed.items() if not is_failing],
        sorted(weakened_project(before.project, merged)),
    )


# The calls that the comment offers


def _offered(decision: Decision, state: State | None) -> tuple[ChangeSet, EarlierSpending, str] | None:
    """The change set to agree to, what was spent on it, and the options of its command; None if there is none.

    A red check offers the calls of the failed cases without their earlier runs, since only a fix that planner cannot
    see makes them pass. Undecided cases are called again together with theirs, and all cases if everything is worse.
    """
    work, check = decision.work, decision.check
    if check.needs_run:
        return decision.prepared.change_set, decision.prepared.progress, ""
    if check.state is CheckState.FAILURE:
        selection = replace(work.selection, start_over=_FIXED_ELSEWHERE)
        options = f"start over: {_FIXED_ELSEWHERE}"
    elif check.everything_worse:
        selection, options = replace(work.selection, rerun="all"), "rerun all"
    elif check.cases.get(CaseState.UNDECIDED):
        selection, options = replace(work.selection, rerun="failed"), "rerun failed"
    else:
        return None
    again = Workspace(work.shell, selection, work.loaded, work.place)
    prepared = prepare(again, decision.prepared.targets, state)
    if not prepared.change_set.estimate.calls or refusal_of(again, prepared) is not None:
        return None
    return prepared.change_set, prepared.progress, options


def _offer(change_set: ChangeSet, progress: EarlierSpending, options: str) -> Offer:
    spent = EarlierSpending(spent_cents={"": progress.all_spent_cents})
    return Offer(change_set.digest, ceiling_of(change_set, spent), change_set.estimate.calls, options)


# Earlier sessions


def _ended(result: RunResult | None, check: RequiredCheck) -> EndedSession | None:
    """Why the session that has just ended did not make all calls; None if it did, or the check is decided."""
    if result is None or not result.problems or check.state is not CheckState.PENDING:
        return None
    is_refused = result.exit_code in (2, 3) and not result.consent.given
    return EndedSession(is_refused, result.problems[0])


def _description(check: RequiredCheck, ended: EndedSession | None) -> str:
    if ended is None:
        return check.description
    what = "refused" if ended.is_refused else "ended early"
    return one_line(f"{check.description} · {what}: {ended.problem}")


def _last_calls(place: OpenedStore, own: list[CaseResult]) -> LastCalls | None:
    """The newest calls of this pull request that somebody agreed to; None outside of one, or if nobody agreed. `own`
    are its results."""
    if place.base is None:
        return None
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
