"""Cases against the baseline: what has to happen to each, and why. Pure; the clock and what a key could tell are passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from planner.changes.detail import inputs_detail
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.found_again import CalledBefore, Renamed, Revisions
from planner.changes.model import Action, Change, Reason
from planner.changes.stored_runs import edited, expired, stored_runs, to_read_again
from planner.moments import aware
from planner.planfile.model import Case
from planner.results.baselines import called_at
from planner.results.model import CaseDocument, CaseInputs, FreshDocument, RunDocument

Rerun = Literal["changed", "failed", "all"]
CouldPass: TypeAlias = Callable[[Case, Sequence[RunDocument], int], bool]
"""(case, stored runs, number of passing runs to add) → whether all of them together would not fail the case."""

_TAKEN_BACK: Final = (Reason.PROMPT_CHANGED, Reason.SETTINGS_CHANGED, Reason.AGENT_EDITED, Reason.NEW)
"""Why a case is called that may have been called so before."""
_OTHER_CALL: Final = (Reason.NEW, Reason.PROMPT_CHANGED, Reason.SETTINGS_CHANGED, Reason.AGENT_EDITED, Reason.EXPIRED)
"""Why a case is called that is not the call it was: earlier runs do not count."""
_NO_CALL_FAULTS: Final = ("platform", "caller")
"""Of runs that no other expectation could make countable: there was no proper call."""


@dataclass(frozen=True, slots=True)
class _Today:
    """One case as it is now, and what is known now."""

    case: Case
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    now: datetime
    evidence_stored: Callable[[str], bool] | None
    still_settled: Callable[[Case, CaseDocument], bool] | None
    judge: str | None
    could_pass: CouldPass | None

    def can_judge_again(self, run: RunDocument) -> bool:
        return run.evidence is not None and (self.evidence_stored is None or self.evidence_stored(run.evidence))

    def counts_again(self, run: RunDocument) -> bool:
        """Whether an earlier run counts when the case is called again: a call was made (or its lack counts), not too long ago."""
        if run.fault in _NO_CALL_FAULTS and not (run.fault == "platform" and self.case.platform_failures == "fail"):
            return False
        if self.case.max_age is None:
            return True
        return run.completed_at is not None and self.now - aware(run.completed_at) <= self.case.max_age


@dataclass(frozen=True, slots=True)
class _Step:
    """What to do with one case; the runs `kept` count beside the calls."""

    action: Action
    reason: Reason
    runs: int = 0
    detail: str = ""
    kept: tuple[int, ...] = ()


def diff(
    cases: Sequence[Case],
    baseline: Mapping[str, CaseDocument],
    *,
    revisions: Mapping[tuple[str, int], str | None],
    rerun: Rerun,
    now: datetime,
    partial: bool,
    evidence_stored: Callable[[str], bool] | None = None,
    still_settled: Callable[[Case, CaseDocument], bool] | None = None,
    called_before: CalledBefore | None = None,
    judge: str | None = None,
    gone: Mapping[str, CaseDocument] | None = None,
    tries: Mapping[str, CaseDocument] | None = None,
    could_pass: CouldPass | None = None,
    fresh: FreshDocument | None = None,
    on_branch: Mapping[str, CaseDocument] | None = None,
) -> tuple[Change, ...]:
    """One change per case, in the order given, then the baseline's cases that no plan has any more.

    A case that would be called and was called so before, or under another name, is judged again on those calls. Of the others, the
    first reason that holds is given: new, prompt or settings changed, agent edited, expired, failed last time, unknown last time,
    runs raised, expectations changed. Where only expectations changed, stored evidence is judged again first: it is free.

    `rerun="all"` calls every case (`forced` if there is no better reason). `rerun="failed"` leaves alone what passed or is new: `keep`
    with reason `not_selected`, unless it would have been kept anyway.

    A case that failed, or was undecided, is called again beside its earlier runs (`kept_run_ids`): all count together. Where these and
    as many passing ones could not reach its rate, `rerun="changed"` keeps it as failed (`out_of_reach`).

    Other calls are for what is missing: runs raised since, or runs of an undecided case in which no call happened. Calls that could
    not be judged are read again, free (`recheck`). Kept runs are judged again; if expectations changed, only those with evidence.

    `keep` and `recheck` carry the inputs and call fingerprint of the stored runs, `keep` their check fingerprint: store these again.

    Args:
        baseline: every stored case of the plans loaded, by case id.
        revisions: what the service says of the agent behind (kind, id) now: `<updated_at> <digest>`; None or absent: not known.
        partial: only some cases were selected; nothing is dropped.
        evidence_stored: whether the evidence of a digest is there to be judged again; None takes it for granted.
        still_settled: whether a stored case still does without the runs that it once did not need; None: it does not.
        called_before: where to look for older calls of a case that is what it once was; None: nowhere.
        judge: the language model that `check: judge` would be asked of, and how; None where none is named.
        gone: the stored cases of plans that are no more; a case that is new may be one of these, under another name.
        tries: what partial sessions since the baseline found of cases that failed or were undecided in them.
        could_pass: whether stored runs of a case and so many passing ones would not fail it; None: they would not.
        fresh: why earlier runs of the cases called are set aside; None: they are not.
        on_branch: what the pull request's own sessions stored; the comparison is still with the baseline.
    """
    renamed = (
        Renamed({**(gone or {}), **baseline}, (case.case_id for case in cases))
        if not partial and rerun == "changed"
        else None
    )
    known = Revisions(baseline.values())
    expectation_digests: dict[int, str] = {}
    changes: list[Change] = []
    for case in cases:
        inputs = case_inputs(case, revisions.get((case.target.kind, case.target.id)))
        check = check_fingerprint(case, expectation_digests)
        asks = any(expectation.asks_model for expectation in case.expectations)
        today = _Today(
            case,
            inputs,
            call_fingerprint(inputs),
            check,
            now,
            evidence_stored,
            still_settled,
            judge if asks else None,
            could_pass if rerun == "changed" and fresh is None else None,
        )
        change = _tried_again(today, tries or {}, rerun, baseline.get(case.case_id))
        change = change or _change(today, baseline.get(case.case_id), rerun)
        if fresh is not None and change.action is Action.CALL:
            change = replace(change, runs=case.runs, kept_run_ids=(), fresh=fresh if change.prior else None)
        if change.action is Action.CALL and rerun == "changed":
            own = None if fresh is not None else _on_branch(today, change, (on_branch or {}).get(case.case_id))
            change = own or _found_again(today, change, renamed, known, called_before) or change
        changes.append(change)
    if not partial:
        present = {case.case_id for case in cases} | (renamed.taken if renamed else set[str]())
        changes += [_dropped(prior) for case_id, prior in baseline.items() if case_id not in present]
    return tuple(changes)


def _tried_again(
    today: _Today, tries: Mapping[str, CaseDocument], rerun: Rerun, baseline: CaseDocument | None
) -> Change | None:
    """A retry of what a partial session called: its runs count, and the comparison is still with the baseline. None otherwise."""
    tried = tries.get(today.case.case_id)
    if tried is None or tried.call_fingerprint != today.call_fingerprint:
        return None
    if edited(tried.inputs.agent_revision, today.inputs.agent_revision) is not None:
        return None
    change = _change(today, tried, rerun)
    if not change.is_retry and change.reason is not Reason.OUT_OF_REACH:
        return None
    return replace(change, compared_with=baseline)


def _on_branch(today: _Today, change: Change, own: CaseDocument | None) -> Change | None:
    """Uses what an earlier session of the same pull request called instead of new calls; None if it did not call this.

    The comparison is with the default branch, where that has the case.
    """
    if own is None or own.call_fingerprint != today.call_fingerprint:
        return None
    if change.prior is not None and called_at(own) <= called_at(change.prior):
        return None
    mine = _change(today, own, "changed")
    if change.prior is not None and mine.action is Action.KEEP and mine.reason is not Reason.OUT_OF_REACH:
        return _judged_again(today, change, Reason.CALLED_BEFORE, f"{stored_runs(len(own.runs))} · free", own)
    return replace(mine, compared_with=change.prior)


def _found_again(
    today: _Today, change: Change, renamed: Renamed | None, known: Revisions, called_before: CalledBefore | None
) -> Change | None:
    """Stored calls that stand instead of new ones; None where there are none."""
    if change.reason is Reason.NEW and renamed is not None:
        for gone in renamed.candidates(today.call_fingerprint):
            if _stands(today, gone):
                renamed.take(gone)
                detail = f"was {gone.case_id} · {stored_runs(len(gone.runs))} · free"
                return _judged_again(today, change, Reason.RENAMED, detail, gone)
    if called_before is not None and change.reason in _TAKEN_BACK:
        for older in called_before(change.case_id, today.call_fingerprint):
            if known.same_agent(older.inputs, today.inputs) and _stands(today, older):
                when = max((run.completed_at for run in older.runs if run.completed_at), default=None)
                of_when = f" of {when:%Y-%m-%d}" if when else ""
                detail = f"{stored_runs(len(older.runs))}{of_when} · free"
                return _judged_again(today, change, Reason.CALLED_BEFORE, detail, older)
    return None


def _stands(today: _Today, stored: CaseDocument) -> bool:
    """Whether these would need no call if they were the case's own, and can be judged again."""
    step = _step(today, stored)
    if step.action not in (Action.KEEP, Action.RECHECK):
        return False
    if step.reason in (Reason.UNKNOWN_LAST_TIME, Reason.OUT_OF_REACH):
        return False
    return bool(stored.runs) and all(today.can_judge_again(run) or run.fault in _NO_CALL_FAULTS for run in stored.runs)


