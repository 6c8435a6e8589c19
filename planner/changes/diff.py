"""Compare cases with the baseline: what to do with each case, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from planner.changes.configuration import Agents
from planner.changes.detail import (
    expired,
    incomplete_evidence,
    inconclusive_calls,
    inputs_detail,
    settings_differ,
    stored_runs,
)
from planner.changes.fingerprint import call_fingerprint, check_fingerprint
from planner.changes.model import UNDECIDED, Change, Reason
from planner.changes.request import Earlier, Request, StoredResults
from planner.clock import aware
from planner.planfile.model import Case
from planner.results.model import CaseInputs, CaseResult, JudgedRun, StartOverDocument
from planner.results.outcomes import Action, CaseOutcome
from planner.values import frozen

_DIFFERENT_CALL: Final = (
    Reason.CALLER_PROMPT_CHANGED,
    Reason.SETTINGS_CHANGED,
    Reason.AGENT_EDITED,
    Reason.AGENT_FILE_CHANGED,
    Reason.NEW,
    Reason.EXPIRED,
)
"""For these reasons, earlier runs do not count."""
_NOT_PASSED: Final = (Reason.FAILED, Reason.INCONCLUSIVE, Reason.UNREAD)
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
        return prior is self.stored.base.get(self.case.case_id) and not self.demands_calls

    def counts_again(self, run: JudgedRun) -> bool:
        """Whether an earlier run counts if the case is called again: a call was made, and is young enough."""
        if not run.had_call:
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

    A case that failed is called again only if something changed, or with `--rerun`: it is then counted together with
    its earlier runs (`kept_run_ids`). Calls are added to kept runs for what is missing: raised `runs`, or runs of an
    undecided case without a call. After two sessions in which no call counts, only `--rerun failed` makes these. Calls
    that could not be judged are read again, free (`recheck`).
    """
    agents = Agents(request.revisions, request.configurations)
    expectation_digests: dict[int, str] = {}
    changes: list[Change] = []
    for case in cases:
        inputs = agents.inputs(case)
        check = check_fingerprint(case, expectation_digests)
        asked = replace(request, rerun="all") if case.case_id in request.interrupted else request
        today = _Today(case, inputs, call_fingerprint(inputs), check, stored, asked, agents)
        earlier = stored.cases.get(case.case_id, Earlier())
        if earlier.problem:
            changes.append(_unreadable(today, earlier))
            continue
        change = _change(today, earlier.prior)
        if request.start_over is not None:
            change = _started_over(today, change, request.start_over)
        elif earlier.reuse is not None and asked.rerun != "all":
            change = _reused(today, change, earlier.reuse)
        changes.append(change if earlier.reuse is None else replace(change, compared_with=earlier.compared_with))
    return (*changes, *map(_dropped, stored.gone))


def _unreadable(today: _Today, earlier: Earlier) -> Change:
    """Calls that cannot be read may have been paid for, so they are made again only with `--start-over`."""
    if today.request.start_over is None:
        return today.keep(earlier.prior, Reason.UNREADABLE, earlier.problem)
    return replace(today.call(None, Reason.START_OVER), start_over=today.request.start_over)


def _started_over(today: _Today, change: Change, why: StartOverDocument) -> Change:
    """The change without the earlier runs of a case that did not pass (with `--rerun all`: of any case)."""
    is_known = change.prior is not None
    is_unread = change.action is Action.RECHECK and change.reason in UNDECIDED
    has_passed = change.prior is not None and change.prior.outcome in (CaseOutcome.PASSED, CaseOutcome.FLAKY)
    if not is_known or not (is_unread or change.action is Action.CALL or change.reason is Reason.FAILED):
        return change
    if has_passed and today.request.rerun != "all":
        return change
    reason = Reason.START_OVER if change.reason in _NOT_PASSED or change.reason is Reason.RERUN else change.reason
    detail = "" if change.kept_run_ids or is_unread else change.detail  # it says that earlier runs count
    return replace(today.call(change.prior, reason, detail), start_over=why)


