"""Tests of `sequence`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import ToolCall

TALK = (
    "agent: Hello, this is Acme. Calls are recorded.",
    "caller: Refund me. Refund, I say.",
    "tool: refund",
    "agent: I’ll refund thirty dollars, thirty dollars now. Bye.",
)


def said(*phrases: str, **fields: Any) -> dict[str, Any]:
    return {"says": {"any_of": list(phrases), **fields}}


REFUND = ToolCall(name="refund", turn=3)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([said("hello"), said("recorded")], ("passed", 'said "hello" at turn 1, said "recorded" at turn 1', 1)),
        ([said("acme"), said("this is Acme")], ("failed", 'said "acme" at turn 1', 1)),
        (
            [said("refund", who="caller"), said("refund", who="caller"), said("refund", who="any")],
            ("passed", 'the caller said "refund" at turn 2', 4),
        ),
        ([said("bye"), said("bye")], ("failed", 'only before: said "bye" at turn 4', 4)),
        ([{"tool": "refund"}, said("$30", spoken=True)], ("passed", 'called refund at turn 3, said "$30" at turn 4', 4)),
        (
            [said("$30", spoken=True), said("30 dollars", spoken=True), said("now")],
            ("passed", 'said "$30" at turn 4, said "30 dollars" at turn 4, said "now" at turn 4', 4),
        ),
        ([said("$30", spoken=True), said("ll", "I’ll refund")], ("failed", 'only before: said "I’ll refund" at turn 4', 4)),
        ([{"tool": "refund"}, {"tool": "refund"}], ("failed", "only before: called refund at turn 3", 3)),
        ([said("bye"), {"tool": "refund"}], ("failed", "only before: called refund at turn 3", 3)),
        (
            [
                {"says": {"matches": r"I.ll \w+"}},
                {"says": {"matches": "thirty dollars now"}},
                {"says": {"matches": "Bye"}},
            ],
            ("passed", 'said "Bye" at turn 4', 4),
        ),
        ([{"says": {"matches": "now"}}, {"says": {"matches": "thirty"}}], ("failed", 'only before: said "thirty"', 4)),
        ([{"says": {"all_of": ["bye", "thirty dollars"]}}, said("now")], ("failed", 'only before: said "now" at turn 4', 4)),
        ([{"says": {"all_of": ["bye", "hello"]}}, said("hello")], ("failed", 'saying "hello"', 1)),
        ([{"says": {"all_of": ["hello", "sorry"]}}, said("bye")], ("failed", 'step 1 of 2, saying "hello" and "sorry"', None)),
        ([said("hello"), {"tool": "lookup"}], ("failed", "step 2 of 2, the call of lookup, did not happen after", 1)),
    ],
)  # fmt: skip
def test_sequence_is_judged(talk: Any, judge: Any, steps: list[Any], expected: tuple[str, str, int | None]) -> None:
    """Each step begins where the previous one ends."""
    outcome, message, quote = judge(talk(*TALK, tools=(REFUND,)), check="sequence", steps=steps)
    assert (outcome, quote) == (expected[0], expected[2])
    assert expected[1] in message


def test_a_tool_call_without_a_turn_is_undecided(talk: Any, judge: Any) -> None:
    """If it was called at all."""
    evidence = talk(*TALK, tools=(ToolCall(name="refund"),))
    steps = [said("hello"), {"tool": "refund"}]
    expected = ("undecided", "the service does not say when refund was called", None)
    assert judge(evidence, check="sequence", steps=steps) == expected
    expected = ("undecided", "the service gave no record of tool calls", None)
    assert judge(talk(*TALK, tools=None), check="sequence", steps=steps) == expected
    steps = [said("sorry"), {"tool": "refund"}]
    assert judge(talk(*TALK, tools=None), check="sequence", steps=steps)[0] == "failed"
    assert judge(talk(*TALK, tools=()), check="sequence", steps=[said("hello"), {"tool": "refund"}])[0] == "failed"


def test_a_speaker_without_a_turn_is_named(talk: Any, judge: Any) -> None:
    outcome, message, _ = judge(talk("caller: Hello?"), check="sequence", steps=[said("hello"), said("bye")])
    assert (outcome, message.rpartition("; ")[2]) == ("failed", "the agent has no turn")


def test_a_transcript_without_speech_is_undecided(talk: Any, judge: Any) -> None:
    """As with `says`; unless a tool was not called."""
    evidence = talk("tool: refund()", tools=(ToolCall(name="refund", turn=1),))
    for tool, outcome in (("refund", "undecided"), ("lookup", "failed")):
        assert judge(evidence, check="sequence", steps=[{"tool": tool}, said("hello")])[0] == outcome
