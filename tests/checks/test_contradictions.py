"""Expectations that no call can satisfy together, and what is said twice in one."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks import CHECKS
from planner.checks.base import Expectation

SAYS = {"check": "says", "any_of": ["I guarantee 30 days"]}
CALLED = {"check": "tool_called", "name": "refund"}
NOT_CALLED = {"check": "tool_not_called", "name": "refund"}


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"check": "never_says", "any_of": ["no", "Guarantee"]}, SAYS, 'who says "I guarantee 30 days" says "Guarantee"'),
        (
            {"check": "never_says", "all_of": ["guarantee", "days"]},
            {"check": "says", "all_of": ["we guarantee", "30 days"]},
            'who says "we guarantee" and "30 days" says "guarantee" and "days"',
        ),
        (
            {"check": "never_says", "matches": r"\bguarantee\b"},
            SAYS,
            '"I guarantee 30 days" matches "\\\\bguarantee\\\\b"',
        ),
        (
            {"check": "never_says", "matches": "days?"},
            {"check": "says", "matches": "days?"},
            'both are about what matches "days?"',
        ),
        ({"check": "never_says", "who": "any", "any_of": ["30 days"]}, {**SAYS, "who": "caller"}, 'who says "I guarantee 30 days" says "30 days"'),
        (
            {"check": "never_says", "in": "last", "any_of": ["30 days"]},
            {**SAYS, "in": "last"},
            'who says "I guarantee 30 days" says "30 days"',
        ),
        (
            {"check": "never_says", "any_of": ["thirty"]},
            {"check": "says", "any_of": ["thirty"]},
            '"thirty" is wanted and unwanted',
        ),
        (NOT_CALLED, CALLED, "refund is to be called and not to be called"),
        (
            {**NOT_CALLED, "arguments": {"id": 1}},
            {**CALLED, "arguments": {"id": 1}, "times": 2},
            "refund is to be called and not to be called",
        ),
        ({"check": "call", "status": "failed"}, {"check": "call", "status": "completed"}, "no call is both failed and completed"),
        (
            {"check": "call", "end_reason": "agent_end"},
            {"check": "call", "end_reason": ["transfer", "caller_hangup"]},
            "no reason to end is welcome to both",
        ),
        ({"check": "call", "max_turns": 3}, {"check": "call", "min_turns": 4}, "no call has at most 3 turns and at least 4"),
        ({"check": "duration", "max_seconds": 9.5}, {"check": "duration", "min_seconds": 10}, "no call lasts at most 9.5 s and at least 10 s"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told(read: Any, one: dict[str, Any], other: dict[str, Any], why: str) -> None:
    """Whatever satisfies the one breaks the other."""
    assert read(**one).contradicts(read(**other)) == why
    assert other["check"] in CHECKS[one["check"]].opposes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"check": "never_says", "any_of": ["guaranteed"]}, SAYS),
        ({"check": "never_says", "any_of": ["guarantee"]}, {"check": "says", "any_of": ["guarantee", "promise"]}),
        ({"check": "never_says", "any_of": ["guarantee"]}, {**SAYS, "min_count": 0, "max_count": 2}),
        ({"check": "never_says", "any_of": ["guarantee"]}, {**SAYS, "who": "any"}),
        ({"check": "never_says", "any_of": ["guarantee"], "in": "first"}, SAYS),
        ({"check": "never_says", "any_of": ["guarantee"], "ignore_case": False}, SAYS),
        ({"check": "never_says", "all_of": ["guarantee", "refund"]}, SAYS),
        ({"check": "never_says", "matches": "^I guarantee"}, SAYS),
        ({"check": "never_says", "any_of": ["guarantee"]}, {"check": "says", "matches": "guarantee"}),
        ({"check": "never_says", "matches": "a"}, {"check": "says", "matches": "b"}),
        ({"check": "never_says", "any_of": ["guarantee"]}, {"check": "call", "min_turns": 1}),
        (NOT_CALLED, {**CALLED, "name": "lookup"}),
        (NOT_CALLED, {**CALLED, "times": {"min": 0, "max": 2}}),
        ({**NOT_CALLED, "before": "verify"}, CALLED),
        ({"check": "call", "status": "completed"}, {"check": "call", "status": "completed", "min_turns": 2}),
        ({"check": "call", "end_reason": "ai_hangup"}, {"check": "call", "end_reason": ["agent_end"]}),
        ({"check": "call", "status": "completed"}, {"check": "duration", "max_seconds": 9}),
        ({"check": "duration", "max_seconds": 10}, {"check": "duration", "min_seconds": 10}),
        ({"check": "duration", "max_seconds": 10}, SAYS),
        ({"check": "cost", "max_cents": 10}, SAYS),
    ],
)
def test_what_one_call_can_satisfy_is_no_contradiction(read: Any, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Another speaker, other turns, another case, an alternative, a narrower condition: both can hold."""
    assert read(**one).contradicts(read(**other)) == ""


def test_phrases_that_are_the_same_words_are_doubted(read: Any) -> None:
    """Case and punctuation make no other phrase, unless case is asked for."""
    says = read(check="says", any_of=["30 days", "thirty days", "30-Days"])
    assert [(doubt.route, doubt.why) for doubt in says.doubts()] == [
        (("any_of", 2), '"30-Days" says the same words as "30 days"')
    ]
    assert not read(check="says", any_of=["30 days", "30 Days"], ignore_case=False).doubts()
    assert not read(check="call", min_turns=1).doubts()


def test_kinds_that_can_contradict_are_declared() -> None:
    """Only kinds that `opposes` names are asked about each other, so that whatever tells a contradiction must name some."""
    telling = {name for name, kind in CHECKS.items() if kind.contradicts is not Expectation.contradicts}
    assert telling == {name for name, kind in CHECKS.items() if kind.opposes}
    assert all(name in CHECKS for kind in CHECKS.values() for name in kind.opposes)
