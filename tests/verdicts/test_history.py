"""Called cases compared with several earlier sessions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from planner.errors import StoreError
from planner.planfile.model import Quarantine
from planner.results.model import CaseResult, RunResult
from planner.results.outcomes import CaseOutcome
from planner.session.history import with_history
from planner.session.selection import Selection
from planner.statistics import Counts
from planner.verdicts.cases import sample_of
from planner.verdicts.history import compare_with_history
from tests.support.stored_cases import NOW, make_case, make_runs, session_result, store_case

NAMES = [f"case-{number:02}" for number in range(12)]
USUAL = dict.fromkeys(NAMES, (3, 3))


def called(day: int, name: str, counts: Counts, **fields: Any) -> CaseResult:
    """A case as one session called it."""
    passed, total = counts
    causes = [None] * passed + ["agent"] * (total - passed)
    runs = make_runs(*causes, first=1000 * day + 10 * NAMES.index(name), session_id=f"day{day:02}")
    return store_case(make_case(name), runs=runs, **fields)


def session(day: int, counts: Mapping[str, Counts] = USUAL, **fields: Any) -> RunResult:
    cases = (called(day, name, own, **fields) for name, own in counts.items())
    return session_result(f"day{day:02}", *cases, at=NOW)


def today(counts: Mapping[str, Counts], day: int = 9, **fields: Any) -> list[CaseResult]:
    """Called cases, compared with a baseline of three passed runs of three."""
    found: list[CaseResult] = []
    for name, own in counts.items():
        outcome = CaseOutcome.PASSED if own[0] == own[1] else CaseOutcome.FAILED
        case = called(day, name, own, outcome=outcome, **{"compared": "not_enough_evidence"} | fields)
        before = sample_of(called(8, name, (3, 3), outcome=CaseOutcome.PASSED))
        found.append(case.model_copy(update={"baseline": before, "latest": sample_of(case)}))
    return found


def words(cases: list[CaseResult]) -> dict[str, str]:
    return {case.scenario: case.compared for case in cases if case.compared != "same"}


HISTORY = [session(day) for day in (8, 7, 6)]
FALLEN = {**USUAL, "case-00": (0, 3), "case-01": (0, 3)}


def test_cases_that_fell_regressed() -> None:
    cases, suite = compare_with_history(today(FALLEN), HISTORY)
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert all(case.change_probability for case in cases if case.compared == "regressed")
    assert suite is not None
    assert (suite.compared, suite.cases, suite.sessions) == ("worse", 12, 3)
    assert (suite.passed_before, suite.runs_before, suite.passed_now, suite.runs_now) == (108, 108, 30, 36)
    assert suite.p_value < 0.01


def test_cases_that_rose_improved() -> None:
    failing = {**USUAL, "case-00": (0, 3), "case-01": (0, 3)}
    cases, suite = compare_with_history(today(USUAL), [session(day, failing) for day in (8, 7, 6)])
    assert words(cases) == {"case-00": "improved", "case-01": "improved"}
    assert suite is not None
    assert suite.compared == "better"


def test_without_a_change_only_the_outcome_may_differ() -> None:
    """One failed run of thirty-six. A word of the exact tests does not remain."""
    cases, suite = compare_with_history(today({**USUAL, "case-00": (2, 3)}, compared="regressed"), HISTORY)
    assert words(cases) == {"case-00": "not_enough_evidence"}
    assert suite is not None
    assert suite.compared == "not_enough_evidence"


@pytest.mark.parametrize(
    "stored",
    [
        [],
        HISTORY[:1],
        [session(9, FALLEN)],  # its own calls
        [session(day, call_fingerprint="another prompt") for day in (8, 7, 6)],
        [session(day, check_fingerprint="other expectations") for day in (8, 7, 6)],
        [session(day, judged_by="another judge") for day in (8, 7, 6)],
        [session(day, dict.fromkeys(NAMES, (0, 0))) for day in (8, 7, 6)],
    ],
)  # fmt: skip
def test_without_two_sessions_of_the_same_call_the_exact_tests_decide(stored: list[RunResult]) -> None:
    """Among them sessions before a changed plan, and the session itself: no call is compared with itself."""
    cases, suite = compare_with_history(today(FALLEN, change_probability=0.9), stored)
    assert {case.compared for case in cases} == {"not_enough_evidence"}
    assert {case.change_probability for case in cases} == {None}
    assert suite is not None
    assert (suite.sessions, suite.compared, suite.runs_before) == (0, "worse", 36)


def test_a_plan_that_was_changed_in_between_leaves_the_sessions_around() -> None:
    other = session(7, call_fingerprint="another prompt")
    _, suite = compare_with_history(today(FALLEN), [HISTORY[0], other, HISTORY[2]])
    assert suite is not None
    assert (suite.sessions, suite.runs_before) == (2, 72)


def test_a_call_counts_once_by_its_newest_verdict() -> None:
    """Day 8 kept the runs of day 7 for one case, and judged them as passed."""
    kept = called(7, "case-00", (3, 3))
    day8 = HISTORY[0].model_copy(update={"cases": [kept, *HISTORY[0].cases[1:]]})
    failed = session(7, {**USUAL, "case-00": (0, 3)})
    _, suite = compare_with_history(today(FALLEN), [day8, failed, HISTORY[2]])
    assert suite is not None
    assert (suite.sessions, suite.passed_before, suite.runs_before) == (3, 105, 105)


def test_calls_measured_otherwise_do_not_count() -> None:
    """By another judge, as its endpoint named it."""
    cases = today(FALLEN)
    named = [
        case.model_copy(update={"runs": [run.model_copy(update={"judge_model": "new"}) for run in case.runs]})
        for case in cases
    ]
    old = [
        stored.model_copy(
            update={
                "cases": [
                    case.model_copy(
                        update={"runs": [run.model_copy(update={"judge_model": "old"}) for run in case.runs]}
                    )
                    for case in stored.cases
                ]
            }
        )
        for stored in HISTORY
    ]
    suites = [compare_with_history(side, stored)[1] for side, stored in ((named, HISTORY), (named, old), (cases, old))]
    assert [suite and suite.sessions for suite in suites] == [3, 0, 3]


def test_no_call_is_compared_with_itself() -> None:
    """Its own session is stored already, as for the gate."""
    found = compare_with_history(today(FALLEN), HISTORY)
    assert compare_with_history(today(FALLEN), [session(9, FALLEN), *HISTORY]) == found


def test_sessions_with_gaps_count_for_the_cases_they_called() -> None:
    parts = [session(8, {"case-00": (3, 3)}), session(7, {"case-01": (3, 3)}), session(6)]
    cases, suite = compare_with_history(today({"case-00": (3, 3), "case-01": (0, 3)}), parts)
    assert suite is not None
    assert (suite.sessions, suite.runs_before) == (3, 12)
    assert len(cases) == 2


def test_an_edited_agent_teaches_no_rates() -> None:
    """The base was edited after day 6: what failed then is no excuse now."""
    bad = session(6, dict.fromkeys(NAMES, (0, 3)), revision="2026-11-01 old")
    cases, suite = compare_with_history(today(FALLEN), [HISTORY[0], HISTORY[1], bad])
    assert words(cases) == {"case-00": "regressed", "case-01": "regressed"}
    assert suite is not None
    assert (suite.sessions, suite.passed_before, suite.runs_before) == (3, 72, 72)


def test_cases_that_cannot_be_compared_keep_their_word() -> None:
    """Changed plans, quarantined cases and cases on two variants of an agent take no part. A case that was not called
    keeps its comparison."""
    several = [run.model_copy(update={"agent_variant_id": index}) for index, run in enumerate(make_runs(None, None))]
    quarantine = Quarantine(NOW.date(), "x")
    fields: list[dict[str, Any]] = [
        {"not_comparable": "prompt"},
        {"quarantine": {"until": quarantine.until, "reason": quarantine.reason}},
        {"runs": several},
        {"action": "reuse"},
    ]
    usual = today(USUAL)
    left_out = [
        case.model_copy(
            update=CaseResult.model_validate(case.model_dump() | changed | {"compared": "regressed"}).__dict__
        )
        for case, changed in zip(usual, fields, strict=False)
    ]
    cases, suite = compare_with_history([*left_out, *usual[4:]], HISTORY)
    assert words(cases) == {case.scenario: "regressed" for case in left_out}
    assert suite is not None
    assert suite.cases == 9


def test_a_kept_regression_stays_as_likely_as_it_was() -> None:
    """Until the case is called again. Of a case that is the same now, nothing remains."""
    kept = today(FALLEN, action="reuse", compared="regressed", change_probability=0.97)
    cases, _ = compare_with_history([*kept[:1], *today(FALLEN, action="reuse", change_probability=0.6)[1:]], HISTORY)
    assert [case.change_probability for case in cases] == [0.97, *[None] * 11]


def test_a_likely_regression_is_suspected() -> None:
    """Named as such, and not counted as one."""
    history = [session(day, {**USUAL, "case-02": (1, 3)}) for day in (8, 7, 6)]
    found, _ = compare_with_history(today({**FALLEN, "case-02": (0, 3), "case-03": (2, 3)}), history)
    by_name = {case.scenario: (case.compared, case.change_probability) for case in found}
    word, probability = by_name["case-03"]
    assert word == "not_enough_evidence"
    assert probability is not None
    assert 0.5 <= probability < 0.8
    assert by_name["case-04"] == ("same", None)


class Unreadable:
    """A store whose sessions cannot be read."""

    def sessions_of(self, environment: str, *, sandbox: bool) -> list[RunResult]:
        raise StoreError(f"runs/{environment}.json cannot be read ({sandbox})")


def test_sessions_that_cannot_be_read_stop_no_report() -> None:
    """The calls are paid by then."""
    shown: list[str] = []
    place: Any = SimpleNamespace(target=None, base=None, repository=Unreadable())
    shell: Any = SimpleNamespace(log=shown.append)
    cases, suite = with_history(shell, place, Selection(environment="staging"), today(FALLEN))
    assert (len(cases), suite is not None, len(shown)) == (12, True, 1)
    assert "runs/staging.json cannot be read (False)" in shown[0]


def test_numpy_is_loaded_only_where_there_is_a_history() -> None:
    """Validating, planning and a first session do not wait for it."""
    program = (
        "import sys, planner.commands.plan, planner.commands.run, planner.commands.gate; print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
