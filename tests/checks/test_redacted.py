"""Checks on evidence in which a shared store left something out: undecided where it matters, and only there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.checks.opinions import nobody_asked
from planner.checks.redacted import READS, judge_redacted
from planner.evidence import Call, Evidence, Role, ToolCall, Turn
from planner.outcome import Fault, RunOutcome, judge_run

SAID = "cannot be told: in {} the shared store left out phone numbers, or what `redact` lists; judge it where the call was made, or call again"
EVIDENCE = Evidence(
    run_id=1,
    run_status="completed",
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


def test_every_kind_of_check_says_what_it_reads() -> None:
    """A new check stands in the table, or is one that may read anything."""
    assert set(CHECKS) >= set(READS)
    assert set(CHECKS) - set(READS) <= {"all_of", "any_of", "not"}


@pytest.mark.parametrize(
    ("check", "fields", "outcome", "said"),
    [
        ("says", {"any_of": ["good morning"]}, "passed", None),
        ("says", {"any_of": ["415 555"]}, "errored", "the transcript"),
        ("never_says", {"any_of": ["good morning"]}, "failed", None),
        ("never_says", {"any_of": ["415 555"]}, "errored", "the transcript"),
        ("no_pii", {}, "errored", "the transcript"),
        ("duration", {"max_seconds": 60}, "passed", None),
        ("duration", {"max_seconds": 10}, "failed", None),
        ("cost", {"max_cents": 20}, "passed", None),
        ("call", {"status": "completed"}, "passed", None),
        ("field", {"path": "$.locale", "equals": "en"}, "passed", None),
        ("field", {"path": "$.from", "equals": "x"}, "errored", "the call object"),
        ("field", {"path": "$[?@=='x']", "equals": "x"}, "errored", "the call object"),
        ("tool_not_called", {"name": "refund"}, "errored", "the tool calls"),
        ("expression", {"cel": "run.cost_cents < 20 && call.duration_seconds > 10.0"}, "passed", None),
        ("expression", {"cel": "turns.size() == 2"}, "errored", "the transcript"),
        ("expression", {"cel": "call == call"}, "errored", "the transcript and the tool calls and the call object"),
        (
            "not",
            {"of": {"check": "says", "any_of": ["415 555"]}},
            "errored",
            "the transcript",
        ),
        (
            "any_of",
            {"of": [{"check": "duration", "max_seconds": 60}, {"check": "cost", "max_cents": 1}]},
            "passed",
            None,
        ),
    ],
)
def test_what_can_still_be_told(check: str, fields: dict[str, Any], outcome: str, said: str | None) -> None:
    """What was found and is enough stands; what was not found may have been left out; what reads none of it is as ever."""
    judged = judge_redacted(expectation(check, **fields), EVIDENCE, nobody_asked)
    assert judged.outcome.value == outcome
    if said is not None:
        assert judged.message == SAID.format(said)


def test_the_run_is_nobodys_fault() -> None:
    """A run that only such a check leaves open is errored, for its judge to mend; whole evidence is judged as ever."""
    check = expectation("says", any_of=["415 555"])
    verdict = judge_run([check], EVIDENCE)
    assert (verdict.outcome, verdict.fault) == (RunOutcome.ERRORED, Fault.JUDGE)
    assert judge_run([check], EVIDENCE.model_copy(update={"redacted": ()})).outcome is RunOutcome.FAILED
