"""Compare cases with the baseline: what to do with each case, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from planner.changes.configuration import Agents, Revisions
from planner.changes.detail import expired, incomplete_evidence, inconclusive_calls, inputs_detail, stored_runs
from planner.changes.fingerprint import call_fingerprint, check_fingerprint
from planner.changes.model import Change, Reason
from planner.changes.request import Request, StoredResults
from planner.clock import aware
from planner.planfile.model import Case
from planner.quantities import count
from planner.results.documents import called_at
from planner.results.model import CaseInputs, CaseResult, JudgedRun, StartOverDocument
from planner.results.outcomes import Action, CaseOutcome, Cause
from planner.values import frozen

_REUSABLE: Final = (
    Reason.CALLER_PROMPT_CHANGED,
    Reason.SETTINGS_CHANGED,
    Reason.AGENT_EDITED,
    Reason.AGENT_FILE_CHANGED,
    Reason.NEW,
)
"""For these reasons, the same call may have been made before."""
_DIFFERENT_CALL: Final = (*_REUSABLE, Reason.EXPIRED)
"""For these reasons, earlier runs do not count."""
_NOT_PASSED: Final = (Reason.FAILED, Reason.INCONCLUSIVE)
_NOT_A_CHANGE_OF_THE_CALL: Final = (Reason.RUNS_RAISED, Reason.EXPECTATIONS_CHANGED, Reason.JUDGE_CHANGED)


@frozen
class _Today:
    """One case as it is now."""

    case: Case
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    stored: StoredResults
    request: Request
    agents: Agents

    @property
    def judge(self) -> str | None:
        """None if no expectation uses it."""
        return self.request.judge if any(each.asks_model for each in self.case.expectations) else None

    def call(
        self, prior: CaseResult | None, reason: Reason, detail: str = "", kept: Sequence[JudgedRun] = ()
    ) -> Change:
        """Call it as often as the plan says, or only the runs that are missing beside the `kept` ones."""
        detail = f"in addition to {stored_runs(len(kept))}" if kept else detail
        return Change(
            self.case.case_id,
            Action.CALL,
            reason,
            self.case.runs - len(kept),
            detail,
            self.case,
            prior,
            self.inputs,
            self.call_fingerprint,
            self.check_fingerprint,
            tuple(run.run_id for run in kept),
            self.judge,
        )

    def keep(self, prior: CaseResult | None, reason: Reason, detail: str = "") -> Change:
        """Carries the inputs and fingerprints of the stored runs, and the configuration if it is known by now."""
        kept = replace(self.call(prior, reason, detail), action=Action.REUSE, runs=0)
        if prior is None:
            return kept
        call, check = prior.call_fingerprint, prior.check_fingerprint
        inputs = self.agents.completed(prior.inputs, self.case)
        return replace(kept, inputs=inputs, call_fingerprint=call, check_fingerprint=check)

    def recheck(self, prior: CaseResult, reason: Reason, detail: str) -> Change:
        kept = self.keep(prior, reason, detail)
        return replace(kept, action=Action.RECHECK, check_fingerprint=self.check_fingerprint)

    def is_same_agent(self, prior: CaseResult, known: Revisions) -> bool:
        same = self.agents.is_same(prior.inputs, self.case)
        return same if same is not None else known.same_agent(prior.inputs, self.inputs)

    def is_moved(self, prior: CaseResult) -> bool:
        """Whether only the agent's id differs, and both agents have the same configuration."""
        if not prior.inputs.target_kind == self.inputs.target_kind == "agent":
            return False
        moved = self.inputs.model_copy(update={"target_id": prior.inputs.target_id})
        is_same_call = call_fingerprint(moved) == prior.call_fingerprint
        return is_same_call and self.agents.has_same_configuration(prior.inputs, self.case.target) is True

    @property
    def demands_calls(self) -> bool:
        return self.request.rerun != "needed" or self.request.start_over is not None

    def could_pass(self, pool: Sequence[JudgedRun], calls: int) -> bool:
        """Whether `calls` passing runs could bring the case to its rate. Not asked if the user demands calls."""
        if self.stored.could_pass is None or self.demands_calls:
            return True
        return self.stored.could_pass(self.case, pool, calls)

    def can_recheck(self, run: JudgedRun) -> bool:
        has_evidence = self.stored.has_evidence
        return run.evidence is not None and (has_evidence is None or has_evidence(run.evidence))

    def is_rejudged(self, prior: CaseResult) -> bool:
        """Whether expectations or judge changed."""
        return self.check_fingerprint != prior.check_fingerprint or self.is_judge_changed(prior)

    def is_judge_changed(self, prior: CaseResult) -> bool:
        return self.judge is not None and prior.judged_by is not None and self.judge != prior.judged_by

    def is_known_failing(self, prior: CaseResult) -> bool:
        """Whether the branch that the pull request targets has this failure. Not asked if the user demands calls."""
        case_id, stored = self.case.case_id, self.stored
        if stored.on_branch is None or self.demands_calls:
            return False
        return case_id in stored.of_target and prior is stored.baseline.get(case_id)

    def counts_again(self, run: JudgedRun) -> bool:
        """Whether an earlier run counts if the case is called again: a call was made (or its lack counts), and is young
        enough."""
        counts_platform = self.case.platform_failures == "fail" and run.excluded is None
        if not run.had_call and not (run.cause is Cause.PLATFORM and counts_platform):
            return False
        if self.case.max_age is None:
            return True
        return run.completed_at is not None and self.request.now - aware(run.completed_at) <= self.case.max_age


