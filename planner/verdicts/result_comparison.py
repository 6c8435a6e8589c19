"""Compare two results, with the same statistics as for a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from planner.reports.comparison import ComparedCase, Comparison, Difference, Metric, Side
from planner.results.model import CaseDocument, RunDocument, RunResult
from planner.statistics import RandomSource, bootstrap_interval, difference_interval, wilson_interval
from planner.verdicts.baseline import BaselineComparison, call_change, compare_outcomes, judgement_change
from planner.verdicts.comparability import (
    Pair,
    Variant,
    compare_pairs,
    differ_significantly,
    measurement_change,
    variants_to_compare,
)
from planner.verdicts.comparison import Sample, StrongestRate, case_p_value, compare_suite, strongest_rate
from planner.verdicts.outcomes import CaseOutcome
from planner.verdicts.rates import RunKey, run_key, sample_of, total

_METRICS: tuple[tuple[str, str, Callable[[RunDocument], float | None]], ...] = (
    ("duration", "seconds", lambda run: run.duration_seconds),
    ("cost", "cents", lambda run: run.cost_cents),
)
_MOST_VALUES = 500
"""Limit per side of the bootstrap: more values would take longer. The interval becomes a little too wide."""


def compare_results(older: RunResult, newer: RunResult, random: RandomSource) -> Comparison:
    """Compare the cases by id. Cases with the same runs, or with a changed plan, are compared by outcome only. Runs that both results
    have count for the earlier one."""
    before = {case.case_id: case for case in older.cases}
    now = {case.case_id: case for case in newer.cases}
    backwards = older.started_at > newer.started_at
    case_ids = [*now, *(case_id for case_id in before if case_id not in now)]
    found: dict[str, BaselineComparison] = {}
    pairs: dict[str, list[Pair]] = {}
    for case_id in case_ids:
        old, new = before.get(case_id), now.get(case_id)
        if old is not None and new is not None and (by_outcome := _compare_outcomes(old, new, backwards)) is not None:
            found[case_id] = by_outcome
        else:
            pairs[case_id] = _pairs(old, new, backwards=backwards)
    quarantined = {case_id for case_id, case in now.items() if case.quarantine is not None}
    found |= {case_id: BaselineComparison(word) for case_id, word in compare_pairs(pairs, quarantined).items()}
    samples: dict[str, Pair] = {
        case_id: (total([before for before, _ in own]), total([now for _, now in own]))
        for case_id, own in pairs.items()
    }
    suite = compare_suite({case_id: both for case_id, both in samples.items() if case_id not in quarantined})
    in_both = [(before[case_id], now[case_id]) for case_id in case_ids if case_id in before and case_id in now]
    return Comparison(
        older,
        newer,
        tuple(
            _compared(case_id, found[case_id], before.get(case_id), now.get(case_id), samples.get(case_id))
            for case_id in case_ids
        ),
        tuple(_metrics(in_both, random, backwards=backwards)),
        suite if suite.cases else None,
    )


def _compare_outcomes(before: CaseDocument, now: CaseDocument, backwards: bool) -> BaselineComparison | None:
    """The comparison of a case with the same runs on both sides, or that is not comparable; else None."""
    outcome = CaseOutcome[now.outcome.upper()]
    judgement = judgement_change(before, now.check_fingerprint, now.judged_by)
    if _are_all_in(before, now) if backwards else _are_all_in(now, before):
        return compare_outcomes(before, outcome, judgement)
    earlier, later = (now, before) if backwards else (before, now)
    new = [run for run in later.runs if run_key(run) not in _keys(earlier)]
    is_graded = before.is_graded or now.is_graded
    why = call_change(before, now.inputs, now.call_fingerprint) or judgement
    if why is not None:
        return compare_outcomes(before, outcome, why)
    why = measurement_change(earlier.runs, new, is_graded=is_graded)
    if why is not None and differ_significantly(sample_of(before), sample_of(now)):
        return BaselineComparison("not_enough_evidence", why)
    return None if why is None else compare_outcomes(before, outcome, why)


def _compared(
    case_id: str,
    comparison: BaselineComparison,
    before: CaseDocument | None,
    now: CaseDocument | None,
    samples: Pair | None,
) -> ComparedCase:
    difference, p_value = None, None
    match samples:
        case (Sample() as old, Sample() as new) if old.runs_countable and new.runs_countable:
            difference, p_value = _difference(strongest_rate(old, new)), case_p_value(old, new)
        case _:
            pass
    return ComparedCase(
        case_id,
        comparison.compared,
        _side(before),
        _side(now),
        difference,
        _same_runs(before, now),
        p_value,
        comparison.not_comparable,
        now is not None and now.quarantine is not None,
        len(_keys(before) & _keys(now)),
    )


def _difference(rate: StrongestRate) -> Difference:
    (before, runs_before), (now, runs_now) = rate.before, rate.now
    interval = difference_interval(rate.before, rate.now)
    return Difference(rate.expectation, rate.before, rate.now, now / runs_now - before / runs_before, interval)


def _side(case: CaseDocument | None) -> Side | None:
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


def _pairs(before: CaseDocument | None, now: CaseDocument | None, *, backwards: bool) -> list[Pair]:
    """One pair, or one per agent variant with runs on both sides. Shared runs count for the earlier result only."""
    if before is None or now is None:
        return [(None if before is None else sample_of(before), None if now is None else sample_of(now))]
    shared, none = _keys(before) & _keys(now), frozenset[RunKey]()
    not_before, not_now = (shared, none) if backwards else (none, shared)
    variants = variants_to_compare(before.runs, now.runs)
    if not variants:
        return [(sample_of(before, without=not_before), sample_of(now, without=not_now))]
    return [
        (
            sample_of(before, without=not_before | _other_variants(before, variant)),
            sample_of(now, without=not_now | _other_variants(now, variant)),
        )
        for variant in variants
    ]


def _other_variants(case: CaseDocument, variant: Variant) -> frozenset[RunKey]:
    """The runs on other agent variants."""
    return frozenset(run_key(run) for run in case.runs if run.agent_variant_id != variant)


def _keys(case: CaseDocument | None) -> frozenset[RunKey]:
    return frozenset() if case is None else frozenset(map(run_key, case.runs))


def _are_all_in(case: CaseDocument, other: CaseDocument) -> bool:
    return bool(case.runs) and _keys(case) <= _keys(other)


def _same_runs(before: CaseDocument | None, now: CaseDocument | None) -> bool:
    return before is not None and now is not None and bool(now.runs) and _keys(before) == _keys(now)


def _metrics(
    pairs: Sequence[tuple[CaseDocument, CaseDocument]], random: RandomSource, *, backwards: bool
) -> list[Metric]:
    """Of cases in both results that were called in between, without shared runs."""
    called: list[tuple[Sequence[RunDocument], Sequence[RunDocument]]] = []
    for before, now in pairs:
        shared = _keys(before) & _keys(now)
        runs = [run for run in (before if backwards else now).runs if run_key(run) not in shared]
        if runs:
            called.append((runs, now.runs) if backwards else (before.runs, runs))
    found: list[Metric] = []
    for name, unit, of in _METRICS:
        old = _values([before for before, _ in called], of)
        new = _values([now for _, now in called], of)
        if old and new:
            interval = bootstrap_interval([_thinned(old), _thinned(new)], _median_change, random)
            found.append(Metric(name, unit, median(old), median(new), interval))
    return found


def _values(sides: Sequence[Sequence[RunDocument]], of: Callable[[RunDocument], float | None]) -> list[float]:
    return [value for runs in sides for run in runs if (value := of(run)) is not None]


def _median_change(old: Sequence[float], new: Sequence[float]) -> float:
    return median(new) - median(old)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """At most `_MOST_VALUES` evenly spaced order statistics, which keep the median."""
    if len(values) <= _MOST_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[index * len(ordered) // _MOST_VALUES] for index in range(_MOST_VALUES)]
