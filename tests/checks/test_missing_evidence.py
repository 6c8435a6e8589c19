"""Tests with empty, invalid and contradictory values of the service: they are undecided."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks import CHECKS
from planner.checks.opinions import no_judge
from planner.checks.redacted import judge_redacted
from planner.evidence import Evidence, RunStatus
from planner.providers.base import CallId, Run, RunId
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn


def turn(role: str, start_ms: Any, end_ms: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": "well", "start_ms": start_ms, "end_ms": end_ms, **fields}


def from_turns(
    *turns: dict[str, Any],
    grade: dict[str, Any] | None = None,
    history: list[dict[str, Any]] | None = None,
    **call: Any,
) -> Evidence:
    run = Run(id=RunId(1), status=RunStatus.COMPLETED, call_id=CallId(9))
    document = {"call_id": 9, "status": "completed", "grade_status": "completed", **call}
    wire = (WireCall.model_validate(document), document)
    spoken = [WireTurn.model_validate(each) for each in turns]
    graded = None if grade is None else WireGrade.model_validate({"status": "completed", **grade})
    return evidence_from_wire(run, wire, spoken, history or [], graded)


def found(evidence: Evidence, **fields: Any) -> tuple[str, str]:
    judgement = judge_redacted(CHECKS[fields["check"]].model_validate(fields), evidence, no_judge)
    return judgement.outcome.value, judgement.message


FIRST = turn("agent", 9000, 9500)
ASKS = turn("user", 5000, 6000)


@pytest.mark.parametrize(
    ("answer", "outcome", "message"),
    [
        (turn("agent", 0, 1000), "undecided", "the times contradict the order of the turns: turn 3 ends before its question"),
        (turn("agent", 100, None), "undecided", "the times contradict the order of the turns: turn 3 ends before its question"),
        (turn("agent", 4000, 5000), "undecided", "the times contradict the order of the turns: turn 3 ends before its question"),
        (turn("agent", 5000, 5000), "undecided", None),
        (turn("agent", 4000, 5001), "undecided", None),
        (turn("agent", 4000, 7000), "undecided", None),
        (turn("agent", 5500, 7000), "undecided", None),
        (turn("agent", 6400, 7000), "passed", "max 400 ms (over 1 agent turn)"),
        (turn("agent", 0, 1000, ttfa_ms=300), "passed", "max 300 ms (over 1 agent turn)"),
        (turn("agent", True, 7000), "undecided", "the service timed none of the agent's turns"),
        (turn("agent", "soon", "later"), "undecided", "the service timed none of the agent's turns"),
        (turn("agent", "6400", "7000"), "passed", "max 400 ms (over 1 agent turn)"),
        (turn("agent", 0, 1000, ttfa_ms=True), "undecided", None),
    ],
)  # fmt: skip
def test_answers_timed_before_their_question_are_undecided(
    answer: dict[str, Any], outcome: str, message: str | None
) -> None:
    judged = found(from_turns(FIRST, ASKS, answer), check="latency", max_ms=1000)
    assert judged == (outcome, judged[1] if message is None else message)


@pytest.mark.parametrize(
    ("grade", "call", "issues", "critical"),
    [
        ({"detected_issues": []}, {}, "passed", "passed"),
        ({"detected_issues": ["bad"]}, {}, "failed", "undecided"),
        ({"detected_issues": [{"x": 1}]}, {}, "failed", "undecided"),
        ({"detected_issues": [{"severity": ""}]}, {"critical_issue_count": 0}, "failed", "passed"),
        ({"detected_issues": [{"severity": "Critical"}]}, {}, "failed", "failed"),
        ({"detected_issues": [{"severity": "blocker"}]}, {}, "failed", "undecided"),
        ({"detected_issues": [{"severity": "Moderate "}]}, {}, "failed", "passed"),
        ({"detected_issues": [{"severity": "minor"}]}, {"issue_count": 1, "critical_issue_count": 0}, "failed", "passed"),
        ({"detected_issues": []}, {"issue_count": 3, "critical_issue_count": 2}, "undecided", "undecided"),
        ({"detected_issues": [{"severity": "minor"}]}, {"issue_count": 0}, "undecided", "passed"),
        ({}, {"issue_count": -1, "critical_issue_count": -1}, "undecided", "undecided"),
        ({}, {"issue_count": False, "critical_issue_count": False}, "undecided", "undecided"),
        ({}, {"issue_count": 0, "critical_issue_count": 0}, "passed", "passed"),
    ],
)  # fmt: skip
def test_unknown_numbers_of_issues_are_undecided(
    grade: dict[str, Any], call: dict[str, Any], issues: str, critical: str
) -> None:
    evidence = from_turns(FIRST, grade=grade, **call)
    assert found(evidence, check="grade", max_issues=0)[0] == issues
    assert found(evidence, check="grade", max_critical_issues=0)[0] == critical


@pytest.mark.parametrize(
    ("call", "fields", "judged"),
    [
        ({"status": None}, {"status": "completed"}, ("undecided", "the service did not say how the call ended")),
        ({"status": ""}, {"status": "completed"}, ("undecided", "the service did not say how the call ended")),
        (
            {"status": "in_progress"},
            {"status": "completed"},
            ("undecided", "the service did not say how the call ended"),
        ),
        ({"status": "no_answer"}, {"status": "completed"}, ("failed", "the call no_answer, expected completed")),
        ({"end_reason": ""}, {"end_reason": "agent_end"}, ("undecided", "the service did not say why the call ended")),
    ],
)
def test_an_empty_end_reason_is_missing(call: dict[str, Any], fields: dict[str, Any], judged: tuple[str, str]) -> None:
    assert found(from_turns(FIRST, **call), check="call", **fields) == judged


def test_booleans_are_not_numbers() -> None:
    evidence = from_turns(
        FIRST, grade={"score": True}, duration_seconds=True, billing_total_cents=True, grade_score=True
    )
    assert found(evidence, check="duration", max_seconds=10)[0] == "undecided"
    assert found(evidence, check="grade", min_score=0.5)[0] == "undecided"
    assert evidence.cost_cents is None
    assert found(from_turns(FIRST, status=None), check="expression", cel="call.status != 'completed'")[0] == "undecided"


def test_an_ambiguous_score_is_undecided() -> None:
    """1 may be of 1 or of 100."""
    judged = found(from_turns(FIRST, grade={"score": 1}, grade_score=1), check="grade", min_score=0.8)
    assert judged[0] == "undecided"


@pytest.mark.parametrize(
    "check",
    [
        {"check": "never_says", "any_of": ["guarantee"]},
        {"check": "no_pii"},
        {"check": "says", "any_of": ["guarantee"], "min_count": 0, "max_count": 1},
    ],
)
@pytest.mark.parametrize("words", ["", "  "])
def test_turns_without_words_do_not_prove_silence(check: dict[str, Any], words: str) -> None:
    assert found(from_turns({"role": "agent", "content": words}, ASKS), **check)[0] == "undecided"
    assert found(from_turns({"role": "agent", "content": words}, ASKS, FIRST), **check)[0] == "passed"


def test_turns_without_words_are_not_first_or_last() -> None:
    silent = {"role": "agent", "content": ""}
    evidence = from_turns(silent, {"role": "agent", "content": "no guarantee"}, ASKS, silent)
    for place in ("first", "last"):
        check = {"any_of": ["guarantee"], "in": place}
        assert found(evidence, check="never_says", **check) == ("failed", 'said "guarantee" at turn 2')
        assert found(evidence, check="says", **check) == ("passed", 'said "guarantee" at turn 2')


@pytest.mark.parametrize(
    ("field", "sent", "wanted", "outcome"),
    [
        ("call_outcome", "success", "success", "passed"),
        ("call_outcome", " SUCCESS", "success", "passed"),
        ("call_outcome", "Failure", "success", "failed"),
        ("call_outcome", "partial_success", "success", "undecided"),
        ("goal_achievement", "Achieved", "achieved", "passed"),
        ("goal_achievement", "missed", "achieved", "failed"),
        ("goal_achievement", "partially", "achieved", "undecided"),
    ],
)
def test_unknown_words_of_a_grade_are_undecided(field: str, sent: str, wanted: str, outcome: str) -> None:
    evidence = from_turns(FIRST, grade={field: sent})
    asked = {"check": "grade", "outcome" if field == "call_outcome" else "goal": wanted}
    assert found(evidence, **asked)[0] == outcome
    opposite = {"passed": "failed", "failed": "passed", "undecided": "undecided"}[outcome]
    assert found(evidence, check="not", of=asked)[0] == opposite


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"check": "grade", "min_score": 0.8}, "score 0.79999999, expected at least 0.8"),
        ({"check": "duration", "max_seconds": 180}, "lasted 180.0000001 s, expected at most 180 s"),
    ],
)
def test_values_just_off_a_limit_are_shown_in_full(asked: dict[str, Any], message: str) -> None:
    """Rounded they would seem to hold."""
    evidence = from_turns(FIRST, grade={"score": 0.79999999}, duration_seconds=180.0000001, n=12345677)
    assert found(evidence, **asked) == ("failed", message)


SILENT = ("caller: Hello?",)


@pytest.mark.parametrize(
    ("lines", "fields", "outcome"),
    [
        (None, {"check": "says", "any_of": ["hello"]}, "undecided"),
        (("tool: lookup",), {"check": "says", "any_of": ["hello"]}, "undecided"),
        (SILENT, {"check": "says", "any_of": ["hello"]}, "failed"),
        (SILENT, {"check": "says", "any_of": ["hello"], "min_count": 0, "max_count": 1}, "undecided"),
        (None, {"check": "never_says", "any_of": ["guarantee"]}, "undecided"),
        ((), {"check": "never_says", "any_of": ["guarantee"]}, "undecided"),
        (SILENT, {"check": "never_says", "any_of": ["guarantee"]}, "undecided"),
        (None, {"check": "no_pii"}, "undecided"),
        (None, {"check": "language", "is": "en"}, "undecided"),
        (None, {"check": "call", "max_turns": 3}, "undecided"),
        (("tool: lookup",), {"check": "call", "max_turns": 3}, "undecided"),
        ((), {"check": "sequence", "steps": [{"says": {"any_of": ["a"]}}, {"says": {"any_of": ["b"]}}]}, "undecided"),
        ((), {"check": "tool_called", "name": "cancel"}, "undecided"),
        ((), {"check": "tool_not_called", "name": "cancel"}, "undecided"),
        (SILENT, {"check": "tool_called", "name": "cancel"}, "failed"),
        (SILENT, {"check": "tool_not_called", "name": "cancel"}, "passed"),
    ],
)
def test_a_silent_side_proves_something_only_if_the_other_speaks(
    talk: Any, judge: Any, lines: tuple[str, ...] | None, fields: dict[str, Any], outcome: str
) -> None:
    """A missing or empty transcript may be what is lost, and no promise is kept by an agent that says nothing."""
    evidence = talk(turns=None) if lines is None else talk(*lines)
    assert judge(evidence, **fields)[0] == outcome
