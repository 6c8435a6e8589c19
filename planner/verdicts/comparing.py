"""From two results documents to their comparison, by the same statistics that compare a run with its baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.outcome import CaseOutcome, Sample, Telling, chance_alone, compare, compare_suite, telling
from planner.reports.comparison import ComparedCase, Comparison, Difference, Metric, Side
from planner.results.model import CaseDocument, RunDocument, RunResult
from planner.statistics import RandomSource, bootstrap_interval, difference_interval, median, wilson_interval
from planner.verdicts.against_baseline import AgainstBaseline, judged_anew, other_call, other_judgement
from planner.verdicts.rates import sample_of, suite_document

_METRICS: tuple[tuple[str, str, Callable[[RunDocument], float | None]], ...] = (
    ("duration", "seconds", lambda run: run.duration_seconds),
    ("cost", "cents", lambda run: run.cost_cents),
)
_MOST_VALUES = 500
"""Of each side, in a bootstrap: of more the interval is a little wide, and takes no longer."""


def compare_results(older: RunResult, newer: RunResult, random: RandomSource) -> Comparison:
    """Cases by id. Where both sides hold the very same runs, what changed is known, not guessed; where prompt or expectations
    are others, nothing of it is the agent's."""
    before = {case.case_id: case for case in older.cases}
    now = {case.case_id: case for case in newer.cases}
    case_ids = [*now, *(case_id for case_id in before if case_id not in now)]
    told: dict[str, AgainstBaseline] = {}
    samples: dict[str, tuple[Sample | None, Sample | None]] = {}
    for case_id in case_ids:
        old, new = before.get(case_id), now.get(case_id)
        if old is not None and new is not None and (aside := _aside(old, new)) is not None:
            told[case_id] = aside
        else:
            samples[case_id] = (_sample(old), _sample(new))
    told |= {case_id: AgainstBaseline(word) for case_id, word in compare(samples).items()}
    return Comparison(
        older,
        newer,
        tuple(_compared(case_id, told[case_id], before.get(case_id), now.get(case_id)) for case_id in case_ids),
        tuple(
            _metrics(
                [(before[case_id], now[case_id]) for case_id in case_ids if case_id in before and case_id in now],
                random,
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


def _aside(before: CaseDocument, now: CaseDocument) -> AgainstBaseline | None:
    """Of a case that chance has no part in: the same runs, or calls that its author made another thing of. Else None."""
    outcome = CaseOutcome[now.outcome.upper()]
    judgement = other_judgement(before, now.check_fingerprint, now.judged_by)
    if _same_runs(before, now):
        return judged_anew(before, outcome, judgement)
    why = other_call(before, now.inputs, now.call_fingerprint) or judgement
    return None if why is None else judged_anew(before, outcome, why)


def _compared(
    case_id: str, told: AgainstBaseline, before: CaseDocument | None, now: CaseDocument | None
) -> ComparedCase:
    same = _same_runs(before, now)
    old, new = _side(before), _side(now)
    by, p_value = None, None
    if before and now and not same and told.not_comparable is None:
        samples = sample_of(before), sample_of(now)
        if all(sample.runs_countable for sample in samples):
            by, p_value = _difference(telling(*samples)), chance_alone(*samples)
    quarantined = now is not None and now.quarantine is not None
    return ComparedCase(case_id, told.compared, old, new, by, same, p_value, told.not_comparable, quarantined)


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


def _sample(case: CaseDocument | None) -> Sample | None:
    return None if case is None else sample_of(case)


def _same_runs(before: CaseDocument | None, now: CaseDocument | None) -> bool:
    if before is None or now is None or not now.runs:
        return False
    # Two services may give the same ids, so it is by who launched them, too.
    return {(run.invocation_id, run.run_id) for run in before.runs} == {
        (run.invocation_id, run.run_id) for run in now.runs
    }


def _metrics(pairs: Sequence[tuple[CaseDocument, CaseDocument]], random: RandomSource) -> list[Metric]:
    """Over the cases that both sides hold and that were called anew in between."""
    called = [pair for pair in pairs if not _same_runs(*pair)]
    found: list[Metric] = []
    for name, unit, of in _METRICS:
        old = _values([before for before, _ in called], of)
        new = _values([now for _, now in called], of)
        if old and new:
            interval = bootstrap_interval([_thinned(old), _thinned(new)], _median_change, random)
            found.append(Metric(name, unit, median(old), median(new), interval))
    return found


def _values(cases: Sequence[CaseDocument], of: Callable[[RunDocument], float | None]) -> list[float]:
    return [value for case in cases for run in case.runs if (value := of(run)) is not None]


def _median_change(old: Sequence[float], new: Sequence[float]) -> float:
    return median(new) - median(old)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """Evenly over their order, so that the median stays what it is."""
    if len(values) <= _MOST_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[index * len(ordered) // _MOST_VALUES] for index in range(_MOST_VALUES)]
