"""Called cases compared with several earlier sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from planner.planfile.model import Quarantine
from planner.records.facts import CallFact, StoredCall, Trust, VerdictFact, data_of
from planner.results.model import CaseResult, RunVerdict, StartOverDocument, SuiteDocument
from planner.results.outcomes import CaseOutcome, RunOutcome
from planner.statistics import Counts
from planner.verdicts.cases import sample_of
from planner.verdicts.history import compare_with_history
from tests.support.stored_cases import NOW, make_case, make_runs, store_case

NAMES = [f"case-{number:02}" for number in range(12)]
USUAL = dict.fromkeys(NAMES, (3, 3))
PASSED = RunVerdict(outcome=RunOutcome.PASSED)


def called(day: int, name: str, counts: Counts, **fields: Any) -> CaseResult:
    """A case as one session called it."""
    passed, total = counts
    causes = [None] * passed + ["agent"] * (total - passed)
    runs = make_runs(*causes, first=1000 * day + 10 * NAMES.index(name), session_id=f"day{day:02}")
    return store_case(make_case(name, prompt=f"Ask about {name}."), runs=runs, **fields)


def session(day: int, counts: Mapping[str, Counts] = USUAL, **fields: Any) -> list[StoredCall]:
    """The stored calls of one session. Fields are those of a stored case, of its runs, or of a stored call."""
    calls: list[StoredCall] = []
    of_call = {name: fields.pop(name) for name in ("is_of_base", "trust") if name in fields}
    of_fact = {name: fields.pop(name) for name in ("merged",) if name in fields}
    of_runs = {name: fields.pop(name) for name in ("judge_model",) if name in fields}
    for name, own in counts.items():
        case = called(day, name, own, **fields)
        for run in case.runs:
            judged = run.model_copy(update=of_runs)
            common: dict[str, Any] = {"run_id": judged.run_id, "session_id": judged.session_id}
            verdict = VerdictFact(
                **common,
                check_fingerprint=case.check_fingerprint,
                judged_by=case.judged_by,
                judge_model=judged.judge_model,
                evidence=judged.evidence,
                verdict=RunVerdict(outcome=judged.outcome, cause=judged.cause),
            )
            fact = CallFact(
                **common,
                case_id=case.case_id,
                plan=case.plan,
                environment="",
                target_id=case.inputs.target_id,
                agent_revision=case.inputs.agent_revision,
                data=data_of(judged),
                **of_fact,
            )
            calls.append(StoredCall(fact, case.call_fingerprint, fact.data, (verdict,), **of_call))
    return calls


def compared(
    cases: Sequence[CaseResult], *stored: Sequence[StoredCall]
) -> tuple[list[CaseResult], SuiteDocument | None]:
    by_fingerprint: dict[str, list[StoredCall]] = {}
    for call in chain.from_iterable(reversed(stored)):
        by_fingerprint.setdefault(call.call_fingerprint, []).append(call)
    return compare_with_history(cases, lambda wanted: {each: by_fingerprint.get(each, []) for each in wanted})


def today(counts: Mapping[str, Counts], day: int = 9, **fields: Any) -> list[CaseResult]:
    """Called cases, compared with a baseline of three passed runs of three."""
    found: list[CaseResult] = []
    for name, own in counts.items():
        outcome = CaseOutcome.PASSED if own[0] == own[1] else CaseOutcome.FAILED
        case = called(day, name, own, outcome=outcome, **{"compared": "same"} | fields)
        before = sample_of(called(8, name, (3, 3), outcome=CaseOutcome.PASSED))
        found.append(case.model_copy(update={"baseline": before, "latest": sample_of(case)}))
    return found


def words(cases: list[CaseResult]) -> dict[str, str]:
    return {case.scenario: case.compared for case in cases if case.compared != "same"}


HISTORY = [session(day) for day in (8, 7, 6)]
FALLEN = {**USUAL, "case-00": (0, 3), "case-01": (0, 3)}


def test_cases_that_fell_regressed() -> None:
    cases, suite = compared(today(FALLEN), *HISTORY)
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert all(case.probability_regressed for case in cases if case.compared == "regressed")
    assert suite is not None
    assert (suite.compared, suite.cases, suite.sessions) == ("worse", 12, 3)
    assert (suite.passed_before, suite.runs_before, suite.passed_now, suite.runs_now) == (108, 108, 30, 36)
    assert suite.probability_worse > 0.9 > suite.probability_lower


def test_a_suite_that_fell_everywhere_is_worse() -> None:
    """A few cases that changed would not explain it, so none is named. A bad hour would, so only a second session of
    the same pull request shows that it is the agent."""
    fallen = dict.fromkeys(USUAL, (2, 3))
    agent: dict[str, Any] = {"revision": "2026-11-02 new"}
    first = session(8, fallen, is_of_base=False, **agent)
    for stored, change in (
        (HISTORY, "everything_worse"),
        ([first, *HISTORY], "worse"),
        ([session(8, USUAL, is_of_base=False, **agent), *HISTORY], "everything_worse"),
        ([session(8, fallen, is_of_base=False, revision="2026-11-02 other"), *HISTORY], "everything_worse"),
        ([session(8, dict.fromkeys(NAMES[:5], (2, 3)), is_of_base=False, **agent), *HISTORY], "everything_worse"),
        ([session(8, fallen, is_of_base=False, trust=Trust.NOTHING, **agent), *HISTORY], "everything_worse"),
    ):
        cases, suite = compared(today(fallen, **agent), *stored)
        assert suite is not None
        assert (suite.compared, set(words(cases).values())) == (change, set())


def test_without_a_change_only_the_outcome_may_differ() -> None:
    """One failed run of thirty-six. An earlier word does not remain."""
    cases, suite = compared(today({**USUAL, "case-00": (2, 3)}, compared="regressed"), *HISTORY)
    assert words(cases) == {}
    assert suite is not None
    assert suite.compared == "not_enough_evidence"


@pytest.mark.parametrize(
    "stored",
    [
        [],
        [session(9, FALLEN)],  # its own calls
        [session(day, call_fingerprint="another prompt") for day in (8, 7, 6)],
        [session(day, check_fingerprint="other expectations") for day in (8, 7, 6)],
        [session(day, is_of_base=False) for day in (8, 7, 6)],
        [session(day, trust=Trust.NOTHING) for day in (8, 7, 6)],
    ],
)  # fmt: skip
def test_without_a_session_of_the_same_call_the_baselines_are_compared(stored: list[list[StoredCall]]) -> None:
    """Among them sessions before a changed plan, and the session itself: no call is compared with itself. Calls of pull
    requests do not count, and none that others could have judged."""
    cases, suite = compared(today(FALLEN, probability_regressed=0.9), *stored)
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert {case.probability_regressed for case in cases if case.compared == "same"} == {None}
    assert suite is not None
    assert (suite.sessions, suite.compared, suite.runs_before) == (0, "worse", 36)


def test_a_case_without_a_session_is_compared_with_its_baseline_beside_the_others() -> None:
    """It was called on the base branch by another agent, or with other expectations."""
    of_others = {name: counts for name, counts in USUAL.items() if name != "case-00"}
    cases, suite = compared(today(FALLEN), *(session(day, of_others) for day in (8, 7, 6)))
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert suite is not None
    assert (suite.sessions, suite.cases, suite.runs_before) == (3, 12, 3 * 33 + 3)


def test_only_the_newest_verdict_on_the_newest_evidence_counts() -> None:
    """Day 7 failed by evidence that was read again since, or was judged again as passed."""
    failed = session(7, {"case-00": (2, 3), **dict.fromkeys(NAMES[1:], (3, 3))})
    again = [
        replace(call, verdicts=(*call.verdicts, call.verdicts[0].model_copy(update={"verdict": PASSED})))
        for call in failed
    ]
    unread = [replace(call, data=call.data.model_copy(update={"evidence": "newer"})) for call in failed]
    suites = [compared(today(FALLEN), HISTORY[0], day7, HISTORY[2])[1] for day7 in (failed, again, unread)]
    found = [suite and (suite.sessions, suite.passed_before, suite.runs_before) for suite in suites]
    assert found == [(3, 107, 108), (3, 108, 108), (2, 72, 72)]


def test_calls_measured_otherwise_do_not_count() -> None:
    """By another judge, as its endpoint named it."""
    cases = today(FALLEN)
    named = [
        case.model_copy(update={"runs": [run.model_copy(update={"judge_model": "new"}) for run in case.runs]})
        for case in cases
    ]
    old = [session(day, judge_model="old") for day in (8, 7, 6)]
    suites = [compared(side, *stored)[1] for side, stored in ((named, HISTORY), (named, old), (cases, old))]
    assert [suite and suite.sessions for suite in suites] == [3, 0, 3]


def test_no_call_is_compared_with_itself() -> None:
    """Its own session is stored already, as for the gate."""
    found = compared(today(FALLEN), *HISTORY)
    assert compared(today(FALLEN), session(9, FALLEN), *HISTORY) == found


def test_calls_before_an_edit_count() -> None:
    """What the base's older configuration did is known of the case: it once failed as it does now."""
    bad = session(6, dict.fromkeys(NAMES, (0, 3)), revision="2026-11-01 old")
    _, suite = compared(today(FALLEN), HISTORY[0], HISTORY[1], bad)
    assert suite is not None
    assert (suite.sessions, suite.passed_before, suite.runs_before) == (3, 72, 108)