def _reused(today: _Today, step: Change, why: Literal[Reason.CALLED_BEFORE, Reason.RENAMED, Reason.SHARED]) -> Change:
    """Say why calls count that the newest session did not make; they are rechecked, free."""
    prior = step.prior
    needs_nothing = step.action is Action.REUSE and step.reason in (Reason.PASSED, Reason.FAILED, Reason.KNOWN_FAILING)
    rechecks = step.action is Action.RECHECK and step.reason not in UNDECIDED
    if prior is None or not (needs_nothing or rechecks):
        return step
    ended = max((run.completed_at for run in prior.runs if run.completed_at), default=None)
    stored = f"{stored_runs(len(prior.runs))}{f' of {ended:%Y-%m-%d}' if ended else ''} · free"
    if why is not Reason.CALLED_BEFORE:
        verb = "was" if why is Reason.RENAMED else "uses the calls of"
        stored = f"{verb} {prior.case_id} · {stored_runs(len(prior.runs))} · free"
    return today.recheck(prior, why, stored)


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
        # A shared store may not show in which part of the prompt it differs.
        is_setting = inputs.prompt == prior.inputs.prompt and settings_differ(prior.inputs, inputs)
        reason = Reason.SETTINGS_CHANGED if is_setting else Reason.CALLER_PROMPT_CHANGED
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
    if prior.outcome == "unknown":
        # A call that happened is not repeated unless asked: its missing evidence is read again, free.
        counted = [run for run in usable if today.counts_again(run)]
        lacks_calls = len(counted) < case.runs
        would_be_fruitless = prior.calls_decide_nothing and case.runs <= prior.runs_required
        if lacks_calls and not would_be_fruitless:
            return today.call(prior, Reason.INCONCLUSIVE, kept=counted)
        if not expectations_changed:
            detail = inconclusive_calls(prior) if lacks_calls else incomplete_evidence(counted)
            is_unread = not lacks_calls and any(run.missing for run in counted)
            return today.recheck(prior, Reason.UNREAD if is_unread else Reason.INCONCLUSIVE, detail)
    if case.runs > prior.runs_required and len(kept) < case.runs:
        return today.call(prior, Reason.RUNS_RAISED, kept=kept)
    if recheckable and len(kept) < case.runs:
        reason = Reason.EXPECTATIONS_CHANGED if expectations_changed else Reason.SETTINGS_CHANGED
        return today.call(prior, reason, kept=kept)
    if not expectations_changed and prior.outcome == "failed":
        return today.keep(prior, Reason.KNOWN_FAILING if today.is_known_failing(prior) else Reason.FAILED)
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
    detail = f"counted with {stored_runs(len(pool))}"
    return replace(today.call(prior, reason, kept=pool), runs=calls, detail=detail)


def _only_failed(today: _Today, step: Change) -> Change:
    prior = step.prior
    passed_or_new = prior is None or prior.outcome in (CaseOutcome.PASSED, CaseOutcome.FLAKY)
    if step.action is Action.RECHECK and step.reason in UNDECIDED and prior is not None:
        decided = [run for run in prior.runs if run.countable and today.counts_again(run)]
        if len(decided) < today.case.runs:
            return today.call(prior, Reason.INCONCLUSIVE, kept=decided)
        return _retry(today, prior, Reason.INCONCLUSIVE)
    if step.action is Action.REUSE and step.reason is Reason.FAILED and prior is not None:
        return _retry(today, prior, Reason.FAILED)
    if step.action is not Action.CALL or not passed_or_new:
        return step
    return today.keep(prior, Reason.NOT_SELECTED, f"not called: {step.reason.label}")


def _forced(today: _Today, step: Change) -> Change:
    prior = step.prior
    repeated = {CaseOutcome.FAILED: Reason.FAILED, CaseOutcome.UNKNOWN: Reason.INCONCLUSIVE}
    if prior is not None and step.reason not in _DIFFERENT_CALL and prior.outcome in repeated:
        return _retry(today, prior, repeated[prior.outcome])
    if step.action is not Action.CALL or step.kept_run_ids or step.reason in _NOT_A_CHANGE_OF_THE_CALL:
        return today.call(prior, Reason.RERUN)
    return step


def _dropped(prior: CaseResult) -> Change:
    fingerprints = (prior.call_fingerprint, prior.check_fingerprint)
    return Change(prior.case_id, Action.DROP, Reason.NO_LONGER_IN_PLAN, 0, "", None, prior, None, *fingerprints)
