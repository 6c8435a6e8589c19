"""Compare two results, with the same statistics as for a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from planner.reports.comparison import ComparedCase, Comparison, Difference, Metric, Side
from planner.results.model import CaseResult, Run, RunResult
from planner.statistics import RandomSource, bootstrap_interval, difference_interval, wilson_interval
from planner.verdicts.baseline import BaselineComparison, call_change, compare_outcomes, judgement_change
from planner.verdicts.comparison import (
    Pair,
    by_variant,
    case_p_value,
    compare_pairs,
    compare_suite,
    differ_significantly,
    measurement_change,
    strongest_rate,
)
from planner.verdicts.rates import RunKey, run_key, sample_of, total

_METRICS: tuple[tuple[str, str, Callable[[Run], float | None]], ...] = (
    ("duration", "seconds", lambda run: run.duration_seconds),
    ("cost", "cents", lambda run: run.cost_cents),
)
_MOST_VALUES = 500
"""Limit per side of the bootstrap: more values would take longer. The interval becomes a little too wide."""


def compare_results(older: RunResult, newer: RunResult, random: RandomSource) -> Comparison:
    """Compare the cases by id. Cases with the same runs, or with a changed plan, are compared by outcome only. Runs that both results
    have count for the older one."""
    before = {case.case_id: case for case in older.cases}
    now = {case.case_id: case for case in newer.cases}
    case_ids = [*now, *(case_id for case_id in before if case_id not in now)]
    found: dict[str, BaselineComparison] = {}
    pairs: dict[str, list[Pair]] = {}
    called: list[tuple[Sequence[Run], Sequence[Run]]] = []
    for case_id in case_ids:
        old, new = before.get(case_id), now.get(case_id)
        if old is None or new is None:
            pairs[case_id] = [(None if old is None else sample_of(old), None if new is None else sample_of(new))]
            continue
        new_runs = [run for run in new.runs if run_key(run) not in _keys(old)]
        if new_runs:
            called.append((old.runs, new_runs))
        if (by_outcome := _compare_outcomes(old, new, new_runs)) is not None:
            found[case_id] = by_outcome
        else:
            pairs[case_id] = _pairs(old, new, new_runs)
    quarantined = {case_id for case_id, case in now.items() if case.quarantine is not None}
    found |= {case_id: BaselineComparison(word) for case_id, word in compare_pairs(pairs, quarantined).items()}
    samples: dict[str, Pair] = {
        case_id: (total([before for before, _ in own]), total([now for _, now in own]))
        for case_id, own in pairs.items()
    }
    suite = compare_suite({case_id: both for case_id, both in samples.items() if case_id not in quarantined})
    cases = (
        _compared(case_id, found[case_id], before.get(case_id), now.get(case_id), samples.get(case_id, (None, None)))
        for case_id in case_ids
    )
    return Comparison(older, newer, tuple(cases), tuple(_metrics(called, random)), suite if suite.cases else None)


def _compare_outcomes(before: CaseResult, now: CaseResult, new_runs: Sequence[Run]) -> BaselineComparison | None:
    """The comparison of a case without new runs, or that is not comparable; else None."""
    judgement = judgement_change(before, now.check_fingerprint, now.judged_by)
    if now.runs and not new_runs:
        return compare_outcomes(before, now.outcome, judgement)
    why = call_change(before, now.inputs, now.call_fingerprint) or judgement
    if why is not None:
        return compare_outcomes(before, now.outcome, why)
    why = measurement_change(before.runs, new_runs, is_graded=before.is_graded or now.is_graded)
    if why is not None and differ_significantly(sample_of(before), sample_of(now)):
        return BaselineComparison("not_enough_evidence", why)
    return None if why is None else compare_outcomes(before, now.outcome, why)


def _compared(
    case_id: str,
    comparison: BaselineComparison,
    before: CaseResult | None,
    now: CaseResult | None,
    samples: Pair,
) -> ComparedCase:
    difference, p_value = None, None
    old, new = samples
    if old is not None and new is not None and old.is_known and new.is_known:
        rate, p_value = strongest_rate(old, new), case_p_value(old, new)
        change = rate.now[0] / rate.now[1] - rate.before[0] / rate.before[1]
        interval = difference_interval(rate.before, rate.now)
        difference = Difference(rate.expectation, rate.before, rate.now, change, interval)
    keys_before, keys_now = _keys(before), _keys(now)
    return ComparedCase(
        case_id,
        comparison.compared,
        _side(before),
        _side(now),
        difference,
        bool(keys_now) and keys_before == keys_now,
        p_value,
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


def _pairs(before: CaseResult, now: CaseResult, new_runs: Sequence[Run]) -> list[Pair]:
    """One pair, or one per agent variant with runs on both sides. Shared runs count for the older result only."""
    sides = by_variant(before.runs, new_runs) or [(before.runs, new_runs)]
    return [(sample_of(before, old), sample_of(now, new)) for old, new in sides]


def _keys(case: CaseResult | None) -> frozenset[RunKey]:
    return frozenset() if case is None else frozenset(map(run_key, case.runs))


def _metrics(called: Sequence[tuple[Sequence[Run], Sequence[Run]]], random: RandomSource) -> list[Metric]:
    """Of cases in both results that were called in between, without shared runs."""
    found: list[Metric] = []
    for name, unit, of in _METRICS:
        old = [value for runs, _ in called for run in runs if (value := of(run)) is not None]
        new = [value for _, runs in called for run in runs if (value := of(run)) is not None]
        if old and new:
            interval = bootstrap_interval([_thinned(old), _thinned(new)], _median_change, random)
            found.append(Metric(name, unit, median(old), median(new), interval))
    return found


def _median_change(old: Sequence[float], new: Sequence[float]) -> float:
    return median(new) - median(old)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """At most `_MOST_VALUES` evenly spaced order statistics, which keep the median."""
    if len(values) <= _MOST_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[index * len(ordered) // _MOST_VALUES] for index in range(_MOST_VALUES)]
