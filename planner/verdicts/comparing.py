"""From two results documents to their comparison, by the same statistics that compare a run with its baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.outcome import CaseOutcome, Sample, Telling, chance_alone, compare, compare_suite, telling
from planner.reports.comparison import ComparedCase, Comparison, Difference, Metric, Side
from planner.results.model import CaseDocument, RunDocument, RunResult
from planner.statistics import RandomSource, bootstrap_interval, difference_interval, median, wilson_interval
from planner.verdicts.against_baseline import AgainstBaseline, judged_anew, other_call, other_judgement
from planner.verdicts.comparability import (
    Pair,
    Variant,
    differ,
    keyed,
    measured_otherwise,
    pair_key,
    shared_variants,
    variants_of,
    words_by_case,
)
from planner.verdicts.rates import RunKey, run_key, sample_of, suite_document, total

_METRICS: tuple[tuple[str, str, Callable[[RunDocument], float | None]], ...] = (
    ("duration", "seconds", lambda run: run.duration_seconds),
    ("cost", "cents", lambda run: run.cost_cents),
)
_MOST_VALUES = 500
"""Of each side, in a bootstrap: of more the interval is a little wide, and takes no longer."""


def compare_results(older: RunResult, newer: RunResult, random: RandomSource) -> Comparison:
    """Cases by id. Where both sides hold the very same runs, what changed is known, not guessed; where prompt or expectations
    are others, nothing of it is the agent's. Runs that stand on both sides are of the one that was first."""
    before = {case.case_id: case for case in older.cases}
    now = {case.case_id: case for case in newer.cases}
    backwards = older.started_at > newer.started_at
    case_ids = [*now, *(case_id for case_id in before if case_id not in now)]
    told: dict[str, AgainstBaseline] = {}
    pairs: dict[str, list[Pair]] = {}
    for case_id in case_ids:
        old, new = before.get(case_id), now.get(case_id)
        if old is not None and new is not None and (aside := _aside(old, new, backwards)) is not None:
            told[case_id] = aside
        else:
            pairs[case_id] = _pairs(old, new, backwards=backwards)
    quarantined = {case_id for case_id, case in now.items() if case.quarantine is not None}
    aside = {pair_key(case_id, number) for case_id in quarantined for number in range(len(pairs.get(case_id, ())))}
    words = words_by_case(compare(keyed(pairs), aside=aside))
    told |= {case_id: AgainstBaseline(word) for case_id, word in words.items()}
    samples: dict[str, Pair] = {
        case_id: (total([before for before, _ in own]), total([now for _, now in own]))
        for case_id, own in pairs.items()
    }
    return Comparison(
        older,
        newer,
        tuple(
            _compared(case_id, told[case_id], before.get(case_id), now.get(case_id), samples.get(case_id))
            for case_id in case_ids
        ),
        tuple(
            _metrics(
                [(before[case_id], now[case_id]) for case_id in case_ids if case_id in before and case_id in now],
                random,
                backwards=backwards,
            )
        ),
        suite_document(compare_suite(_counted(samples, now))),
    )


def _counted(
    samples: dict[str, tuple[Sample | None, Sample | None]], now: dict[str, CaseDocument]
) -> dict[str, tuple[Sample | None, Sample | None]]:
    """Without those in quarantine, which are shown and do not count."""
    return {
        case_id: both
        for case_id, both in samples.items()
        if (case := now.get(case_id)) is None or case.quarantine is None
    }


def _aside(before: CaseDocument, now: CaseDocument, backwards: bool) -> AgainstBaseline | None:
    """Of a case that chance has no part in: the same runs, or calls that its author made another thing of. Else None."""
    outcome = CaseOutcome[now.outcome.upper()]
    judgement = other_judgement(before, now.check_fingerprint, now.judged_by)
    if _are_all_in(before, now) if backwards else _are_all_in(now, before):
        return judged_anew(before, outcome, judgement)
    earlier, later = (now, before) if backwards else (before, now)
    new = [run for run in later.runs if run_key(run) not in _keys(earlier)]
    is_graded = before.is_graded or now.is_graded
    why = other_call(before, now.inputs, now.call_fingerprint) or judgement
    if why is not None:
        return judged_anew(before, outcome, why)
    why = measured_otherwise(earlier.runs, new, is_graded=is_graded)
    if why is not None and differ(sample_of(before), sample_of(now)):
        return AgainstBaseline("not_enough_evidence", why)
    return None if why is None else judged_anew(before, outcome, why)


def _compared(
    case_id: str,
    told: AgainstBaseline,
    before: CaseDocument | None,
    now: CaseDocument | None,
    samples: tuple[Sample | None, Sample | None] | None,
) -> ComparedCase:
    by, p_value = None, None
    match samples:
        case (Sample() as old, Sample() as new) if old.runs_countable and new.runs_countable:
            by, p_value = _difference(telling(old, new)), chance_alone(old, new)
        case _:
            pass
    return ComparedCase(
        case_id,
        told.compared,
        _side(before),
        _side(now),
        by,
        _same_runs(before, now),
        p_value,
        told.not_comparable,
        now is not None and now.quarantine is not None,
        len(_keys(before) & _keys(now)),
    )


def _difference(told: Telling) -> Difference:
    (before, runs_before), (now, runs_now) = told.before, told.now
    interval = difference_interval(told.before, told.now)
    return Difference(told.expectation, told.before, told.now, now / runs_now - before / runs_before, interval)


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
    """One pair, or one for each variant of the agent that has runs on both sides. Runs that stand on both sides are of the earlier
    one: no sample is compared with itself."""
    both = _keys(before) & _keys(now)
    besides = {"before": both if backwards else frozenset[RunKey](), "now": frozenset[RunKey]() if backwards else both}
    if before is None or now is None:
        return [(None if before is None else sample_of(before), None if now is None else sample_of(now))]
    variants = shared_variants(before.runs, now.runs)
    if not variants or variants_of(before.runs) | variants_of(now.runs) == {variants[0]}:
        return [(sample_of(before, besides=besides["before"]), sample_of(now, besides=besides["now"]))]
    return [
        (
            sample_of(before, besides=besides["before"] | _of_others(before, variant)),
            sample_of(now, besides=besides["now"] | _of_others(now, variant)),
        )
        for variant in variants
    ]


def _of_others(case: CaseDocument, variant: Variant) -> frozenset[RunKey]:
    """Its runs on other variants of the agent."""
    return frozenset(run_key(run) for run in case.runs if run.agent_variant_id != variant)


def _keys(case: CaseDocument | None) -> frozenset[RunKey]:
    return frozenset() if case is None else frozenset(map(run_key, case.runs))


def _are_all_in(case: CaseDocument, other: CaseDocument) -> bool:
    """Whether it has no runs but those of the other."""
    return bool(case.runs) and _keys(case) <= _keys(other)


def _same_runs(before: CaseDocument | None, now: CaseDocument | None) -> bool:
    return before is not None and now is not None and bool(now.runs) and _keys(before) == _keys(now)


def _metrics(
    pairs: Sequence[tuple[CaseDocument, CaseDocument]], random: RandomSource, *, backwards: bool
) -> list[Metric]:
    """Over the cases that both sides hold and that were called anew in between, by the runs of each side alone."""
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
    """Evenly over their order, so that the median stays what it is."""
    if len(values) <= _MOST_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[index * len(ordered) // _MOST_VALUES] for index in range(_MOST_VALUES)]
