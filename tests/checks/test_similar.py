"""`similar`: what is close, where it is looked for, and what is said where the sentence model is not installed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from planner.checks.meaning import closeness, missing_packages

needs_model = pytest.mark.skipif(bool(missing_packages()), reason="needs the extra `semantic`")

TALK = (
    "agent: Good morning, Acme. How can I help?",
    "caller: My parcel is broken.",
    "agent: I am sorry. We will send you a new one.",
)


@needs_model
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("We will send you a new one.", "We will send you a new one.", 0.99, 1.0),
        ("We will send you a new one.", "You are going to get a replacement.", 0.4, 0.9),
        ("We will send you a new one.", "It rains in Paris.", 0.0, 0.3),
        ("We will send you a new one.", "It rains in Paris. We will send you a new one. Goodbye.", 0.99, 1.0),
        ("Thirty days.", "", 0.0, 0.3),
        ("Thirty days.", "x " * 5_000, 0.0, 0.5),
    ],
)
def test_closeness_is_of_meaning(one: str, other: str, low: float, high: float) -> None:
    """The same is 1, unrelated is near 0, one sentence of a long turn is enough, and neither nothing nor too much breaks it."""
    assert low <= closeness(one, other) <= high


@needs_model
@pytest.mark.parametrize(
    ("lines", "fields", "outcome", "turn", "told"),
    [
        (TALK, {"to": "You will get a replacement.", "min": 0.3}, "passed", 3, "said much the same as"),
        (
            TALK,
            {"to": "You will get a replacement.", "min": 0.3, "in": "first"},
            "failed",
            1,
            "in the first agent turn",
        ),
        (TALK, {"to": "My package arrived damaged.", "min": 0.5, "who": "caller"}, "passed", 2, "the caller said"),
        (TALK, {"to": "My package arrived damaged.", "min": 0.5, "who": "any"}, "passed", 2, "at turn 2"),
        (TALK, {"to": ["It rains.", "How may I help you?"], "min": 0.6}, "passed", 1, '"How may I help you?"'),
        (
            ("caller: Hello?",),
            {"to": "Hello.", "min": 0.5},
            "failed",
            None,
            "the agent has no turn in a transcript of 1",
        ),
        ((), {"to": "Hello.", "min": 0.5}, "errored", None, "the transcript is empty"),
        (("tool: hello",), {"to": "Hello.", "min": 0.1, "who": "any"}, "errored", None, "the transcript is empty"),
    ],
)
def test_similar_looks_where_it_is_told_to(
    talk: Any, judge: Any, lines: Any, fields: Any, outcome: str, turn: int | None, told: str
) -> None:
    """The turn that comes closest is quoted, whether that is close enough or not; tools do not speak."""
    found = judge(talk(*lines), check="similar", **fields)
    assert (found[0], found[2]) == (outcome, turn)
    assert told in found[1]


@needs_model
def test_a_text_that_is_exactly_as_close_as_asked_is_close_enough(talk: Any, judge: Any) -> None:
    """`min` itself passes, a hair more does not."""
    share = closeness("You will get a replacement.", "We will send you a new one.")
    evidence = talk("agent: We will send you a new one.")
    fields = {"check": "similar", "to": "You will get a replacement."}
    assert judge(evidence, **fields, min=share)[0] == "passed"
    assert judge(evidence, **fields, min=share + 0.0001)[0] == "failed"


@needs_model
@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"to": "Hello."}, ("min",), "Field required"),
        ({"to": "Hello.", "min": 1.5}, ("min",), "Input should be less than or equal to 1"),
        ({"to": "…", "min": 0.5}, ("to",), "must be a sentence, or a list of sentences, with words in it"),
        ({"to": [], "min": 0.5}, ("to",), "must be a sentence, or a list of sentences, with words in it"),
    ],
)
def test_similar_refuses_what_cannot_be_meant(refusal: Any, fields: Any, place: object, message: str) -> None:
    """Every refusal stands at its field."""
    assert refusal(check="similar", **fields) == [(place, message)]


def test_without_the_model_the_plan_says_what_to_install(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before anything is spent, not after the call."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = "`similar` needs an extra: pip install 'thunderphone-planner[semantic]'"
    assert refusal(check="similar", to="Hello.", min=0.5) == [((), message)]