def _judged_again(today: _Today, change: Change, reason: Reason, detail: str, stored: CaseDocument) -> Change:
    return replace(
        change,
        action=Action.RECHECK,
        reason=reason,
        runs=0,
        detail=detail,
        prior=stored,
        inputs=stored.inputs,
        call_fingerprint=stored.call_fingerprint,
        check_fingerprint=today.check_fingerprint,
        kept_run_ids=(),
        compared_with=change.prior,
    )


def _change(today: _Today, prior: CaseDocument | None, rerun: Rerun) -> Change:
    case, inputs, call, check = today.case, today.inputs, today.call_fingerprint, today.check_fingerprint
    step = _step(today, prior)
    match rerun:
        case "changed":
            pass
        case "failed":
            step = _only_failed(today, step, prior)
        case "all":
            step = _afresh(today, step, prior)
        case _:
            assert_never(rerun)
    if prior is not None and step.action in (Action.KEEP, Action.RECHECK):
        inputs, call = prior.inputs, prior.call_fingerprint
        check = check if step.action is Action.RECHECK else prior.check_fingerprint
    return Change(
        case.case_id,
        step.action,
        step.reason,
        step.runs,
        step.detail,
        case,
        prior,
        inputs,
        call,
        check,
        step.kept,
        today.judge,
    )


