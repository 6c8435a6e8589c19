"""`never_says`: judgement, messages, and that it is the negation of `says`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks.says import NeverSays, Says
from planner.evidence import Evidence, Role, RunStatus, Turn

PROMISES = ("agent: I guarantee it.", "caller: You promise?", "agent: No promises.")


@pytest.mark.parametrize(
    ("fields", "outcome", "turn", "said"),
    [
        ({"any_of": ["swear"]}, "passed", None, 'never said "swear" in 2 agent turns'),
        ({"any_of": ["promise"]}, "passed", None, 'never said "promise" in 2 agent turns'),
        ({"any_of": ["guarantee"], "in": "last"}, "passed", None, 'never said "guarantee" in the last agent turn'),
        ({"all_of": ["guarantee", "swear"]}, "passed", None, 'never said "swear" in 2 agent turns'),
        ({"matches": r"\bswear\b"}, "passed", None, 'said anything that matches "\\\\bswear\\\\b" in 2 agent turns'),
        ({"any_of": ["promises", "guarantee"]}, "failed", 1, 'said "guarantee" at turn 1'),
        ({"who": "caller", "any_of": ["promise"]}, "failed", 2, 'the caller said "promise" at turn 2'),
        ({"who": "any", "any_of": ["promise"]}, "failed", 2, 'said "promise" at turn 2'),
        ({"all_of": ["no promises", "guarantee"]}, "failed", 3, 'of "no promises" at turn 3 and "guarantee" at turn 1'),
        ({"matches": "(?i)GUARANTEE[sd]?"}, "failed", 1, 'which matches "(?i)GUARANTEE[sd]?"'),
    ],
)
def test_never_says_quotes_what_was_said(
    talk: Any, assert_judged: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """Each way to ask has its message, and a failure quotes the offending turn."""
    assert_judged(talk(*PROMISES), outcome, turn, said, check="never_says", **fields)


WORDS = st.sampled_from(["yes", "no", "30 days", "thirty", "Days!", "don’t", "a-b", "$5", "返金"])
TEXT = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
TURNS = st.lists(st.tuples(st.sampled_from(list(Role)), TEXT), max_size=6).map(
    lambda spoken: tuple(
        Turn(number=number, role=role, text=text) for number, (role, text) in enumerate(spoken, start=1)
    )
)
QUESTIONS = st.fixed_dictionaries(
    {
        "who": st.sampled_from(["agent", "caller", "any"]),
        "in": st.sampled_from(["any", "first", "last", {"first": 2}, {"last": 2}]),
        "ignore_case": st.booleans(),
    }
).flatmap(
    lambda fields: st.one_of(
        st.lists(TEXT, min_size=1, max_size=3).map(lambda phrases: {**fields, "any_of": phrases}),
        st.lists(TEXT, min_size=1, max_size=3).map(lambda phrases: {**fields, "all_of": phrases}),
        st.sampled_from(["days?", "^yes", "no$", r"\d+"]).map(lambda pattern: {**fields, "matches": pattern}),
    )
)


@given(turns=TURNS, question=QUESTIONS)
def test_never_says_is_the_negation_of_says(turns: tuple[Turn, ...], question: dict[str, Any]) -> None:
    evidence = Evidence(run_id=1, run_status=RunStatus.COMPLETED, turns=turns)
    says = Says.model_validate({"check": "says", **question}).judge(evidence).outcome.value
    never = NeverSays.model_validate({"check": "never_says", **question}).judge(evidence).outcome.value
    assert (says, never) in {
        ("passed", "failed"),
        ("failed", "passed"),
        ("failed", "undecided"),
        ("undecided", "undecided"),
    }


@given(turns=TURNS, question=QUESTIONS, data=st.data())
def test_the_order_of_phrases_does_not_matter(
    turns: tuple[Turn, ...], question: dict[str, Any], data: st.DataObject
) -> None:
    shuffled = {
        key: data.draw(st.permutations(value)) if key in ("any_of", "all_of") else value
        for key, value in question.items()
    }
    evidence = Evidence(run_id=1, run_status=RunStatus.COMPLETED, turns=turns)
    one, other = (Says.model_validate({"check": "says", **fields}).judge(evidence) for fields in (question, shuffled))
    assert one.outcome is other.outcome