def test_the_newest_calls_of_a_merged_pull_request_are_accepted() -> None:
    """What was repaired before the merge was not accepted. Here one case was called again before it."""
    for second, found, left_out, accepted in (
        (USUAL, {"case-00": "regressed", "case-01": "regressed"}, ["day07"], []),
        ({"case-00": (3, 3)}, {"case-00": "regressed"}, ["day07"], ["merged #42"]),
        ({"case-00": (0, 3)}, {}, ["day07"], ["merged #42"] * 2),
    ):
        pull_request = [session(8, second, merged=42), session(7, FALLEN, merged=42)]
        cases, suite = compared(today(FALLEN), *pull_request, *[session(day) for day in (6, 5, 4)])
        assert words(cases) == found
        assert suite is not None
        assert (suite.left_out, [each.reason for each in suite.accepted]) == (left_out, accepted)


def test_everything_lower_again_is_worse_on_the_base_branch() -> None:
    lower = dict.fromkeys(USUAL, (2, 3))
    suites = [compared(today(lower), *stored, *HISTORY[1:], session(5))[1] for stored in ([], [session(8, lower)])]
    assert [suite and suite.compared for suite in suites] == ["everything_worse", "worse"]


def test_a_case_that_was_started_over_is_not_compared() -> None:
    over = StartOverDocument(reason="new rules", at=NOW)
    assert words(compared(today(FALLEN, start_over=over), *HISTORY)[0]) == {}