def diff(cases: Sequence[Case], stored: StoredResults, request: Request) -> tuple[Change, ...]:
    """One change per case, in the order given, then the baseline's cases that no plan has any more.

    A case whose call was made before, or under another name, is rechecked on those calls. Otherwise the first reason
    that applies is given: new, prompt or settings changed, agent edited, expired, failed last time, unknown last time,
    runs raised, expectations changed. If only expectations changed, stored evidence is rechecked first, even if the
    case failed: it is free.

    A case that failed or was undecided is called again and counted together with its earlier runs (`kept_run_ids`),
    unless even passing calls could not reach its rate (`out_of_reach`). Other calls are added to kept runs only for
    what is missing: raised `runs`, or runs of an undecided case without a call. After two sessions in which no call
    counts, only `--rerun failed` makes these. Calls that could not be judged are read again, free (`recheck`).
    """
    present = {case.case_id for case in cases}
    known = Revisions(stored.baseline.values())
    deleted: dict[str, list[CaseResult]] = defaultdict(list)  # by call fingerprint
    for case_id, prior in {**stored.deleted, **stored.baseline}.items() if not request.partial else ():
        if case_id not in present:
            deleted[prior.call_fingerprint].append(prior)
    agents = Agents(request.revisions, request.configurations)
    expectation_digests: dict[int, str] = {}
    changes: list[Change] = []
    for case in cases:
        inputs = agents.inputs(case)
        check = check_fingerprint(case, expectation_digests)
        today = _Today(case, inputs, call_fingerprint(inputs), check, stored, request, agents)
        change = _retry_partial(today) or _change(today, stored.baseline.get(case.case_id))
        if request.start_over is not None:
            change = _started_over(today, change, request.start_over)
        needs_calls = request.rerun == "needed" and change.action is Action.CALL
        on_branch: Change | None = None
        if request.start_over is None and (needs_calls or request.rerun == "failed"):
            on_branch = _reuse_branch(today, change)
        if on_branch is None and needs_calls:
            change = _reuse(today, change, deleted, known) or change
        change = on_branch or change
        changes.append(change)
    if not request.partial:
        present |= {change.prior.case_id for change in changes if change.reason is Reason.RENAMED and change.prior}
        changes += [_dropped(prior) for case_id, prior in stored.baseline.items() if case_id not in present]
    return tuple(changes)


def _started_over(today: _Today, change: Change, why: StartOverDocument) -> Change:
    """The change without the earlier runs of a case that did not pass (with `--rerun all`: of any case)."""
    is_known = change.prior is not None or change.case_id in (today.stored.on_branch or {})
    is_unread = change.action is Action.RECHECK and change.reason is Reason.INCONCLUSIVE
    has_passed = change.prior is not None and change.prior.outcome in (CaseOutcome.PASSED, CaseOutcome.FLAKY)
    if not is_known or not (is_unread or change.action is Action.CALL):
        return change
    if has_passed and today.request.rerun != "all":
        return change
    reason = Reason.START_OVER if change.reason in _NOT_PASSED or change.reason is Reason.RERUN else change.reason
    detail = "" if change.kept_run_ids or is_unread else change.detail  # it says that earlier runs count
    return replace(today.call(change.prior, reason, detail), compared_with=change.compared_with, start_over=why)


def _retry_partial(today: _Today) -> Change | None:
    """Retry a case of a partial session: its runs count, but it is still compared with the baseline."""
    prior = today.stored.partial_results.get(today.case.case_id)
    if prior is None or prior.call_fingerprint != today.call_fingerprint:
        return None
    if today.agents.edit(prior.inputs, today.case) is not None:
        return None
    change = _change(today, prior)
    baseline = today.stored.baseline.get(today.case.case_id)
    was_fruitless = change.reason is Reason.INCONCLUSIVE and prior.inconclusive_sessions > 0
    counts = change.is_retry or change.reason is Reason.OUT_OF_REACH
    if not counts and not (was_fruitless and _step(today, baseline).action is Action.CALL):
        return None
    return replace(change, compared_with=baseline)


