"""Compare called cases with the earlier sessions of the base branch, by the regression test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from planner.results.model import CaseResult, Compared, Sample, SuiteChange, SuiteDocument
from planner.verdicts.cases import RunKey, run_key
from planner.verdicts.comparison import clean_counts, suite_of
from planner.verdicts.sessions import (
    MIN_SESSIONS,
    CallsOf,
    earlier_sessions,
    measured,
    session_before,
)

if TYPE_CHECKING:  # imports numpy: only where there is a history to compare with
    from planner.verdicts.changed_cases import Found


def compare_with_history(cases: Sequence[CaseResult], stored: CallsOf) -> tuple[list[CaseResult], SuiteDocument | None]:
    """Compare the newest calls of the cases with those of earlier sessions; return the cases, and the suite as a whole.
    Cases that were not called now are compared again, so that a regression remains until the case is called.

    If all cases are worse alike, it may be a bad hour of the platform. Another session of the same pull request with
    the same result shows that it is the agent.

    Cases that cannot be compared or are quarantined keep the result of the exact tests. So do all cases if there are
    too few sessions.

    Args:
        cases: compared with their baselines.
        stored: finds stored calls.
    """
    known = [case.model_copy(update={"probability_regressed": None}) for case in cases]
    now = {case.case_id: case for case in _without_shared(filter(_is_comparable, known))}
    to_compare = {case_id: measured(case) for case_id, case in now.items()}
    sessions = earlier_sessions(to_compare, stored) if now else []
    if len(sessions) < MIN_SESSIONS:
        return known, suite_of(known)
    from planner.verdicts.changed_cases import find_changes, find_worse_and_better
    from planner.verdicts.regression import fit

    fitted = fit(sessions)
    counts = {case_id: clean_counts(case.latest) for case_id, case in now.items() if case.latest is not None}
    worse, better = find_worse_and_better(fitted, counts)
    compared = [_compared(case, worse, better) if case.case_id in worse.probabilities else case for case in known]
    change = _suite_change(worse, better)
    if worse.is_alike and change != "better":
        last = session_before(to_compare, stored)
        if last is not None and find_changes(fitted, last.counts).is_alike:
            change = "worse"
    before = [fitted.counts[case_id] for case_id in worse.probabilities]
    latest = [counts[case_id] for case_id in worse.probabilities]
    suite = SuiteDocument(
        cases=len(latest),
        sessions=len(sessions),
        passed_before=sum(passed for passed, _ in before),
        runs_before=sum(total for _, total in before),
        passed_now=sum(passed for passed, _ in latest),
        runs_now=sum(total for _, total in latest),
        p_value=min(worse.p_value, better.p_value),
        compared=change,
    )
    return compared, suite


def _without_shared(cases: Iterable[CaseResult]) -> Iterator[CaseResult]:
    """The cases, but of those that share calls only the first: calls that count twice look like a larger change."""
    seen = set[RunKey]()
    for case in cases:
        keys = set(map(run_key, case.runs))
        if seen.isdisjoint(keys):
            yield case
        seen |= keys


def _is_comparable(case: CaseResult) -> bool:
    sides: Sequence[Sample | None] = (case.baseline, case.latest)
    has_runs = all(side is not None and side.is_known for side in sides)
    return has_runs and case.not_comparable is None and case.quarantine is None


def _compared(case: CaseResult, worse: Found, better: Found) -> CaseResult:
    if case.baseline is None or case.latest is None:
        return case
    case_id = case.case_id
    word: Compared = "same"
    probability = None
    if case_id in worse.changed or case_id in worse.suspected:
        probability = worse.probabilities[case_id]
        word = "regressed" if case_id in worse.changed else "suspected"
    elif case_id in better.changed:
        word = "improved"
    return case.model_copy(update={"compared": word, "probability_regressed": probability})


def _suite_change(worse: Found, better: Found) -> SuiteChange:
    if worse.suite_changed and not (better.suite_changed and better.statistic > worse.statistic):
        return "everything_worse" if worse.is_alike else "worse"
    return "better" if better.suite_changed else "not_enough_evidence"
