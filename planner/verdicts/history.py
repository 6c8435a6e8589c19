"""Compare called cases with earlier sessions, by the regression rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.results.model import CaseResult, Compared, Sample, SuiteChange, SuiteDocument, UsualCounts
from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.cases import run_key, sample_of
from planner.verdicts.comparison import clean_counts
from planner.verdicts.sessions import CallsOf, Measured, earlier_sessions, measured, session_before

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
    compared = _compared(known, stored)
    if compared is None:
        return known, None
    history, accepted, found = compared.history, compared.accepted, compared.found
    change = suite_change(found)
    if change == "everything_worse":
        from planner.verdicts.regression import chances

        # It may be a bad hour of the platform. If the session before was lower too, it is the agent.
        last = session_before(_to_compare(known), stored)
        if accepted.was_lower if last is None else chances(history, last).is_lower:
            change = "worse"
    suite = suite_document(history, found, compared.now, change).model_copy(
        update={
            "sessions": len(accepted.sessions),
            "left_out": list(accepted.left_out),
            "accepted": list(accepted.by_people),
        }
    )
    named = [_named(case, found.fallen.get(case.case_id, 0.0), accepted, history) for case in known]
    return named, suite


def cases_to_confirm(cases: Sequence[CaseResult], stored: CallsOf) -> list[str]:
    """The ids of cases that may have regressed, and that further calls could decide; most suspicious first."""
    compared = _compared(list(map(_unnamed, cases)), stored)
    if compared is None:
        return []
    from planner.verdicts.regression import suspicious

    calls = sum(total for _, total in compared.now.values())
    return suspicious(compared.found, calls, len(compared.accepted.sessions))


@frozen
class _Compared:
    """`now` has the planned calls; `found` says what they and those that were added show."""

    history: History
    accepted: Accepted
    now: Mapping[str, Counts]
    found: Chances


def _to_compare(cases: Sequence[CaseResult]) -> dict[str, Measured]:
    return {case.case_id: measured(case) for case in cases if _is_comparable(case)}


def _compared(cases: Sequence[CaseResult], stored: CallsOf) -> _Compared | None:
    """None if no case can be compared."""
    to_compare = _to_compare(cases)
    if not to_compare:
        return None
    from planner.verdicts.accepted import accepted_sessions  # imports numpy
    from planner.verdicts.regression import chances, fit

    compared = [case for case in cases if case.case_id in to_compare]
    scenarios = {case.case_id: f"{case.plan}/{case.scenario}" for case in compared}
    beside = _beside(compared)
    accepted = accepted_sessions(earlier_sessions(to_compare, stored), scenarios, beside)
    history = fit(_with_baselines(accepted.sessions, compared), scenarios, beside)
    now = {case.case_id: clean_counts(case.latest) for case in compared if case.latest}
    every = dict(now)
    for case in compared:
        if case.confirmation:
            every[case.case_id] = _sum([now[case.case_id], clean_counts(sample_of(case, case.confirmation))])
    return _Compared(history, accepted, now, chances(history, every, accepted.suspicions))


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


def case_word(chance: float, *, is_confirmed: bool = False) -> Compared:
    """`is_confirmed`: calls were added to be sure."""
    from planner.verdicts.regression import REGRESSED_AT, SUSPECTED_AT

    if chance < SUSPECTED_AT:
        return "same"
    return "regressed" if is_confirmed or chance >= REGRESSED_AT else "suspected"


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
    word = case_word(chance, is_confirmed=any(run.countable for run in case.confirmation))
    if word == "same" and not case.confirmation:
        return case
    if case.case_id not in history.counts:
        return case
    passed, countable = history.counts[case.case_id]
    sessions = sum(case.case_id in session for session in accepted.sessions)
    update = {
        "compared": word,
        "probability_regressed": None if word == "same" else chance,
        "usual": UsualCounts(passed=passed, countable=countable, sessions=sessions),
        "regressed_since": None if word == "same" else accepted.since.get(case.case_id),
    }
    return case.model_copy(update=update)