def _reuse_branch(today: _Today, change: Change) -> Change | None:
    """Use the calls of an earlier session of the same pull request. The comparison is with the default branch, if that
    has the case."""
    own, prior = (today.stored.on_branch or {}).get(change.case_id), change.prior
    if own is None or own.call_fingerprint != today.call_fingerprint:
        return None
    if prior is not None and called_at(own) <= called_at(prior):
        return None
    found = _change(today, own)
    if prior is not None and found.action is Action.REUSE and found.reason is not Reason.OUT_OF_REACH:
        return _rechecked(today, change, Reason.CALLED_BEFORE, f"{stored_runs(len(own.runs))} · free", own)
    return replace(found, compared_with=prior)


def _reuse(today: _Today, change: Change, deleted: dict[str, list[CaseResult]], known: Revisions) -> Change | None:
    """Recheck stored calls instead of making new ones, if there are any. A deleted case is reused once."""
    if change.reason is Reason.NEW:
        for old in deleted[today.call_fingerprint]:
            if _is_reusable(today, old):
                deleted[today.call_fingerprint].remove(old)
                detail = f"was {old.case_id} · {stored_runs(len(old.runs))} · free"
                return _rechecked(today, change, Reason.RENAMED, detail, old)
    called_before = today.stored.called_before
    if called_before is not None and change.reason in _REUSABLE:
        for older in called_before(change.case_id, today.call_fingerprint):
            if not today.is_same_agent(older, known):
                continue
            step = _step(today, older)
            failed = step.reason is Reason.OUT_OF_REACH or (step.is_retry and older.outcome is CaseOutcome.FAILED)
            # Changing the call and changing it back does not forget failures.
            if failed and today.request.start_over is None:
                return replace(step, compared_with=change.prior)
            if _is_reusable(today, older):
                ended = max((run.completed_at for run in older.runs if run.completed_at), default=None)
                date = f" of {ended:%Y-%m-%d}" if ended else ""
                detail = f"{stored_runs(len(older.runs))}{date} · free"
                return _rechecked(today, change, Reason.CALLED_BEFORE, detail, older)
    return None


def _is_reusable(today: _Today, prior: CaseResult) -> bool:
    """Whether this stored case would need no call, and can be rechecked."""
    step = _step(today, prior)
    is_free = step.action is not Action.CALL and step.reason not in (Reason.INCONCLUSIVE, Reason.OUT_OF_REACH)
    return is_free and bool(prior.runs) and all(today.can_recheck(run) or not run.had_call for run in prior.runs)


def _rechecked(today: _Today, change: Change, reason: Reason, detail: str, prior: CaseResult) -> Change:
    found = today.recheck(prior, reason, detail)
    return replace(found, compared_with=change.prior, start_over=change.start_over)


def _change(today: _Today, prior: CaseResult | None) -> Change:
    step = _step(today, prior)
    match today.request.rerun:
        case "failed":
            return _only_failed(today, step)
        case "all":
            return _forced(today, step)
        case "needed":
            return step


def _step(today: _Today, prior: CaseResult | None) -> Change:
    case, inputs = today.case, today.inputs
    if prior is None:
        return today.call(None, Reason.NEW)
    if today.call_fingerprint != prior.call_fingerprint and not today.is_moved(prior):
        reason = Reason.CALLER_PROMPT_CHANGED if inputs.prompt != prior.inputs.prompt else Reason.SETTINGS_CHANGED
        return today.call(prior, reason, inputs_detail(prior.inputs, inputs))
    if (edit := today.agents.edit(prior.inputs, today.case)) is not None:
        return today.call(prior, edit.reason, edit.detail)
    if (too_old := expired(case, prior, today.request.now)) is not None:
        return today.call(prior, Reason.EXPIRED, too_old)
    return _same_call(today, prior)


