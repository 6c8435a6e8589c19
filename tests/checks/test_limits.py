"""Tests of `duration`, `cost` and `grade`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import Call, Grade, Issue

BLAMED = Grade(
    status="completed", score=0.2, outcome="failure", goal="missed", issues=4, critical_issues=1, summary="It went wrong.",
    outcome_reasoning="Nobody was helped.",
    titles=tuple(Issue(title=title, severity="Critical" if title == "B" else "minor") for title in "aBcd"),
)  # fmt: skip
RATED = BLAMED.model_copy(update={"rubric": ("tone 0.2: Cold.",)})
GRADED = Grade(status="completed", score=0.8, outcome="success", goal="achieved", issues=2, critical_issues=0)


@pytest.mark.parametrize(
    ("seconds", "fields", "outcome", "turn", "said"),
    [
        (54, {"min_seconds": 54, "max_seconds": 54}, "passed", None, "lasted 54 s"),
        (54.25, {"max_seconds": 40}, "failed", None, "lasted 54.25 s, expected at most 40 s"),
        (5, {"min_seconds": 7.5}, "failed", None, "lasted 5 s, expected at least 7.5 s"),
        (None, {"max_seconds": 40}, "undecided", None, "the service did not say how long the call lasted"),
    ],
)
def test_duration_is_judged(
    talk: Any,
    assert_judged: Any,
    seconds: float | None,
    fields: dict[str, Any],
    outcome: str,
    turn: int | None,
    said: str,
) -> None:
    """Limits include themselves; an unknown length is undecided."""
    call = Call(call_id=9, status="completed", duration_seconds=seconds)
    assert_judged(talk(call=call), outcome, turn, said, check="duration", **fields)


@pytest.mark.parametrize(
    ("cents", "outcome", "turn", "said"),
    [
        (16, "passed", None, "cost 16 cents"),
        (17, "failed", None, "cost 17 cents, expected at most 16"),
        (None, "undecided", None, "the service has not billed this run yet"),
    ],
)
def test_cost_is_judged(
    talk: Any, assert_judged: Any, cents: int | None, outcome: str, turn: int | None, said: str
) -> None:
    assert_judged(talk(cost_cents=cents), outcome, turn, said, check="cost", max_cents=16)


@pytest.mark.parametrize(
    ("grade", "fields", "outcome", "turn", "said"),
    [
        (GRADED, {"min_score": 0.8}, "passed", None, "score 0.8"),
        (
            GRADED,
            {"min_score": 0.5, "outcome": "success", "goal": "achieved", "max_issues": 2, "max_critical_issues": 0},
            "passed",
            None,
            'score 0.8; outcome "success"; goal "achieved"; 2 issues; 0 critical issues',
        ),
        (GRADED, {"min_score": 0.9}, "failed", None, "score 0.8, expected at least 0.9"),
        (GRADED, {"outcome": "failure"}, "failed", None, 'outcome "success", expected "failure"'),
        (GRADED, {"goal": "missed"}, "failed", None, 'goal "achieved", expected "missed"'),
        (GRADED, {"max_issues": 1}, "failed", None, "2 issues, expected at most 1"),
        (
            BLAMED,
            {"min_score": 0.9},
            "failed",
            None,
            'score 0.2, expected at least 0.9; the grader says "It went wrong."',
        ),
        (BLAMED, {"outcome": "success"}, "failed", None, 'expected "success"; the grader says "Nobody was helped."'),
        (BLAMED, {"goal": "achieved"}, "failed", None, 'expected "achieved"; the grader says "It went wrong."'),
        (BLAMED, {"outcome": "failure"}, "passed", None, 'outcome "failure"'),
        (BLAMED, {"max_issues": 1}, "failed", None, 'at most 1; the grader says "a", "B", "c" and 1 more'),
        (
            BLAMED,
            {"max_critical_issues": 0},
            "failed",
            None,
            '1 critical issue, expected at most 0; the grader says "B"',
        ),
        (RATED, {"min_score": 0.9}, "failed", None, 'at least 0.9; the grader says "tone 0.2: Cold."'),
        (
            Grade(status="completed", critical_issues=1),
            {"min_score": 0.9, "max_critical_issues": 0},
            "failed",
            None,
            "1 critical issue, expected at most 0",
        ),
        (
            Grade(status="completed"),
            {"min_score": 0, "outcome": "success", "goal": "missed", "max_issues": 9},
            "undecided",
            None,
            "the grade has no score, or the service does not say whether it is out of 1 or of 100; the grade has no outcome; the grade has no goal; the grade has no number of issues, or several that differ",
        ),
        (Grade(status="pending", score=1.0), {"min_score": 0.5}, "undecided", None, 'its status is "pending"'),
        (None, {"min_score": 0.5}, "undecided", None, "the service gave no grade"),
    ],
)
def test_grade_is_judged(
    talk: Any,
    assert_judged: Any,
    grade: Grade | None,
    fields: dict[str, Any],
    outcome: str,
    turn: int | None,
    said: str,
) -> None:
    assert_judged(talk(grade=grade), outcome, turn, said, check="grade", **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"check": "duration", "min_seconds": 0, "max_seconds": 9},
        {"check": "duration", "min_seconds": 3, "max_seconds": 3},
        {"check": "call", "min_turns": 3, "max_turns": 3},
        {"check": "call", "min_turns": 0, "status": "completed"},
        {"check": "grade", "min_score": 0, "outcome": "success"},
        {"check": "cost", "max_cents": 9, "min_pass_rate": 0, "severity": "critical"},
    ],
)
def test_limits_that_can_fail_are_valid(read: Any, fields: dict[str, Any]) -> None:
    """A trivial limit beside others, and equal ones."""
    assert read(**fields)


@pytest.mark.parametrize(
    ("score", "said"), [(1.5, "a score runs from 0 to 1: for 1.5 of 100 write 0.015"), (100, "write 1"), (101, "less than")]
)  # fmt: skip
def test_a_score_in_percent_is_rejected_with_a_fix(refusal: Any, score: float, said: str) -> None:
    (((place,), message),) = refusal(check="grade", min_score=score)
    assert place == "min_score"
    assert said in message
