"""Compare called cases with earlier sessions, by the regression rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.results.model import CaseResult, Compared, Sample, SuiteChange, SuiteDocument, UsualCounts
from planner.statistics import Counts
from planner.verdicts.cases import run_key
from planner.verdicts.comparison import clean_counts
from planner.verdicts.sessions import CallsOf, earlier_sessions, measured, session_before

if TYPE_CHECKING:  # imports numpy: only where there is something to compare with
    from planner.verdicts.accepted import Accepted
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
    from planner.verdicts.accepted import accepted_sessions  # imports numpy
    from planner.verdicts.regression import chances, fit

    compared = [case for case in known if case.case_id in to_compare]
    scenarios = {case.case_id: f"{case.plan}/{case.scenario}" for case in compared}
    beside = _beside(compared)
    accepted = accepted_sessions(earlier_sessions(to_compare, stored), scenarios, beside)
    history = fit(_with_baselines(accepted.sessions, compared), scenarios, beside)
    now = {case.case_id: clean_counts(case.latest) for case in compared if case.latest}
    found = chances(history, now, accepted.suspicions)
    change = suite_change(found)
    if change == "everything_worse":
        # It may be a bad hour of the platform. If the session before was lower too, it is the agent.
        last = session_before(to_compare, stored)
        if accepted.was_lower if last is None else chances(history, last).is_lower:
            change = "worse"
    suite = suite_document(history, found, now, change).model_copy(
        update={
            "sessions": len(accepted.sessions),
            "left_out": list(accepted.left_out),
            "accepted": list(accepted.by_people),
        }
    )
    named = [_named(case, found.fallen.get(case.case_id, 0.0), accepted, history) for case in known]
    return named, suite


def suite_document(history: History, found: Chances, now: Mapping[str, Counts], change: SuiteChange) -> SuiteDocument:
    counted = [case_id for case_id in found.fallen if case_id not in history.beside]
    before, latest = (_sum([side[case_id] for case_id in counted]) for side in (history.counts, now))
    return SuiteDocument(
        cases=len(counted),
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
    return has_runs and case.not_comparable is None and case.quarantine is None and case.start_over is None


def _with_baselines(
    sessions: Sequence[Mapping[str, Counts]], cases: Sequence[CaseResult]
) -> list[Mapping[str, Counts]]:
    """The sessions, and one with the baselines of cases that no session has."""
    seen = {case_id for session in sessions for case_id in session}
    baselines = {
        case.case_id: clean_counts(case.baseline) for case in cases if case.baseline and case.case_id not in seen
    }
    return [*sessions, baselines] if baselines else list(sessions)


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
    unknown = dict.fromkeys(("probability_regressed", "usual", "regressed_since"))
    return case.model_copy(update={"compared": word, **unknown})


def _named(case: CaseResult, chance: float, accepted: Accepted, history: History) -> CaseResult:
    word = case_word(chance)
    if word == "same":
        return case
    passed, countable = history.counts[case.case_id]
    sessions = sum(case.case_id in session for session in accepted.sessions)
    update = {
        "compared": word,
        "probability_regressed": chance,
        "usual": UsualCounts(passed=passed, countable=countable, sessions=sessions),
        "regressed_since": accepted.since.get(case.case_id),
    }
    return case.model_copy(update=update)
