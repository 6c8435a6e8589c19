"""Build the case documents of a result from changes and judged runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from typing import Any, Final

from planner.changes.detail import expected_lines
from planner.changes.model import Change, Reason
from planner.checks.opinions import Ask, no_judge
from planner.planfile.model import Case
from planner.results.model import CaseResult, JudgedRun, QuarantineDocument, Sample
from planner.results.outcomes import Action, CaseOutcome
from planner.values import frozen
from planner.verdicts.baseline import (
    BaselineComparison,
    baseline_of,
    compare_outcomes,
    is_recheck,
    judgement_change,
    keeps_comparison,
    kept_comparison,
    open_against,
)
from planner.verdicts.cases import (
    CaseVerdict,
    RunKey,
    case_fields,
    run_key,
    sample_of,
    sample_of_runs,
)
from planner.verdicts.comparison import Pair, compared_by_sides, has_other_rate, measurement_change
from planner.verdicts.ending import NO_OPEN_RUNS, OpenRuns, judge_with_open_runs
from planner.verdicts.runs import LoadEvidence, expectation_name, judge_again, judge_stored, rests_on_grade

_OTHER_AGENT: Final = (Reason.AGENT_EDITED, Reason.AGENT_FILE_CHANGED)


@frozen
class MissingRuns:
    """Runs without a verdict, by the case that makes the calls. `not_called` says in one line why some were not
    launched."""

    not_called: str = ""
    open_runs: Mapping[str, OpenRuns] = field(default_factory=dict[str, OpenRuns])
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    """Wanted and not launched, retries included."""


@frozen
class _JudgedCase:
    """A case that was called or rechecked."""

    change: Change
    case: Case
    runs: Sequence[JudgedRun]
    verdict: CaseVerdict
    open_runs: OpenRuns
    confirmation: Sequence[JudgedRun] = ()

    def sample(self, runs: Sequence[JudgedRun]) -> Sample:
        not_made = self.open_runs.launched + self.open_runs.not_made
        return sample_of_runs(self.case, runs, self.verdict.outcome, not_made)


def assemble_cases(
    changes: Sequence[Change],
    made: Mapping[str, Sequence[JudgedRun]],
    load_evidence: LoadEvidence,
    missing: MissingRuns,
    *,
    today: date,
    ask: Ask = no_judge,
) -> list[CaseResult]:
    """The document of every case that was not dropped, compared with its baseline.

    Args:
        made: the runs made or resumed in this session, by case id.
        today: in UTC; decides which quarantines apply.
        ask: returns the answers of the language model.
    """
    documents: dict[str, CaseResult] = {}
    judged: list[_JudgedCase] = []
    for change in changes:
        if change.case is None:
            continue
        if change.action is not Action.REUSE:
            judged.append(_judge(change, change.case, made.get(change.case_id, ()), missing, load_evidence, ask))
        elif change.prior is not None:  # else new and not selected: nothing to report
            documents[change.case_id] = _kept(change, change.case, change.prior, today)
    for each in judged:
        comparison = _compare(each, load_evidence, ask)
        documents[each.change.case_id] = _document(each, comparison, missing.not_called, today)
    return [documents[change.case_id] for change in changes if change.case_id in documents]


def stored_runs_to_judge(change: Change) -> list[JudgedRun]:
    """The stored runs that are judged by today's expectations."""
    if change.prior is None or change.case is None or change.action not in (Action.CALL, Action.RECHECK):
        return []
    kept = change.kept_run_ids
    return [run for run in change.prior.runs if change.action is Action.RECHECK or run.run_id in kept]


def _judge(
    change: Change,
    case: Case,
    made: Sequence[JudgedRun],
    missing: MissingRuns,
    load_evidence: LoadEvidence,
    ask: Ask,
) -> _JudgedCase:
    # In the order of launches, so that the quotes in a report do not depend on timing.
    new_runs = sorted(made, key=lambda run: run.run_id)
    judge = judge_again if change.is_judged_alike else judge_stored
    earlier = [judge(case, run, load_evidence, ask) for run in stored_runs_to_judge(change)]
    runs = [*earlier, *new_runs]
    open_runs = missing.open_runs.get(change.payer, NO_OPEN_RUNS)
    if change.action is Action.CALL:
        never_sent = open_runs.not_made + missing.left.get(change.payer, 0)
        never_reported = change.runs - len(made) - open_runs.launched
        open_runs = replace(open_runs, not_made=max(never_sent, never_reported, 0))
    verdict = judge_with_open_runs(case, runs, open_runs)
    added = change.prior.confirmation if change.prior is not None and change.action is Action.RECHECK else []
    confirmation = [judge(case, run, load_evidence, ask) for run in added]
    return _JudgedCase(change, case, runs, verdict, open_runs, confirmation)


def _compare(each: _JudgedCase, load_evidence: LoadEvidence, ask: Ask) -> BaselineComparison:
    """The two sides of the comparison. Rechecked cases whose expectations changed, and cases that are not comparable,
    are compared by their outcomes only."""
    change, prior = each.change, each.change.prior
    if not is_recheck(change) or prior is None:
        return _compare_calls(each, load_evidence, ask)
    if prior.baseline is None or not keeps_comparison(change, prior):
        why = judgement_change(prior, change.check_fingerprint, change.judge)
        return compare_outcomes(prior, each.verdict.outcome, why)
    pooled = frozenset(run_key(run) for run in prior.runs if run.pooled)
    return _of_sides((prior.baseline, each.sample([run for run in each.runs if not run.pooled])), pooled)