def _same_call(today: _Today, prior: CaseResult) -> Change:
    """The call is the same as that of the stored runs; if expectations changed, they are rechecked."""
    case, expectations_changed = today.case, today.is_rejudged(prior)
    usable = [run for run in prior.runs if not expectations_changed or today.can_recheck(run)]
    usable_ids = {run.run_id for run in usable}
    kept = [run for run in prior.runs if run.run_id in usable_ids or not run.had_call]
    recheckable = bool(prior.runs) and len(kept) == len(prior.runs)
    skipped = _not_needed(today, prior, expectations_changed=expectations_changed)
    if prior.outcome == "failed" and not (expectations_changed and recheckable):
        if not expectations_changed and today.is_known_failing(prior):
            return today.keep(prior, Reason.KNOWN_FAILING)
        return _retry(today, prior, Reason.FAILED)
    if prior.outcome == "unknown":
        # A call that happened is not repeated unless asked: its missing evidence is read again, free.
        counted = [run for run in usable if today.counts_again(run)]
        lacks_calls = len(counted) + skipped < case.runs
        would_be_fruitless = prior.calls_decide_nothing and case.runs <= prior.runs_required
        if lacks_calls and not would_be_fruitless:
            return today.call(prior, Reason.INCONCLUSIVE, kept=counted)
        if not expectations_changed:
            detail = inconclusive_calls(prior) if lacks_calls else incomplete_evidence(counted)
            return today.recheck(prior, Reason.INCONCLUSIVE, detail)
    if case.runs > prior.runs_required and len(kept) < case.runs:
        return today.call(prior, Reason.RUNS_RAISED, kept=kept)
    if skipped < prior.runs_not_needed and len(kept) + skipped < case.runs:
        reason = Reason.EXPECTATIONS_CHANGED if expectations_changed else Reason.SETTINGS_CHANGED
        return today.call(prior, reason, kept=kept)
    if not expectations_changed:
        return today.keep(prior, Reason.PASSED, "flaky" if prior.outcome == "flaky" else "")
    if not recheckable:
        return today.call(prior, Reason.EXPECTATIONS_CHANGED, "the stored evidence is missing")
    if today.check_fingerprint == prior.check_fingerprint:
        detail = f"{stored_runs(len(prior.runs))} · judged by {prior.judged_by}, now {today.judge} · free"
        return today.recheck(prior, Reason.JUDGE_CHANGED, detail)
    return today.recheck(prior, Reason.EXPECTATIONS_CHANGED, f"{stored_runs(len(prior.runs))} · free")


def _retry(today: _Today, prior: CaseResult, reason: Reason) -> Change:
    """Call a failed or undecided case again; its earlier runs count together with the new ones."""
    case = today.case
    rejudged = today.is_rejudged(prior)
    pool = [run for run in prior.runs if today.counts_again(run) and (not rejudged or today.can_recheck(run))]
    if not pool:
        return today.call(prior, reason)
    calls = case.runs
    if case.runs > prior.runs_required:
        calls = case.runs - len(pool) if len(pool) < case.runs else case.runs
    if reason is Reason.FAILED and not today.could_pass(pool, calls):
        detail = f"even {count(calls, 'more passing run')} would not reach the rate"
        return today.keep(prior, Reason.OUT_OF_REACH, detail)
    detail = f"counted with {stored_runs(len(pool))}"
    return replace(today.call(prior, reason, kept=pool), runs=calls, detail=detail)


def _not_needed(today: _Today, prior: CaseResult, *, expectations_changed: bool) -> int:
    """How many of the runs that the stored case skipped are still not needed."""
    case = today.case
    if not prior.runs_not_needed or case.when_settled != "stop" or case.runs > prior.runs_required:
        return 0
    still_settled = today.stored.still_settled
    if expectations_changed and not (still_settled and still_settled(case, prior)):
        return 0
    return prior.runs_not_needed


def _only_failed(today: _Today, step: Change) -> Change:
    prior = step.prior
    passed_or_new = prior is None or prior.outcome in (CaseOutcome.PASSED, CaseOutcome.FLAKY)
    if step.action is Action.RECHECK and step.reason is Reason.INCONCLUSIVE and prior is not None:
        decided = [run for run in prior.runs if run.countable and today.counts_again(run)]
        if len(decided) < today.case.runs:
            return today.call(prior, step.reason, kept=decided)
        return _retry(today, prior, step.reason)
    if step.action is Action.REUSE or not passed_or_new:
        return step
    return today.keep(prior, Reason.NOT_SELECTED, f"not called: {step.reason.label}")


def _forced(today: _Today, step: Change) -> Change:
    prior = step.prior
    repeated = {CaseOutcome.FAILED: Reason.FAILED, CaseOutcome.UNKNOWN: Reason.INCONCLUSIVE}
    if prior is not None and step.reason not in _DIFFERENT_CALL and prior.outcome in repeated:
        return _retry(today, prior, repeated[prior.outcome])
    if step.action is not Action.CALL or step.reason in _NOT_A_CHANGE_OF_THE_CALL:
        return today.call(prior, Reason.RERUN)
    return today.call(prior, step.reason) if step.kept_run_ids else step


def _dropped(prior: CaseResult) -> Change:
    fingerprints = (prior.call_fingerprint, prior.check_fingerprint)
    return Change(prior.case_id, Action.DROP, Reason.NO_LONGER_IN_PLAN, 0, "", None, prior, None, *fingerprints)
