"""Compare called cases with the earlier sessions of the base branch, by the regression test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from planner.changes.detail import revision_digest
from planner.records.facts import CallFact, StoredCall, Trust, id_of
from planner.results.model import CaseResult, Compared, JudgedRun, Sample, SuiteDocument
from planner.results.outcomes import Action
from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.cases import sample_of
from planner.verdicts.comparison import clean_counts, measurement_change, suite_of, variants_of

if TYPE_CHECKING:  # imports numpy: only where there is a history to compare with
    from planner.verdicts.regression import Found, Session

MIN_SESSIONS: Final = 2
"""With fewer earlier sessions, nothing is known about how much they differ, and the exact tests decide."""
CallsOf: TypeAlias = Callable[[str], Sequence[StoredCall]]


@frozen
class _Calls:
    """The calls of one case that one session made, with the agent they reached."""

    target: tuple[str, int]
    agent: str
    counts: Counts


def compare_with_history(cases: Sequence[CaseResult], stored: CallsOf) -> tuple[list[CaseResult], SuiteDocument | None]:
    """Compare the newest calls of the cases with those of earlier sessions; return the cases, and the suite as a whole.

    Cases that cannot be compared, are quarantined or were called on several variants of an agent keep the result of the
    exact tests. So do all cases if there are too few sessions.

    Args:
        cases: compared with their baselines.
        stored: the stored calls with a call fingerprint.
    """
    known = [case if _keeps_word(case) else case.model_copy(update={"change_probability": None}) for case in cases]
    now = {case.case_id: case for case in known if _is_comparable(case)}
    sessions = _sessions(_calls_by_session(now, stored)) if now else []
    if len(sessions) < MIN_SESSIONS:
        return known, suite_of(known)
    from planner.verdicts.regression import find_changes, fit

    fitted = fit(sessions)
    counts = {case_id: clean_counts(case.latest) for case_id, case in now.items() if case.latest is not None}
    worse, better = (find_changes(fitted, counts, sign) for sign in (-1, 1))
    compared = [_compared(case, worse, better) if case.case_id in worse.probabilities else case for case in known]
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
        compared=_suite_word(worse, better),
    )
    return compared, suite


def _keeps_word(case: CaseResult) -> bool:
    """A regression remains until the case is called again."""
    return case.action is not Action.CALL and case.compared == "regressed"


def _is_comparable(case: CaseResult) -> bool:
    sides: Sequence[Sample | None] = (case.baseline, case.latest)
    has_runs = all(side is not None and side.is_known for side in sides)
    is_single = len(variants_of(_latest_runs(case))) < 2
    return has_runs and is_single and case.not_comparable is None and case.quarantine is None


def _latest_runs(case: CaseResult) -> list[JudgedRun]:
    return [run for run in case.runs if not run.pooled]


def _calls_by_session(now: Mapping[str, CaseResult], stored: CallsOf) -> dict[str, dict[str, _Calls]]:
    """The base branch's earlier calls of each case that are judged and measured like today's, by the session that made
    them."""
    latest = {id_of(run) for case in now.values() for run in _latest_runs(case)}
    found: dict[str, dict[str, _Calls]] = {}
    for case in now.values():
        by_session: dict[str, list[StoredCall]] = {}
        for call in stored(case.call_fingerprint):
            is_trusted = call.is_of_base and call.trust is not Trust.NOTHING
            if is_trusted and call.call.excluded is None and call.id not in latest:
                by_session.setdefault(call.call.session_id, []).append(call)
        for session_id, calls in by_session.items():
            verdicts = [(call, call.verdict(case.check_fingerprint, case.judged_by)) for call in calls]
            runs = [call.run(verdict.verdict, verdict.judge_model) for call, verdict in verdicts if verdict is not None]
            if runs and measurement_change(runs, _latest_runs(case), is_graded=case.is_graded) is None:
                found.setdefault(session_id, {})[case.case_id] = _calls(case, calls[-1].call, runs)
    return found


def _calls(case: CaseResult, newest: CallFact, runs: Sequence[JudgedRun]) -> _Calls:
    agent = newest.configuration or revision_digest(newest.agent_revision or "")
    target = case.inputs.target_kind, newest.target_id
    return _Calls(target, agent, clean_counts(sample_of(case, runs)))


def _sessions(calls: Mapping[str, Mapping[str, _Calls]]) -> list[Session]:
    """The sessions with calls that count, oldest first."""
    from planner.verdicts.regression import Session

    newest: dict[tuple[str, int], str] = {}
    sessions: list[Session] = []
    for session_id in sorted(calls, reverse=True):
        own = {case_id: each for case_id, each in calls[session_id].items() if each.counts[1]}
        for each in own.values():
            newest.setdefault(each.target, each.agent)
        outdated = {case_id for case_id, each in own.items() if each.agent != newest[each.target]}
        if own:
            sessions.append(Session({case_id: each.counts for case_id, each in own.items()}, frozenset(outdated)))
    return sessions[::-1]


def _compared(case: CaseResult, worse: Found, better: Found) -> CaseResult:
    """A case that was not called keeps its comparison."""
    if case.action is not Action.CALL or case.baseline is None or case.latest is None:
        return case
    case_id = case.case_id
    word: Compared = "same" if case.baseline.outcome is case.latest.outcome else "not_enough_evidence"
    probability = None
    if case_id in worse.changed or case_id in worse.suspected:
        probability = worse.probabilities[case_id]
        word = "regressed" if case_id in worse.changed else "not_enough_evidence"
    elif case_id in better.changed:
        probability = better.probabilities[case_id]
        word = "improved"
    return case.model_copy(update={"compared": word, "change_probability": probability})


def _suite_word(worse: Found, better: Found) -> Literal["worse", "better", "not_enough_evidence"]:
    if worse.suite_changed and worse.statistic >= better.statistic:
        return "worse"
    return "better" if better.suite_changed else "not_enough_evidence"
