"""Tests of `call`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import Call

LINES = ("agent: Hello.", "caller: Hi.", "tool: lookup", "agent: Bye.")


def called(**fields: Any) -> Call:
    return Call(call_id=9, status="completed", **fields)


@pytest.mark.parametrize(
    ("call", "fields", "outcome", "turn", "said"),
    [
        (called(), {"status": "completed"}, "passed", None, "the call completed"),
        (called(end_reason="agent_end"), {"end_reason": "agent_end"}, "passed", None, 'ended with "agent_end"'),
        (called(end_reason="ai_hangup"), {"end_reason": "agent_end"}, "passed", None, 'ended with "agent_end"'),
        (called(end_reason="caller_hangup"), {"end_reason": "user_hangup"}, "passed", None, 'ended with "caller_hangup"'),
        (called(end_reason="timeout"), {"end_reason": "agent_end"}, "failed", None, 'expected "agent_end"'),
        (called(end_reason="timeout"), {"end_reason": ["agent_end", "transfer"]}, "failed", None, 'or "transfer"'),
        (called(), {"end_reason": "agent_end"}, "errored", None, "the service did not say why the call ended"),
        (called(), {"min_turns": 3, "max_turns": 3}, "passed", None, "had 3 turns"),
        (called(), {"min_turns": 4}, "failed", None, "had 3 turns, expected at least 4"),
        (called(), {"max_turns": 1}, "failed", None, "had 3 turns, expected at most 1"),
        (
            called(transferred_to="+1 (415) 555-0142"),
            {"transferred_to": "+14155550142"},
            "passed",
            None,
            'was transferred to "+1 (415) 555-0142"',
        ),
        (called(transferred_to="Front Desk"), {"transferred_to": "front desk"}, "passed", None, 'to "Front Desk"'),
        (
            called(transferred_to="+14155550199"),
            {"transferred_to": "+14155550142"},
            "failed",
            None,
            'was transferred to "+14155550199", expected "+14155550142"',
        ),
        (called(end_reason="agent_end"), {"transferred_to": "desk"}, "failed", None, 'expected a transfer to "desk"'),
        (called(end_reason="transfer"), {"transferred_to": "desk"}, "errored", None, "where the call was transferred"),
        (called(), {"transferred_to": "desk"}, "errored", None, "service did not say where the call was transferred"),
        (
            called(end_reason="agent_end"),
            {"status": "completed", "end_reason": "agent_end", "max_turns": 3},
            "passed",
            None,
            'the call completed; ended with "agent_end"; had 3 turns',
        ),
        (
            called(),
            {"status": "completed", "end_reason": "agent_end", "max_turns": 2, "min_turns": 1},
            "failed",
            None,
            "had 3 turns, expected at most 2",
        ),
        (None, {"status": "completed"}, "errored", None, "no call was made"),
    ],
)  # fmt: skip
def test_call_is_judged(
    talk: Any, assert_judged: Any, call: Call | None, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """All given fields must hold; a failure decides even if another field is undecided."""
    assert_judged(talk(*LINES, call=call), outcome, turn, said, check="call", **fields)


@pytest.mark.parametrize("number", ["tel:+14155550142", "+1 (415) 555-0142", "+1.415.555.0142", "+14155550142"])
def test_phone_numbers_match_in_every_notation(talk: Any, judge: Any, number: str) -> None:
    call = Call(call_id=9, status="completed", end_reason="transfer", duration_seconds=54, transferred_to=number)
    assert judge(talk("agent: Hello.", call=call), check="call", transferred_to="+14155550142")[0] == "passed"
