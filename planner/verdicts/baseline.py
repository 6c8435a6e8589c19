"""Compare a case with its baseline, and two results with each other. A case whose plan changed is not comparable: the
difference does not show that the agent changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from planner.changes.model import Change
from planner.checks.opinions import Ask
from planner.planfile.model import Case
from planner.reports.comparison import ComparedCase, Comparison, Difference, Side
from planner.results.model import (
    CaseInputs,
    CaseResult,
    Compared,
    JudgedRun,
    NotComparable,
    RunResult,
    Sample,
    SuiteDocument,
)
from planner.results.outcomes import Action, CaseOutcome, Cause
from planner.statistics import Counts, difference_interval, wilson_interval
from planner.verdicts.cases import RunKey, judge_case, run_key, sample_of, sample_of_runs
from planner.verdicts.comparison import (
    Pair,
    changed_rate,
    clean_counts,
    compared_by_sides,
    has_other_rate,
    measurement_change,
)
from planner.verdicts.history import case_word, suite_change, suite_document
from planner.verdicts.runs import LoadEvidence, judge_stored


class Baseline(NamedTuple):
    """`sample` is None if there is no earlier result, or (`not_comparable`) none that may be compared. `runs` belong to
    this side of the comparison only, even if the case keeps them: no run is compared with itself."""

    sample: Sample | None = None
    not_comparable: NotComparable | None = None
    runs: frozenset[RunKey] = frozenset()
    judged: Sequence[JudgedRun] = ()
    """The same runs with their verdicts, if known."""


class BaselineComparison(NamedTuple):
    """The comparison part of a `CaseResult`."""

    compared: Compared
    not_comparable: NotComparable | None = None
    baseline: Sample | None = None
    latest: Sample | None = None
    """Only the new runs."""
    earlier_runs: frozenset[RunKey] = frozenset()
    """Runs of the case that are not part of `latest`."""

    def fields(self) -> dict[str, Any]:
        """Fields of a `CaseResult`."""
        fields = self._asdict()
        del fields["earlier_runs"]
        return fields


def baseline_of(change: Change, load_evidence: LoadEvidence, ask: Ask) -> Baseline:
    """The baseline of a called case.

    If only expectations changed, the earlier calls are judged by today's expectations; without their evidence, or if
    that leaves them undecided, the case is not comparable. The new calls of a case that was undecided are pooled with
    the calls it keeps, and compared with the same baseline as those.
    """
    before = change.compared_with or change.prior
    if before is None or change.case is None or change.inputs is None:
        return Baseline()
    why, runs = call_change(before, change.inputs, change.call_fingerprint), frozenset(map(run_key, before.runs))
    if why is not None:
        return Baseline(None, why, runs)
    why = judgement_change(before, change.check_fingerprint, change.judge)
    if why is None:
        if (open_baseline := _open_baseline(change)) is not None:
            return Baseline(open_baseline)
        return Baseline(sample_of(before), None, runs, before.runs)
    judged = _rechecked_runs(change.case, before, load_evidence, ask)
    outcome = judge_case(change.case, judged).outcome
    if outcome is CaseOutcome.UNKNOWN:
        return Baseline(None, why, runs)
    sample = sample_of_runs(change.case, judged, outcome)
    return Baseline(sample, None, runs, judged)


def _open_baseline(change: Change) -> Sample | None:
    prior = change.prior
    if change.compared_with is not None or change.is_retry or prior is None or prior.outcome is not CaseOutcome.UNKNOWN:
        return None
    if prior.open_against is None or (prior.counts[1] and not change.kept_run_ids):
        return None
    return prior.open_against


def open_against(change: Change, outcome: CaseOutcome, comparison: BaselineComparison) -> Sample | None:
    """The baseline for the remaining calls of an undecided case. A recheck by the same expectations keeps it."""
    if outcome is not CaseOutcome.UNKNOWN:
        return None
    if not is_recheck(change):
        return None if comparison.earlier_runs else comparison.baseline
    prior = change.prior
    if prior is None or judgement_change(prior, change.check_fingerprint, change.judge) is not None:
        return None
    return prior.open_against


def call_change(before: CaseResult, inputs: CaseInputs, fingerprint: str) -> NotComparable | None:
    """What the author changed in the call; None if it is the same, or the same to a different target: two agents may be
    compared."""
    if before.call_fingerprint == fingerprint:
        return None
    if before.inputs.prompt != inputs.prompt:
        return "prompt"
    older, newer = ((each.target_kind, each.target_id, each.target_number) for each in (before.inputs, inputs))
    same_way = (before.inputs.direction, before.inputs.mode) == (inputs.direction, inputs.mode)
    return None if same_way and older != newer else "settings"


def judgement_change(before: CaseResult, fingerprint: str, judge: str | None) -> NotComparable | None:
    """Whether expectations or judge changed; None if neither did."""
    if before.check_fingerprint != fingerprint:
        return "expectations"
    known = before.judged_by is not None and judge is not None
    return "judge" if known and before.judged_by != judge else None


def compare_outcomes(before: CaseResult, now: CaseOutcome, why: NotComparable | None) -> BaselineComparison:
    """Compare outcomes only, for the same calls on both sides or calls that are not comparable: never a regression or a
    fix."""
    if before.outcome is now:
        return BaselineComparison("same", why)
    unknown = CaseOutcome.UNKNOWN in (before.outcome, now)
    return BaselineComparison("not_comparable", why or (None if unknown else "judging"))


def keeps_comparison(change: Change, prior: CaseResult) -> bool:
    """Whether a rechecked case keeps its comparison, because the expectations are the same."""
    return (
        prior.baseline is not None
        and prior.not_comparable is None
        and judgement_change(prior, change.check_fingerprint, change.judge) is None
    )


def kept_comparison(prior: CaseResult) -> BaselineComparison:
    """The comparison of a kept case."""
    return BaselineComparison("same", None, prior.baseline, prior.latest)


def is_recheck(change: Change) -> bool:
    """Whether both sides have the same calls. Reused older calls are compared with the baseline like new ones."""
    return change.compared_with is None and change.prior is not None and change.action is Action.RECHECK


def _rechecked_runs(case: Case, before: CaseResult, load_evidence: LoadEvidence, ask: Ask) -> list[JudgedRun]:
    """The runs of `before`, judged by today's expectations; empty if evidence is missing."""
    if any(
        run.cause is not Cause.PLATFORM and not (run.evidence and load_evidence(run.evidence)) for run in before.runs
    ):
        return []
    return [judge_stored(case, run, load_evidence, ask) for run in before.runs]