def _compare_calls(each: _JudgedCase, load_evidence: LoadEvidence, ask: Ask) -> BaselineComparison:
    change = each.change
    before = change.compared_with or change.prior
    baseline = baseline_of(change, load_evidence, ask)
    kept = frozenset(map(run_key, stored_runs_to_judge(change))) if change.is_retry else frozenset[RunKey]()
    shared = frozenset(map(run_key, each.runs)) & (baseline.runs | kept)
    new_runs = [run for run in each.runs if run_key(run) not in shared]
    measured = measurement_change(baseline.judged, new_runs, is_graded=rests_on_grade(each.case))
    if before is None or not (baseline.not_comparable or measured or (each.runs and not new_runs)):
        return _of_sides((baseline.sample, each.sample(new_runs)), shared)
    result = compare_outcomes(before, each.verdict.outcome, baseline.not_comparable or measured)
    if measured and baseline.sample is not None and has_other_rate(baseline.sample, each.sample(new_runs)):
        result = result._replace(compared="not_comparable")
    if new_runs:
        result = result._replace(baseline=sample_of(before), latest=each.sample(new_runs), earlier_runs=shared)
    return result


def _of_sides(sides: Pair, earlier_runs: frozenset[RunKey]) -> BaselineComparison:
    before, latest = sides
    return BaselineComparison(compared_by_sides(before, latest), None, before, latest, earlier_runs)


def _kept(change: Change, case: Case, prior: CaseResult, today: date) -> CaseResult:
    """The stored case, with its current name and place in the files, and the agent's configuration if it is known by
    now."""
    update = {
        "case_id": case.case_id,
        **_current(change, case, today),
        **kept_comparison(prior).fields(),
        "before": _before(change),
        "inputs": change.inputs or prior.inputs,
    }
    return prior.model_copy(update=update | {"carried_from": _newest_session(prior.runs)})


def _document(judged: _JudgedCase, comparison: BaselineComparison, not_called: str, today: date) -> CaseResult:
    change, case, verdict, launched = judged.change, judged.case, judged.verdict, judged.open_runs.launched
    if change.inputs is None:
        raise ValueError(f"{change.case_id} has a case and no inputs")
    not_made = judged.open_runs.not_made
    reasons = [verdict.outcome_reason] if verdict.outcome_reason and (judged.runs or not launched) else []
    if launched:
        calls = "1 call is" if launched == 1 else f"{launched} calls are"
        reasons.append(f"{calls} in progress or unconfirmed: the next session resumes")
    is_unexplained = verdict.outcome is CaseOutcome.UNKNOWN and not reasons
    if not_made and (not_called or is_unexplained):
        why = f": {not_called}" if not_called else ""
        reasons.append(f"{not_made} of {change.runs} calls not made{why}")
    runs = [run.model_copy(update={"pooled": run_key(run) in comparison.earlier_runs}) for run in judged.runs]
    continued = change.prior if change.action is Action.RECHECK or change.is_retry else None
    return CaseResult(
        case_id=case.case_id,
        plan=case.plan,
        scenario=case.scenario,
        target=case.target.alias,
        carried_from=_newest_session(runs) if change.action is Action.RECHECK else None,
        runs_required=case.runs,
        runs_under_way=launched,
        inconclusive_sessions=_inconclusive_sessions(judged),
        min_pass_rate=case.min_pass_rate,
        expected=expected_lines(case),
        inputs=change.inputs,
        call_fingerprint=change.call_fingerprint,
        check_fingerprint=change.check_fingerprint,
        expectations_changed=change.prior is not None and change.prior.check_fingerprint != change.check_fingerprint,
        is_graded=rests_on_grade(case),
        judged_by=change.judge,
        open_against=open_against(change, verdict.outcome, comparison),
        start_over=change.start_over or (continued.start_over if continued else None),
        confirmation=list(judged.confirmation),
        **case_fields(case, verdict._replace(outcome_reason="; ".join(reasons)), runs),
        before=_before(change),
        **comparison.fields(),
        **_current(change, case, today),
    )


def _before(change: Change) -> Sample | None:
    before = change.compared_with or change.prior
    return None if before is None else sample_of(before)


def _inconclusive_sessions(judged: _JudgedCase) -> int:
    """How many sessions in a row called the case and got no call that counts. A session without new calls is none of
    them; a changed call starts at 0."""
    change, prior = judged.change, judged.change.prior
    earlier = prior.runs if prior is not None else ()
    if _proper_calls(judged.runs) - _proper_calls(earlier):
        return 0
    is_new_call = prior is None or prior.call_fingerprint != change.call_fingerprint
    begins = is_new_call or change.reason in _OTHER_AGENT or change.start_over is not None
    before = 0 if begins or prior is None else prior.inconclusive_sessions
    return before + (not set(map(run_key, judged.runs)) <= set(map(run_key, earlier)))


def _proper_calls(runs: Sequence[JudgedRun]) -> set[RunKey]:
    """The runs that need not be replaced: they count, or only wait for their evidence or a judge."""
    return {run_key(run) for run in runs if run.had_call}


def _current(change: Change, case: Case, today: date) -> dict[str, Any]:
    """The fields that follow the files, not the stored results."""
    return {
        "tags": sorted(case.tags),
        "action": change.action,
        "reason": change.reason.value,
        "detail": change.detail,
        "file": case.span.file,
        "line": case.span.line,
        "quarantine": _quarantine(case, today),
        "finding_lines": {
            expectation_name(expectation): span.line
            for expectation, span in zip(case.expectations, case.expectation_spans, strict=True)
        },
    }


def _quarantine(case: Case, today: date) -> QuarantineDocument | None:
    quarantine = case.quarantine
    if quarantine is None or today > quarantine.until:
        return None
    return QuarantineDocument(until=quarantine.until, reason=quarantine.reason)


def _newest_session(runs: Sequence[JudgedRun]) -> str | None:
    return max((run.session_id for run in runs), default=None)
