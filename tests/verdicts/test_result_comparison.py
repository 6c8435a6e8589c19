"""Compare two results: by the rate with the strongest evidence, with open and quarantined cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from planner.reports.comparison import render_markdown
from planner.results.model import CaseResult, ExpectationRate, JudgedRun, RunResult
from planner.verdicts.baseline import compare_results
from planner.verdicts.comparison import measurement_change

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def case(name: str, outcome: str, passed: int, failed: int = 0, **fields: Any) -> CaseResult:
    """`b_met`: in how many of the passed runs an expectation with its own rate was met."""
    b_met, check = fields.pop("b_met", passed), fields.pop("check", "says")
    total = passed + failed
    causes = [None] * passed + ["agent"] * failed
    runs = [
        {
            "run_id": number,
            "session_id": "x",
            "outcome": "passed" if cause is None else "failed",
            "cause": cause,
            "findings": [
                {
                    "expectation": "b",
                    "check": check,
                    "outcome": "passed" if number < b_met else "failed",
                    "severity": "error",
                    "message": "",
                }
            ],
        }
        for number, cause in enumerate(causes)
    ]
    return CaseResult.model_validate(
        {
            "case_id": f"p/{name}@s", "plan": "p", "scenario": name, "target": "s", "action": "call", "reason": "new",
            "outcome": outcome, "runs_required": total, "runs_passed": passed, "runs_total": total, "compared": "new",
            "call_fingerprint": "", "check_fingerprint": "", "runs": runs,
            "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1, "direction": "outbound", "mode": "bot"},
            **fields,
        }
    )  # fmt: skip


def result(name: str, at: datetime, *cases: CaseResult) -> RunResult:
    documents = [
        each.model_copy(update={"runs": [run.model_copy(update={"session_id": name}) for run in each.runs]})
        for each in cases
    ]
    return RunResult.model_validate(
        {
            "tool_version": "1", "outcome": "failed", "exit_code": 1, "session_id": name, "change_set_digest": "",
            "environment": "", "partial": False, "started_at": at, "ended_at": at, "consent": {"given": True}, "plans": [],
            "cases": documents, "cost": {"estimated_cents": None, "actual_cents": 0, "this_session_cents": 0,
            "unconfirmed_cents": 0, "carried_cents": 0}, "stats": {"requests": 0, "launches": 0, "refused": 0, "wall_seconds": 0},
        }
    )  # fmt: skip


B_FELL = "b was met in 0 of 10 runs, 60 % needed"


def own(met: int) -> CaseResult:
    found = case("own", "passed" if met else "failed", 10, b_met=met, outcome_reason="" if met else B_FELL)
    rate = ExpectationRate(expectation="b", check="says", met=met, decided=10, min_pass_rate=0.6)
    return found.model_copy(update={"expectations": [rate]})


def test_another_grader_or_variant_is_not_compared() -> None:
    """Of two results as of a run and its baseline: not comparable where the grader, judge or variant differs."""

    def with_runs(found: CaseResult, **fields: Any) -> CaseResult:
        return found.model_copy(
            update={"is_graded": True, "runs": [run.model_copy(update=fields) for run in found.runs]}
        )

    for fields, why in (
        ({"grader_version": "1"}, "grader"),
        ({"judge_model": "1"}, "judge"),
        ({"agent_variant_id": 1}, "variant"),
    ):
        check = {"grader": "grade", "judge": "judge"}.get(why, "says")
        good, bad = case("a", "passed", 10, check=check), case("a", "failed", 0, 10, check=check)
        others = dict.fromkeys(fields, "2")
        older, newer = result("old", AT, with_runs(good, **fields)), result("new", AT, with_runs(bad, **others))
        (found,) = compare_results(older, newer).cases
        assert (found.compared, found.not_comparable) == ("not_comparable", why)
        (alike,) = compare_results(older, result("new", AT, with_runs(bad, **fields))).cases
        assert (alike.compared, alike.not_comparable) == ("regressed", None)


GOLDEN = [
    "# 1 regressed, 2 now failing (1 in quarantine), 13 unchanged, 2 unknown",
    "",
    "- before: `old`: Failed, 2026-11-25 09:00:00 UTC",
    "- now: `new`: Failed, 2026-11-25 08:00:00 UTC",
    "- ⚠️ “before” is newer than “now”: what is shown as passing now may be failing now. Name the newer result first.",
    "",
    "16 cases compared: 190 of 190 runs passed before, 160 of 187 now: worse",
    "",
    "## Regressed (1)",
    "",
    "- ❌ `p/own@s`: b was met in 10 of 10 → 0 of 10 runs, -100 points (-100 to -61 points, 95 % interval), passed → failed",
    "  b was met in 0 of 10 runs, 60 % needed",
    "",
    "## Now failing (2)",
    "",
    "- ❌ `p/bad@s`: 4 of 4 → 2 of 4 runs passed, -50 points (-85 to +10 points, 95 % interval), passed → failed",
    "- ❌ `p/apart@s`: 4 of 4 → 0 of 4 runs passed, -100 points (-100 to -31 points, 95 % interval), passed → failed, in quarantine: not counted",
    "",
    "## Unknown (2)",
    "",
    "- ❔ `p/open@s`: 50 of 50 → 36 of 50 runs passed, -28 points (-42 to -15 points, 95 % interval), passed → unknown",
    "- ❔ `p/nobody@s`: 0 of 0 → 0 of 0 runs passed",
]


STEADY = [case(f"steady-{number}", "passed", 10) for number in range(12)]


def test_each_kind_of_change_is_reported() -> None:
    """An expectation with a rate of its own, a case left open, and one in quarantine; in results
    that are named the wrong way round."""
    quarantine = {"until": "2026-12-31", "reason": "x"}
    older = result(
        "old",
        AT,
        own(10),
        case("open", "passed", 50),
        case("shaky", "passed", 6),
        case("bad", "passed", 4),
        case("apart", "passed", 4),
        case("nobody", "unknown", 0),
        *STEADY,
    )
    newer = result(
        "new",
        AT - timedelta(hours=1),
        own(0),
        case("open", "unknown", 36, 14),
        case("shaky", "flaky", 2, 1),
        case("bad", "failed", 2, 2),
        case("apart", "failed", 0, 4, quarantine=quarantine),
        case("nobody", "unknown", 0),
        *STEADY,
    )
    found = unescape(render_markdown(compare_results(older, newer))).replace("\\", "")
    assert found.splitlines() == GOLDEN


def raised(passed: int, failed: int, *, b_met: int | None = None) -> CaseResult:
    """After eight runs that passed, as many more: those that failed first."""
    stood = case("raised", "passed", 8, b_met=8).runs
    more = case("raised", "failed", passed, failed, b_met=passed if b_met is None else b_met).runs
    runs = [*stood, *(run.model_copy(update={"run_id": 100 + run.run_id, "session_id": "new"}) for run in more)]
    found = case("raised", "failed", 8 + passed, failed).model_copy(update={"runs": runs})
    met = 8 + (passed if b_met is None else b_met)
    rate = ExpectationRate(expectation="b", check="says", met=met, decided=8 + passed + failed, min_pass_rate=0.8)
    return found if b_met is None else found.model_copy(update={"expectations": [rate]})


def lines(before: CaseResult, now: CaseResult) -> list[str]:
    older, newer = (
        result(name, AT + timedelta(hours=hours)).model_copy(update={"cases": [each]})
        for name, hours, each in (("old", 0, before), ("new", 1, now))
    )
    found = unescape(render_markdown(compare_results(older, newer))).replace("\\", "")
    return [line for line in found.splitlines() if "raised" in line]


def test_shared_runs_belong_to_the_first_side() -> None:
    """Where `runs` were raised, what was called since is compared with what was there, and not with itself: 8 of 8 and then 0 of 8."""
    assert lines(case("raised", "passed", 8), raised(0, 8)) == [
        (
            "- ❌ `p/raised@s`: 8 of 8 → 0 of 8 runs passed, not counting 8 shared runs, -100 points (-100 to -54 points, "
            "95 % interval), passed → failed"
        )
    ]


def test_cases_that_still_fail_are_reported() -> None:
    """It is no news and no reason to be glad: the headline counts it, and it is named with its words; quarantined it is not."""
    why, quarantine = "0 of 3 runs passed, 100 % needed", {"until": "2027-01-01", "reason": "known"}
    older = result("old", AT, case("bad", "failed", 0, 3), case("apart", "failed", 0, 3), case("good", "passed", 3))
    newer = result(
        "new",
        AT,
        case("bad", "failed", 0, 3, outcome_reason=why),
        case("apart", "failed", 0, 3, quarantine=quarantine),
        case("good", "passed", 3),
    )
    found = render_markdown(compare_results(older, newer))
    assert found.startswith("# 2 still failing (1 in quarantine), 1 unchanged\n")
    assert f"## Still failing (1)\n\n- `p/bad@s`: 0 of 3 → 0 of 3 runs passed\n  {why}\n" in found
    again = render_markdown(compare_results(newer, newer))
    assert "- `p/bad@s`: 0 of 3 → 0 of 3 runs passed, same runs\n" in again


def test_new_failures_and_cases_that_are_gone_are_named() -> None:
    older = result("old", AT, case("old", "passed", 2))
    newer = result("new", AT, case("bad", "failed", 0, 3), case("good", "passed", 1))
    found = render_markdown(compare_results(older, newer))
    assert found.startswith("# 2 new (1 failing), 1 gone\n")
    assert "## New and failing (1)\n\n- ➕ `p/bad@s`: 0 of 3 runs passed\n" in found
    assert "## Gone (1)\n\n- ➖ `p/old@s`: 2 of 2 runs passed\n" in found


def test_cases_that_were_not_selected_are_not_gone() -> None:
    older = result("old", AT, case("left-out", "passed", 2), case("a", "passed", 3))
    newer = result("new", AT, case("a", "passed", 3)).model_copy(update={"partial": True})
    found = render_markdown(compare_results(older, newer))
    assert found.startswith("# 1 unchanged\n")
    assert "only some cases were selected" in found


def test_a_case_in_one_result_only_is_new_or_gone() -> None:
    """It has one side, and takes no part in the comparison of the suite."""
    older = result("old", AT, case("gone", "passed", 3), case("a", "passed", 3))
    newer = result("new", AT, case("a", "passed", 3), case("new", "failed", 0, 3))
    found = compare_results(older, newer)
    assert [(each.case_id, each.compared) for each in found.cases] == [
        ("p/a@s", "same"), ("p/new@s", "new"), ("p/gone@s", "gone"),
    ]  # fmt: skip
    same, new, gone = found.cases
    assert (new.before, gone.now, new.difference) == (None, None, None)
    assert gone.before is not None
    assert (gone.before.runs_passed, gone.before.runs_countable, gone.before.pass_rate) == (3, 3, 1.0)
    assert (same.same_runs, same.shared_runs, same.quarantined) == (False, 0, False)
    assert found.suite is not None
    assert found.suite.cases == 1


@pytest.mark.parametrize(
    ("check", "graded", "fields", "why"),
    [
        *((check, True, "grader_version", "grader") for check in ("grade", "expression", "all_of", "any_of", "not")),
        *((check, False, "judge_model", "judge") for check in ("judge", "all_of", "any_of", "not")),
        ("grade", True, "grader_model", "grader"),
        ("grade", False, "grader_version", None),
        ("judge", True, "grader_version", None),
        ("grade", False, "judge_model", None),
        ("says", True, "judge_model", None),
    ],
)
def test_what_may_depend_on_another_grader_or_judge(check: str, graded: bool, fields: str, why: str | None) -> None:
    """Ten of ten, then none of ten: a regression, unless the check that fails may depend on what measures it."""

    def runs(passed: int, failed: int, value: str) -> list[JudgedRun]:
        found = case("a", "passed", passed, failed, check=check).runs
        return [run.model_copy(update={fields: value}) for run in found]

    assert measurement_change(runs(10, 0, "1"), runs(0, 10, "2"), is_graded=graded) == why
    assert measurement_change(runs(10, 0, "1"), runs(0, 10, "1"), is_graded=graded) is None