def compare_results(older: RunResult, newer: RunResult) -> Comparison:
    """Compare the cases by id. Cases with the same runs, or with a changed plan, are compared by outcome only. Runs
    that both results have count for the older one."""
    before = {case.case_id: case for case in older.cases}
    now = {case.case_id: case for case in newer.cases}
    gone = [case_id for case_id in before if case_id not in now] if not newer.partial else []  # else not selected
    case_ids = [*now, *gone]
    found: dict[str, BaselineComparison] = {}
    pairs: dict[str, Pair] = {}
    for case_id in case_ids:
        old, new = before.get(case_id), now.get(case_id)
        if old is None or new is None:
            pairs[case_id] = (None if old is None else sample_of(old), None if new is None else sample_of(new))
            continue
        new_runs = [run for run in new.runs if run_key(run) not in _keys(old)]
        if (by_outcome := _compare_outcomes(old, new, new_runs)) is not None:
            found[case_id] = by_outcome
        else:
            pairs[case_id] = (sample_of(old), sample_of(new, new_runs))
    found |= {case_id: BaselineComparison(compared_by_sides(*pair)) for case_id, pair in pairs.items()}
    words, suite = _compare_suite(pairs, now)
    found |= {case_id: BaselineComparison(word) for case_id, word in words.items()}
    cases = (
        _compared(case_id, found[case_id], before.get(case_id), now.get(case_id), pairs.get(case_id, (None, None)))
        for case_id in case_ids
    )
    return Comparison(older, newer, tuple(cases), suite)


def _compare_suite(
    pairs: Mapping[str, Pair], now: Mapping[str, CaseResult]
) -> tuple[dict[str, Compared], SuiteDocument | None]:
    """The words of the cases with calls on both sides, quarantined ones excepted, and the suite as a whole."""
    before: dict[str, Counts] = {}
    latest: dict[str, Counts] = {}
    for case_id, (old, new) in pairs.items():
        if old is not None and new is not None and old.is_known and new.is_known and now[case_id].quarantine is None:
            before[case_id], latest[case_id] = clean_counts(old), clean_counts(new)
    if not before:
        return {}, None
    from planner.verdicts.regression import chances, fit  # imports numpy

    history = fit([before], {case_id: f"{now[case_id].plan}/{now[case_id].scenario}" for case_id in before})
    found = chances(history, latest)
    words: dict[str, Compared] = {case_id: case_word(chance) for case_id, chance in found.fallen.items()}
    return words, suite_document(history, found, latest, suite_change(found))


def _compare_outcomes(before: CaseResult, now: CaseResult, new_runs: Sequence[JudgedRun]) -> BaselineComparison | None:
    """The comparison of a case without new runs, or that is not comparable; else None."""
    judgement = judgement_change(before, now.check_fingerprint, now.judged_by)
    if now.runs and not new_runs:
        return compare_outcomes(before, now.outcome, judgement)
    why = call_change(before, now.inputs, now.call_fingerprint) or judgement
    if why is not None:
        return compare_outcomes(before, now.outcome, why)
    why = measurement_change(before.runs, new_runs, is_graded=before.is_graded or now.is_graded)
    if why is not None and has_other_rate(sample_of(before), sample_of(now, new_runs)):
        return BaselineComparison("not_comparable", why)
    return None if why is None else compare_outcomes(before, now.outcome, why)


def _compared(
    case_id: str,
    comparison: BaselineComparison,
    before: CaseResult | None,
    now: CaseResult | None,
    samples: Pair,
) -> ComparedCase:
    difference = None
    old, new = samples
    if old is not None and new is not None and old.is_known and new.is_known:
        rate = changed_rate(old, new)
        interval = difference_interval(rate.before, rate.now)
        difference = Difference(rate.expectation, rate.before, rate.now, rate.points, interval)
    keys_before, keys_now = _keys(before), _keys(now)
    return ComparedCase(
        case_id,
        comparison.compared,
        _side(before),
        _side(now),
        difference,
        bool(keys_now) and keys_before == keys_now,
        comparison.not_comparable,
        now is not None and now.quarantine is not None,
        len(keys_before & keys_now),
    )


def _side(case: CaseResult | None) -> Side | None:
    if case is None:
        return None
    passed, countable = case.counts
    return Side(
        case.outcome,
        passed,
        countable,
        passed / countable if countable else None,
        wilson_interval(passed, countable) if countable else None,
        case.outcome_reason,
    )


def _keys(case: CaseResult | None) -> frozenset[RunKey]:
    return frozenset() if case is None else frozenset(map(run_key, case.runs))
