"""`says`: fields, judgement, messages."""

from __future__ import annotations

from typing import Any

import pytest

REFUNDS = (
    "agent: Thank you for calling Acme.",
    "caller: How long may I return it?",
    "tool: lookup_policy",
    "agent: You’ve got 30-days, Ana!",
    "caller: Thirty days, thanks.",
    "agent: Thank you. Thank you, goodbye.",
)


@pytest.mark.parametrize(
    ("fields", "outcome", "turn", "said"),
    [
        ({"any_of": ["30 days"]}, "passed", 4, 'said "30 days" at turn 4'),
        ({"any_of": ["thirty days", "you've got"]}, "passed", 4, 'said "you\'ve got" at turn 4'),
        ({"any_of": ["30 days"], "spoken": False}, "passed", 4, 'said "30 days" at turn 4'),
        ({"any_of": ["goodbye"], "in": "last"}, "passed", 6, 'said "goodbye" at turn 6'),
        ({"all_of": ["30 days", "goodbye"]}, "passed", 4, 'said "30 days" at turn 4; said "goodbye" at turn 6'),
        ({"matches": r"\bgot \d+"}, "passed", 4, r'said "got 30" at turn 4, which matches "\\bgot \\d+"'),
        ({"matches": "^thank", "min_count": 2}, "passed", 1, 'anything that matches "^thank" 2 times in 3 agent turns'),
        ({"any_of": ["thank you"], "max_count": 3}, "passed", 1, 'said "thank you" 3 times in 3 agent turns'),
        ({"any_of": ["sorry"], "min_count": 0, "max_count": 1}, "passed", None, '"sorry" 0 times in 3 agent turns'),
        ({"who": "caller", "any_of": ["thirty days"]}, "passed", 5, 'the caller said "thirty days" at turn 5'),
        ({"who": "any", "any_of": ["thirty days"], "in": {"last": 2}}, "passed", 5, 'said "thirty days" at turn 5'),
        ({"any_of": ["thirty days", "one month"]}, "failed", 4, '"one month" in 3 agent turns'),
        ({"any_of": ["130 days"]}, "failed", 4, 'never said "130 days" in 3 agent turns'),
        ({"any_of": ["full refund"]}, "failed", None, 'never said "full refund" in 3 agent turns'),
        ({"any_of": ["30 days"], "in": "first"}, "failed", 1, 'never said "30 days" in the first agent turn'),
        ({"any_of": ["30 days"], "in": {"last": 9}, "who": "caller"}, "failed", 5, 'days" in the last 2 caller turns'),
        ({"any_of": ["return it"], "who": "any", "in": "last"}, "failed", 6, 'never said "return it" in the last turn'),
        ({"all_of": ["30 days", "receipt", "label"]}, "failed", None, 'never said "label" in 3 agent turns'),
        ({"matches": "refund"}, "failed", None, 'never said anything that matches "refund" in 3 agent turns'),
        ({"any_of": ["thank you"], "min_count": 4}, "failed", 6, "expected at least 4"),
        ({"any_of": ["sorry"], "min_count": 2}, "failed", None, "expected at least 2 times"),
        ({"any_of": ["thank you"], "max_count": 1}, "failed", 6, "expected at most 1"),
        ({"any_of": ["Thank you"], "in": {"first": 1}, "max_count": 2, "min_count": 2}, "failed", 1, "at least 2"),
        ({"any_of": ["YOU'VE"], "ignore_case": False}, "failed", 4, 'never said "YOU\'VE" in 3 agent turns'),
        ({"matches": "THANK", "ignore_case": False}, "failed", None, 'anything that matches "THANK" in 3 agent turns'),
    ],
)
def test_says_reports_the_found_and_the_expected_count(
    talk: Any, assert_judged: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """Each way to ask has its message and its quoted turn, passing and failing."""
    assert_judged(talk(*REFUNDS), outcome, turn, said, check="says", **fields)


def test_overlapping_phrases_count_once(talk: Any, judge: Any) -> None:
    """One utterance that holds two of the phrases is one time, not two."""
    evidence = talk("agent: You have within 30 days.")
    found = judge(evidence, check="says", any_of=["30 days", "within 30 days"], max_count=1)
    assert found == ("passed", 'said any of "30 days", "within 30 days" 1 time in 1 agent turn', 1)
