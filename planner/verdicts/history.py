"""Compare called cases with earlier sessions, by the regression rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.results.model import CaseResult, Compared, Sample, SuiteChange, SuiteDocument
from planner.statistics import Counts
from planner.verdicts.cases import run_key
from planner.verdicts.comparison import clean_counts
from planner.verdicts.sessions import CallsOf, earlier_sessions, measured, session_before

if TYPE_CHECKING:  # imports numpy: only where there is something to compare with
    from planner.verdicts.regression import Chances, History


def compare_with_history(cases: Sequence[CaseResult], stored: CallsOf) -> tuple[list[CaseResult], SuiteDocument | None]:
    """Compare the newest calls of the cases with those of earlier sessions; return the cases, and the suite as a whole.
    Cases that were not called now are compared again, so that a regression remains until the case is called.

    Calls that several cases share say something about each, and count once for the suite. A case whose call was never
    made on the base branch is compared with its baseline. Cases that cannot be compared or are quarantined take no
    part.

    Args:
        cases: with their baselines.
        stored: finds stored calls.
    """
    known = list(map(_unnamed, cases))
    to_compare = {case.case_id: measured(case) for case in known if _is_comparable(case)}
    if not to_compare:
        return known, None
    sessions = earlier_sessions(to_compare, stored)
    from planner.verdicts.regression import chances

    history = _history([case for case in known if case.case_id in to_compare], sessions)
    now = {case.case_id: clean_counts(case.latest) for case in known if case.case_id in to_compare and case.latest}
    found = chances(history, now)
    change = suite_change(found)
    if change == "everything_worse":
        # It may be a bad hour of the platform. If another session of the pull request was lower too, it is the agent.
        last = session_before(to_compare, stored)
        if last is not None and chances(history, last).is_lower:
            change = "worse"
    suite = suite_document(history, found, now, change, sessions=len(sessions))
    return [_named(case, found.fallen.get(case.case_id, 0.0)) for case in known], suite


def suite_document(
    history: History, found: Chances, now: Mapping[str, Counts], change: SuiteChange, *, sessions: int = 0
) -> SuiteDocument:
    counted = [case_id for case_id in found.fallen if case_id not in history.beside]
    before, latest = (_sum([side[case_id] for case_id in counted]) for side in (history.counts, now))
    return SuiteDocument(
        cases=len(counted),
        sessions=sessions,
        passed_before=before[0],
        runs_before=before[1],
        passed_now=latest[0],
        runs_now=latest[1],
        probability_lower=found.lower,
        probability_worse=found.worse,
        compared=change,
    )


def suite_change(found: Chances) -> SuiteChange:
    if found.is_lower:
        return "everything_worse"
    return "worse" if found.is_worse else "not_enough_evidence"


def case_word(chance: float) -> Compared:
    from planner.verdicts.regression import REGRESSED_AT, SUSPECTED_AT

    if chance < SUSPECTED_AT:
        return "same"
    return "regressed" if chance >= REGRESSED_AT else "suspected"


def _is_comparable(case: CaseResult) -> bool:
    sides: Sequence[Sample | None] = (case.baseline, case.latest)
    has_runs = all(side is not None and side.is_known for side in sides)
    return has_runs and case.not_comparable is None and case.quarantine is None


def _history(cases: Sequence[CaseResult], sessions: Sequence[Mapping[str, Counts]]) -> History:
    from planner.verdicts.regression import fit

    seen = {case_id for session in sessions for case_id in session}
    baselines = {
        case.case_id: clean_counts(case.baseline) for case in cases if case.baseline and case.case_id not in seen
    }
    scenarios = {case.case_id: f"{case.plan}/{case.scenario}" for case in cases}
    return fit([*sessions, baselines] if baselines else sessions, scenarios, _beside(cases))


def _beside(cases: Sequence[CaseResult]) -> set[str]:
    """The cases whose calls an earlier case of the suite has too."""
    seen: Counter[object] = Counter()
    beside: set[str] = set()
    for case in cases:
        keys = set(map(run_key, case.runs))
        if any(seen[key] for key in keys):
            beside.add(case.case_id)
        seen.update(keys)
    return beside


def _sum(counts: Sequence[Counts]) -> Counts:
    return sum(passed for passed, _ in counts), sum(total for _, total in counts)


def _unnamed(case: CaseResult) -> CaseResult:
    """Without what the rule said of it before."""
    word = "same" if case.compared in ("regressed", "suspected") else case.compared
    return case.model_copy(update={"compared": word, "probability_regressed": None})


def _named(case: CaseResult, chance: float) -> CaseResult:
    word = case_word(chance)
    if word == "same":
        return case
    return case.model_copy(update={"compared": word, "probability_regressed": chance})
