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
    talk: Any, judge: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """Each way to ask has its message and its quoted turn, passing and failing."""
    found, message, quoted = judge(talk(*REFUNDS), check="says", **fields)
    assert (found, quoted) == (outcome, turn)
    assert said in message


def test_says_cannot_be_decided_without_a_transcript(talk: Any, judge: Any) -> None:
    """A missing transcript is neither a pass nor a failure."""
    expected = ("errored", "the service gave no transcript", None)
    assert judge(talk(turns=None), check="says", any_of=["hello"]) == expected


def test_says_cannot_be_decided_on_an_empty_transcript(talk: Any, judge: Any) -> None:
    """Where nobody is known to have spoken, the transcript may be what is missing."""
    expected = ("errored", "the transcript is empty", None)
    assert judge(talk("tool: lookup"), check="says", any_of=["hello"]) == expected


def test_says_fails_for_an_agent_that_is_silent_while_the_caller_speaks(talk: Any, judge: Any) -> None:
    """One side's turns prove that there is a transcript, so silence of the other is a fact."""
    evidence = talk("caller: Hello?", "caller: Anybody there?")
    assert judge(evidence, check="says", any_of=["hello"]) == (
        "failed",
        "the agent has no turn in a transcript of 2",
        None,
    )


def test_says_at_most_is_undecided_for_a_silent_agent(talk: Any, judge: Any) -> None:
    """With `min_count: 0` nothing has to be said, and silence proves nothing either."""
    evidence = talk("caller: Hello?")
    expected = ("errored", "the agent has no turn in a transcript of 1", None)
    assert judge(evidence, check="says", any_of=["hello"], min_count=0, max_count=1) == expected


def test_overlapping_phrases_count_once(talk: Any, judge: Any) -> None:
    """One utterance that holds two of the phrases is one time, not two."""
    evidence = talk("agent: You have within 30 days.")
    found = judge(evidence, check="says", any_of=["30 days", "within 30 days"], max_count=1)
    assert found == ("passed", 'said any of "30 days", "within 30 days" 1 time in 1 agent turn', 1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [((), "needs one of `any_of`, `all_of` or `matches`: the words to look for")]),
        (
            {"any_of": ["a"], "matches": "b"},
            [((), "takes one of `any_of`, `all_of` and `matches`, not `any_of` and `matches`")],
        ),
        (
            {"any_of": ["a"], "all_of": ["c"], "matches": "b"},
            [((), "takes one of `any_of`, `all_of` and `matches`, not `any_of`, `all_of` and `matches`")],
        ),
        ({"any_of": []}, [(("any_of",), "needs at least one phrase")]),
        (
            {"all_of": ["fine", " … "]},
            [(("all_of", 1), "a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for")],
        ),
        ({"any_of": [30]}, [(("any_of", 0), "Input should be a valid string")]),
        (
            {"any_of": ["a"], "in": "middle"},
            [(("in",), "must be any, first, last, {first: N} or {last: N}, with N of 1 or more")],
        ),
        (
            {"any_of": ["a"], "in": {"first": True}},
            [(("in",), "must be any, first, last, {first: N} or {last: N}, with N of 1 or more")],
        ),
        ({"any_of": ["a"], "max_count": 0}, [(("max_count",), "Input should be greater than or equal to 1")]),
        ({"any_of": ["a"], "min_count": True}, [(("min_count",), "must be a number, not true")]),
        ({"any_of": ["a"], "min_count": 3, "max_count": 2}, [((), "`max_count` (2) is less than `min_count` (3)")]),
        ({"any_of": ["a"], "min_count": 0}, [((), "`min_count: 0` without `max_count` always holds, so it checks nothing")]),
        (
            {"matches": "a", "spoken": True},
            [((), "`spoken: true` compares phrases: write `any_of` or `all_of` in place of `matches`")],
        ),
        ({"any_of": ["a"], "phrase": "b"}, [(("phrase",), "Extra inputs are not permitted")]),
    ],
)  # fmt: skip
def test_says_rejects_invalid_fields(refusal: Any, fields: dict[str, Any], expected: object) -> None:
    """Every error is at its field and says what to write instead."""
    assert refusal(check="says", **fields) == expected