def test_cases_that_cannot_be_compared_take_no_part() -> None:
    """Changed plans, and quarantined cases."""
    quarantine = Quarantine(NOW.date(), "x")
    fields: list[dict[str, Any]] = [
        {"not_comparable": "prompt"},
        {"quarantine": {"until": quarantine.until, "reason": quarantine.reason}},
    ]
    usual = today(FALLEN)
    left_out = [
        case.model_copy(update=CaseResult.model_validate(case.model_dump() | changed).__dict__)
        for case, changed in zip(usual, fields, strict=False)
    ]
    cases, suite = compared([*left_out, *usual[2:]], *HISTORY)
    assert words(cases) == {}
    assert suite is not None
    assert suite.cases == 10


def test_a_kept_case_is_compared_like_a_called_one() -> None:
    """A regression remains until the case is called again; an earlier word does not. That is also so in the required check of a pull request, which makes no calls."""
    kept = [case.model_copy(update={"action": "reuse"}) for case in today(FALLEN)]
    kept[5] = kept[5].model_copy(update={"compared": "regressed"})
    cases, suite = compared(kept, *HISTORY)
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert (words(compared(today(FALLEN), *HISTORY)[0]), suite) == (words(cases), compared(kept, *HISTORY)[1])


def test_a_likely_regression_is_suspected() -> None:
    """Named as such, and not counted as one."""
    found, _ = compared(today(FALLEN), HISTORY[0], HISTORY[1], session(6, {**USUAL, "case-00": (1, 3)}))
    by_name = {case.scenario: (case.compared, case.probability_regressed) for case in found}
    word, probability = by_name["case-00"]
    assert word == "suspected"
    assert probability is not None
    assert 0.5 <= probability < 2 / 3
    assert by_name["case-04"] == ("same", None)