def _step(today: _Today, prior: CaseDocument | None) -> _Step:
    case, inputs = today.case, today.inputs
    if prior is None:
        return _call(case, Reason.NEW)
    if today.call_fingerprint != prior.call_fingerprint:
        reason = Reason.PROMPT_CHANGED if inputs.prompt != prior.inputs.prompt else Reason.SETTINGS_CHANGED
        return _call(case, reason, inputs_detail(prior.inputs, inputs))
    if (edit := edited(prior.inputs.agent_revision, inputs.agent_revision)) is not None:
        return _call(case, Reason.AGENT_EDITED, edit)
    if (too_old := expired(case, prior, today.now)) is not None:
        return _call(case, Reason.EXPIRED, too_old)
    return _same_call(today, prior)


def _same_call(today: _Today, prior: CaseDocument) -> _Step:
    """The stored runs are what a call would be today; they need judging again where expectations changed."""
    case = today.case
    other_words = today.check_fingerprint != prior.check_fingerprint
    expectations_changed = other_words or _other_judge(today, prior)

    def usable(run: RunDocument) -> bool:
        return not expectations_changed or today.can_judge_again(run)

    spared = _not_needed(today, prior, expectations_changed=expectations_changed)
    recheckable = bool(prior.runs) and all(usable(run) or run.fault in _NO_CALL_FAULTS for run in prior.runs)
    match prior.outcome:
        case "failed":
            if not (expectations_changed and recheckable):
                return _retry(today, prior, Reason.FAILED_LAST_TIME)
        case "unknown":
            # A call that happened is not made again unasked: what of its evidence is missing is read again, free.
            kept = [run for run in prior.runs if today.counts_again(run) and usable(run)]
            if len(kept) + spared < case.runs:
                return _missing(case, Reason.UNKNOWN_LAST_TIME, kept)
            if not expectations_changed:
                return _Step(Action.RECHECK, Reason.UNKNOWN_LAST_TIME, detail=to_read_again(kept))
        case "passed" | "flaky":
            pass
        case _:
            assert_never(prior.outcome)
    kept = [run for run in prior.runs if usable(run) or run.fault in _NO_CALL_FAULTS]
    if case.runs > prior.runs_required and len(kept) < case.runs:
        return _missing(case, Reason.RUNS_RAISED, kept)
    if spared < prior.runs_not_needed and len(kept) + spared < case.runs:
        return _missing(case, Reason.EXPECTATIONS_CHANGED if expectations_changed else Reason.SETTINGS_CHANGED, kept)
    if not expectations_changed:
        flaky = f"flaky: {prior.runs_passed} of {prior.runs_total} runs passed" if prior.outcome == "flaky" else ""
        return _Step(Action.KEEP, Reason.PASSED, detail=flaky)
    if not recheckable:
        return _call(case, Reason.EXPECTATIONS_CHANGED, "the stored evidence is gone")
    if not other_words:
        detail = f"{stored_runs(len(prior.runs))} · by {prior.judged_by} then, by {today.judge} now · free"
        return _Step(Action.RECHECK, Reason.JUDGE_CHANGED, detail=detail)
    return _Step(Action.RECHECK, Reason.EXPECTATIONS_CHANGED, detail=f"{stored_runs(len(prior.runs))} · free")


