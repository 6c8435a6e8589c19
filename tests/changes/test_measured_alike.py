"""Runs are compared only if they were measured in the same way: same variant of the agent, same grader, same judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from planner.checks.base import Expectation
from planner.checks.judgement import Judgement, passed
from planner.evidence import Evidence
from planner.reports import case_phrasing
from planner.results.model import CaseResult, JudgedRun
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.history import compare_with_history
from planner.verdicts.runs import rests_on_grade
from tests.support.stored_cases import build, make_case, make_runs, store_case

Compare = Callable[..., CaseResult]


class Graded(Expectation, frozen=True):
    """Like the check of the platform's grade, with a fixed judgement."""

    caller_can_cause_failure = True

    check: Literal["grade"] = "grade"

    def judge(self, evidence: Evidence) -> Judgement:
        return passed(f"run {evidence.run_id}")


def compare_runs(before: list[JudgedRun], now: list[JudgedRun], *, graded: bool = True) -> CaseResult:
    """The case after it was called again, from its earlier and its new runs."""
    case = make_case(runs=len(now), min_pass_rate=0)
    case = replace(case, expectations=(Graded(),)) if graded else case
    stored = store_case(case, runs=before, outcome="flaky")
    (change,) = build([case], [stored], rerun="all").changes
    made = {case.case_id: now}
    assembled = assemble_cases([change], made, lambda _: None, MissingRuns(), today=date(2026, 11, 25))
    (found,), _ = compare_with_history(assembled, lambda wanted: {each: [] for each in wanted})
    return found


def fallen(before: dict[str, Any], now: dict[str, Any]) -> Any:
    """Ten of ten, then none of ten."""
    old = make_runs(*[None] * 10, session_id="old", **before)
    return old, make_runs(*["agent"] * 10, first=201, session_id="new", **now)


def test_another_grader_is_no_regression() -> None:
    """Grades of two graders are not comparable, and the report says so, with both counts. A case that does not use
    the grade, or whose grader is unknown, is compared as usual."""
    old, new = {"grader_version": "3"}, {"grader_version": "4"}
    found = compare_runs(*fallen(old, new))
    assert (found.compared, found.not_comparable) == ("not_comparable", "grader")
    assert case_phrasing.compared(found) == "unchanged (10/10 → 0/10; different grader)"
    assert found.baseline is not None
    assert found.latest is not None
    for compared in (
        compare_runs(*fallen(old, new), graded=False),
        compare_runs(*fallen(old, old)),
        compare_runs(*fallen({}, new)),
    ):
        assert (compared.compared, compared.not_comparable) == ("regressed", None)
    model = {**old, "grader_model": "g-2"}
    assert compare_runs(*fallen({**old, "grader_model": "g-1"}, model)).not_comparable == "grader"


def test_another_edition_of_the_judge_is_no_regression() -> None:
    """The endpoint names another model under the same configured name."""
    old, new = {"judge_model": "m-2026-08"}, {"judge_model": "m-2026-11"}
    found = compare_runs(*fallen(old, new))
    assert (found.not_comparable, found.compared != "regressed") == ("judge", True)
    assert compare_runs(*fallen(old, old)).compared == "regressed"


def test_another_variant_of_the_agent_is_no_regression() -> None:
    """If no variant took calls on both sides."""
    a, b = {"agent_variant_id": 1}, {"agent_variant_id": 2}
    apart = compare_runs(*fallen(a, b))
    assert (apart.not_comparable, apart.compared != "regressed") == ("variant", True)
    assert compare_runs(*fallen(a, a)).compared == "regressed"


def test_cases_that_depend_on_the_grade() -> None:
    """Also through a part of an expectation."""
    assert rests_on_grade(make_case(expectations=(Graded(),)))
    assert not rests_on_grade(make_case())
