"""Tests of `call`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import Call

LINES = ("agent: Hello.", "caller: Hi.", "tool: lookup", "agent: Bye.")


def called(**fields: Any) -> Call:
    return Call(call_id=9, status="completed", **fields)


@pytest.mark.parametrize(
    ("call", "fields", "expected"),
    [
        (called(), {"status": "completed"}, ("passed", "the call completed", None)),
        (called(end_reason="agent_end"), {"end_reason": "agent_end"}, ("passed", 'ended with "agent_end"', None)),
        (called(end_reason="ai_hangup"), {"end_reason": "agent_end"}, ("passed", 'ended with "agent_end"', None)),
        (
            called(end_reason="caller_hangup"),
            {"end_reason": "user_hangup"},
            ("passed", 'ended with "caller_hangup"', None),
        ),
        (
            called(end_reason="timeout"),
            {"end_reason": "agent_end"},
            ("failed", 'ended with "timeout", expected "agent_end"', None),
        ),
        (
            called(end_reason="timeout"),
            {"end_reason": ["agent_end", "transfer"]},
            ("failed", 'ended with "timeout", expected "agent_end" or "transfer"', None),
        ),
        (called(), {"end_reason": "agent_end"}, ("errored", "the service did not say why the call ended", None)),
        (called(), {"min_turns": 3, "max_turns": 3}, ("passed", "had 3 turns", None)),
        (called(), {"min_turns": 4}, ("failed", "had 3 turns, expected at least 4", None)),
        (called(), {"max_turns": 1}, ("failed", "had 3 turns, expected at most 1", None)),
        (
            called(transferred_to="+1 (415) 555-0142"),
            {"transferred_to": "+14155550142"},
            ("passed", 'was transferred to "+1 (415) 555-0142"', None),
        ),
        (
            called(transferred_to="Front Desk"),
            {"transferred_to": "front desk"},
            ("passed", 'was transferred to "Front Desk"', None),
        ),
        (
            called(transferred_to="+14155550199"),
            {"transferred_to": "+14155550142"},
            ("failed", 'was transferred to "+14155550199", expected "+14155550142"', None),
        ),
        (
            called(end_reason="agent_end"),
            {"transferred_to": "desk"},
            ("failed", 'was not transferred: it ended with "agent_end", expected a transfer to "desk"', None),
        ),
        (
            called(end_reason="transfer"),
            {"transferred_to": "desk"},
            ("errored", "the service did not say where the call was transferred", None),
        ),
        (
            called(),
            {"transferred_to": "desk"},
            ("errored", "the service did not say where the call was transferred", None),
        ),
        (
            called(end_reason="agent_end"),
            {"status": "completed", "end_reason": "agent_end", "max_turns": 3},
            ("passed", 'the call completed; ended with "agent_end"; had 3 turns', None),
        ),
        (
            called(),
            {"status": "completed", "end_reason": "agent_end", "max_turns": 2, "min_turns": 1},
            ("failed", "had 3 turns, expected at most 2", None),
        ),
        (None, {"status": "completed"}, ("errored", "no call was made", None)),
    ],
)
def test_call_is_judged(talk: Any, judge: Any, call: Call | None, fields: dict[str, Any], expected: object) -> None:
    """All given fields must hold; a failure decides even if another field is undecided."""
    assert judge(talk(*LINES, call=call), check="call", **fields) == expected


def test_turns_are_undecided_without_a_transcript(talk: Any, judge: Any) -> None:
    """A missing or empty transcript does not prove silence."""
    missing = ("errored", "the service gave no transcript to count turns in", None)
    assert judge(talk(turns=None), check="call", max_turns=3) == missing
    empty = ("errored", "the transcript is empty, so the number of turns is unknown", None)
    assert judge(talk("tool: lookup"), check="call", max_turns=3) == empty


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [()]),
        ({"min_turns": 4, "max_turns": 3}, [()]),
        ({"min_turns": -1}, [("min_turns",)]),
        ({"status": "complete"}, [("status",)]),
        ({"status": "failed"}, [("status",)]),
        ({"end_reason": []}, [("end_reason",)]),
        ({"end_reason": 3}, [("end_reason",)]),
    ],
)
def test_invalid_call_checks_are_rejected(rejected_at: Any, fields: dict[str, Any], expected: object) -> None:
    """At the field, with a fix."""
    assert rejected_at(check="call", **fields) == expected


@pytest.mark.parametrize("number", ["tel:+14155550142", "+1 (415) 555-0142", "+1.415.555.0142", "+14155550142"])
def test_phone_numbers_match_in_every_notation(talk: Any, judge: Any, number: str) -> None:
    """With and without scheme, spaces, dots and dashes."""
    call = Call(call_id=9, status="completed", end_reason="transfer", duration_seconds=54, transferred_to=number)
    assert judge(talk("agent: Hello.", call=call), check="call", transferred_to="+14155550142")[0] == "passed"
