"""Tests of checks on evidence with redacted parts: undecided only if they matter."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.checks.opinions import no_judge
from planner.checks.redacted import judge_redacted, left_out
from planner.evidence import Call, Evidence, RedactedPart, Role, RunStatus, ToolCall, Turn
from planner.results.outcomes import Cause, RunOutcome
from planner.verdicts.runs import judge_run

SAID = "cannot be decided: in {} the shared store left out phone numbers, or what `redact` lists; a session with the API key reads the call again, free"
EVIDENCE = Evidence(
    run_id=1,
    run_status=RunStatus.COMPLETED,
    call=Call(call_id=2, status="completed", duration_seconds=30.0, document={"from": "•••99", "locale": "en"}),
    turns=(
        Turn(number=1, role=Role.AGENT, text="Good morning. Our number is ••• ••• ••99."),
        Turn(number=2, role=Role.CALLER, text="Thanks, goodbye."),
    ),
    tools=(ToolCall(name="dial", arguments={"to": "•••99"}, turn=1),),
    cost_cents=16,
    redacted=("turns", "tools", "document"),
)


def expectation(check: str, **fields: Any) -> Expectation:
    return TypeAdapter(CHECKS[check]).validate_python({"check": check, **fields})


@pytest.mark.parametrize(
    ("check", "fields", "outcome", "said"),
    [
        ("says", {"any_of": ["good morning"]}, "passed", None),
        ("says", {"any_of": ["415 555"]}, "undecided", "the transcript"),
        ("never_says", {"any_of": ["good morning"]}, "failed", None),
        ("never_says", {"any_of": ["415 555"]}, "undecided", "the transcript"),
        ("no_pii", {}, "undecided", "the transcript"),
        ("duration", {"max_seconds": 60}, "passed", None),
        ("duration", {"max_seconds": 10}, "failed", None),
        ("cost", {"max_cents": 20}, "passed", None),
        ("call", {"status": "completed"}, "passed", None),
        ("tool_not_called", {"name": "refund"}, "undecided", "the tool calls"),
        ("expression", {"cel": "run.cost_cents < 20 && call.duration_seconds > 10.0"}, "passed", None),
        ("expression", {"cel": "turns.size() == 2"}, "undecided", "the transcript"),
        ("expression", {"cel": "call == call"}, "undecided", "the transcript and the tool calls and the call object"),
        ("not", {"of": {"check": "says", "any_of": ["415 555"]}}, "undecided", "the transcript"),
        ("any_of", {"of": [{"check": "duration", "max_seconds": 60}, {"check": "cost", "max_cents": 1}]}, "passed", None),
    ],
)  # fmt: skip
def test_redaction_leaves_checks_undecided_only_if_needed(
    check: str, fields: dict[str, Any], outcome: str, said: str | None
) -> None:
    """Words that were found were said."""
    judged = judge_redacted(expectation(check, **fields), EVIDENCE, no_judge)
    assert judged.outcome.value == outcome
    if said is not None:
        assert judged.message == SAID.format(said)


@pytest.mark.parametrize(
    ("cel", "parts"),
    [
        ("grade.score > 0.5", ()),
        ("grade.summary == 'x'", ("grade",)),
        ("grade == grade", get_args(RedactedPart)),
        ("run.error_message == ''", ("error_message",)),
        ("call.transferred_to == 'x'", ("transferred_to",)),
        ("call.document.x == 1", ("document",)),
        ("turns.size() == tools.size()", ("turns", "tools")),
    ],
)
def test_an_expression_is_undecided_by_parts_it_names(cel: str, parts: tuple[str, ...]) -> None:
    """A whole object includes all of its parts."""
    evidence = EVIDENCE.model_copy(update={"redacted": get_args(RedactedPart)})
    assert left_out(expectation("expression", cel=cel), evidence) == set(parts)


@pytest.mark.parametrize(
    ("part", "check", "fields", "words"),
    [
        ("transferred_to", "call", {"transferred_to": "+1"}, "where the call was transferred to"),
        ("grade", "expression", {"cel": "grade.summary == 'x'"}, "the grade's words"),
        ("error_message", "expression", {"cel": "run.error_message == 'x'"}, "the error message"),
    ],
)
def test_the_finding_names_the_redacted_part(
    part: RedactedPart, check: str, fields: dict[str, Any], words: str
) -> None:
    evidence = EVIDENCE.model_copy(update={"redacted": (part,)})
    judged = judge_redacted(expectation(check, **fields), evidence, no_judge)
    assert (judged.outcome.value, judged.message) == ("undecided", SAID.format(words))


@pytest.mark.parametrize(
    ("check", "fields", "is_open"),
    [
        ("expression", {"cel": "tools[0].result == 1"}, True),
        ("judge", {"rubric": "The agent looks it up."}, True),
        ("tool_called", {"name": "dial", "result": 1}, True),
        ("tool_called", {"name": "dial"}, False),
        ("sequence", {"steps": [{"tool": "dial"}, {"tool": "hang_up"}]}, False),
        ("says", {"any_of": ["goodbye"]}, False),
    ],
)
def test_an_unread_result_is_undecided(check: str, fields: dict[str, Any], is_open: bool) -> None:
    """That the tool was called is certain."""
    evidence = EVIDENCE.model_copy(update={"redacted": (), "unread": ("results",)})
    assert left_out(expectation(check, **fields), evidence) == ({"results"} if is_open else set())


def test_an_undecided_run_is_the_judges_fault() -> None:
    """Complete evidence is judged as usual."""
    check = expectation("says", any_of=["415 555"])
    verdict = judge_run([check], EVIDENCE)
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.JUDGE)
    assert judge_run([check], EVIDENCE.model_copy(update={"redacted": ()})).outcome is RunOutcome.FAILED