def _retry(today: _Today, prior: CaseDocument, reason: Reason) -> _Step:
    """Another try at a case that failed or was undecided: its earlier runs count beside the new ones."""
    case = today.case
    changed = today.check_fingerprint != prior.check_fingerprint or _other_judge(today, prior)
    pool = [run for run in prior.runs if today.counts_again(run) and (not changed or today.can_judge_again(run))]
    if not pool:
        return _call(case, reason)
    calls = case.runs
    if case.runs > prior.runs_required:
        calls = case.runs - len(pool) if len(pool) < case.runs else case.runs
    if reason is Reason.FAILED_LAST_TIME and today.could_pass is not None and not today.could_pass(case, pool, calls):
        passed = sum(run.fault is None for run in pool)
        detail = (
            f"{passed} of {len(pool)} passed; {calls} more could not reach the rate: --fresh REASON, or more `runs`"
        )
        return _Step(Action.KEEP, Reason.OUT_OF_REACH, detail=detail)
    detail = f"counted with {stored_runs(len(pool))}"
    return _Step(Action.CALL, reason, calls, detail, tuple(run.run_id for run in pool))


def _other_judge(today: _Today, prior: CaseDocument) -> bool:
    return today.judge is not None and prior.judged_by is not None and today.judge != prior.judged_by


def _not_needed(today: _Today, prior: CaseDocument, *, expectations_changed: bool) -> int:
    """Of the runs that the stored case did without, those that it does without today."""
    case = today.case
    if not prior.runs_not_needed or case.when_settled != "stop" or case.runs > prior.runs_required:
        return 0
    if expectations_changed and not (today.still_settled and today.still_settled(case, prior)):
        return 0
    return prior.runs_not_needed


def _call(case: Case, reason: Reason, detail: str = "") -> _Step:
    return _Step(Action.CALL, reason, case.runs, detail)


def _missing(case: Case, reason: Reason, kept: Sequence[RunDocument]) -> _Step:
    detail = f"beside {stored_runs(len(kept))}" if kept else ""
    return _Step(Action.CALL, reason, case.runs - len(kept), detail, tuple(run.run_id for run in kept))


def _only_failed(today: _Today, step: _Step, prior: CaseDocument | None) -> _Step:
    case = today.case
    passed_or_new = prior is None or prior.outcome in ("passed", "flaky")
    if step.action is Action.RECHECK and step.reason is Reason.UNKNOWN_LAST_TIME and prior is not None:
        decided = [run for run in prior.runs if run.countable and today.counts_again(run)]
        if len(decided) < case.runs:
            return _missing(case, step.reason, decided)
        return _retry(today, prior, step.reason)
    if step.action is Action.KEEP or not passed_or_new:
        return step
    return _Step(Action.KEEP, Reason.NOT_SELECTED, detail=f"left as it is: {step.reason.label}")


def _afresh(today: _Today, step: _Step, prior: CaseDocument | None) -> _Step:
    case = today.case
    if prior is not None and prior.outcome in ("failed", "unknown") and step.reason not in _OTHER_CALL:
        last = Reason.FAILED_LAST_TIME if prior.outcome == "failed" else Reason.UNKNOWN_LAST_TIME
        return _retry(today, prior, last)
    if step.action is not Action.CALL or step.reason in (
        Reason.RUNS_RAISED,
        Reason.EXPECTATIONS_CHANGED,
        Reason.JUDGE_CHANGED,
    ):
        return _call(case, Reason.FORCED)
    return step if not step.kept else _call(case, step.reason)


def _dropped(prior: CaseDocument) -> Change:
    return Change(
        prior.case_id,
        Action.DROP,
        Reason.NO_LONGER_IN_PLAN,
        0,
        "",
        None,
        prior,
        None,
        prior.call_fingerprint,
        prior.check_fingerprint,
    )
