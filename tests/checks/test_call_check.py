"""Tests of `call`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import Call

LINES = ("agent: Hello.", "caller: Hi.", "tool: lookup", "agent: Bye.")


@pytest.mark.parametrize(
    ("call", "fields", "outcome", "said"),
    [
        ({}, {"status": "completed"}, "passed", "the call completed"),
        ({"end_reason": "agent_end"}, {"end_reason": "agent_end"}, "passed", 'ended with "agent_end"'),
        ({"end_reason": "ai_hangup"}, {"end_reason": "agent_end"}, "passed", 'ended with "agent_end"'),
        ({"end_reason": "caller_hangup"}, {"end_reason": "user_hangup"}, "passed", 'ended with "caller_hangup"'),
        ({"end_reason": "timeout"}, {"end_reason": "agent_end"}, "failed", 'expected "agent_end"'),
        ({"end_reason": "timeout"}, {"end_reason": ["agent_end", "transfer"]}, "failed", 'or "transfer"'),
        ({}, {"end_reason": "agent_end"}, "undecided", "the service did not say why the call ended"),
        ({}, {"min_turns": 3, "max_turns": 3}, "passed", "had 3 turns"),
        ({}, {"min_turns": 4}, "failed", "had 3 turns, expected at least 4"),
        ({}, {"max_turns": 1}, "failed", "had 3 turns, expected at most 1"),
        (
            {"transferred_to": "+1 (415) 555-0142"},
            {"transferred_to": "+14155550142"},
            "passed",
            'to "+1 (415) 555-0142"',
        ),
        ({"transferred_to": "Front Desk"}, {"transferred_to": "front desk"}, "passed", 'to "Front Desk"'),
        ({"transferred_to": "+14155550199"}, {"transferred_to": "+14155550142"}, "failed", '"+14155550199", expected'),
        ({"end_reason": "agent_end"}, {"transferred_to": "desk"}, "failed", 'expected a transfer to "desk"'),
        ({"end_reason": "transfer"}, {"transferred_to": "desk"}, "undecided", "does not name the number"),
        ({}, {"transferred_to": "desk"}, "undecided", "service did not say where the call was transferred"),
        (
            {"end_reason": "agent_end"},
            {"status": "completed", "end_reason": "agent_end", "max_turns": 3},
            "passed",
            '"; had 3',
        ),
        ({}, {"status": "completed", "end_reason": "agent_end", "max_turns": 2, "min_turns": 1}, "failed", "at most 2"),
        (None, {"status": "completed"}, "undecided", "no call was made"),
    ],
)
def test_call_is_judged(talk: Any, assert_judged: Any, call: Any, fields: Any, outcome: str, said: str) -> None:
    """All given fields must hold; a failure decides even if another field is undecided."""
    made = None if call is None else Call(call_id=9, status="completed", **call)
    assert_judged(talk(*LINES, call=made), outcome, None, said, check="call", **fields)


@pytest.mark.parametrize("number", ["tel:+14155550142", "+1 (415) 555-0142", "+1.415.555.0142", "+14155550142"])
def test_phone_numbers_match_in_every_notation(talk: Any, judge: Any, number: str) -> None:
    call = Call(call_id=9, status="completed", end_reason="transfer", duration_seconds=54, transferred_to=number)
    assert judge(talk("agent: Hello.", call=call), check="call", transferred_to="+14155550142")[0] == "passed"
