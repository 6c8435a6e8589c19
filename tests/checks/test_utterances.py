"""Consecutive turns of one speaker are one utterance for `says`, `never_says`, `sequence` and `no_pii`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import ToolCall

SPLIT = (
    "agent: Hello. You have thirty",
    "agent: days to return it.",
    "caller: And the",
    "caller: receipt?",
    "agent: Bring the",
    "tool: lookup_order",
    "agent: original",
    "agent: receipt, goodbye.",
)


@pytest.mark.parametrize(
    ("fields", "outcome", "turn"),
    [
        ({"check": "says", "any_of": ["thirty days"]}, "passed", 1),
        ({"check": "says", "any_of": ["30 days"], "spoken": True}, "passed", 1),
        ({"check": "says", "matches": "thirty days"}, "passed", 1),
        ({"check": "says", "any_of": ["return it"]}, "passed", 2),
        ({"check": "says", "any_of": ["bring the original receipt"]}, "passed", 5),
        ({"check": "says", "any_of": ["original receipt"]}, "passed", 7),
        ({"check": "says", "any_of": ["it and the"]}, "failed", None),  # two speakers
        ({"check": "says", "who": "caller", "any_of": ["the receipt"]}, "passed", 3),
        ({"check": "says", "who": "any", "any_of": ["the receipt"]}, "passed", 3),
        ({"check": "says", "any_of": ["thirty days"], "in": "first"}, "passed", 1),
        ({"check": "says", "any_of": ["bring the"], "in": "first"}, "failed", None),
        ({"check": "says", "any_of": ["bring the"], "in": "last"}, "passed", 5),
        ({"check": "says", "any_of": ["bring the"], "in": {"first": 2}}, "passed", 5),
        ({"check": "says", "any_of": ["receipt"], "who": "any", "in": {"last": 2}, "min_count": 2}, "passed", 4),
        ({"check": "says", "matches": "^days"}, "passed", 2),  # an anchor may hold at a turn
        ({"check": "says", "matches": "^original", "max_count": 1}, "passed", 7),
        ({"check": "says", "any_of": ["thirty days"], "max_count": 1}, "passed", 1),
        ({"check": "never_says", "any_of": ["thirty days"]}, "failed", 1),
        ({"check": "never_says", "matches": r"thirty\s+days"}, "failed", 1),
        ({"check": "never_says", "all_of": ["thirty days", "original receipt"]}, "failed", 7),
        ({"check": "never_says", "any_of": ["it bring"]}, "passed", None),
    ],
)
def test_a_phrase_may_be_split_over_consecutive_turns(
    talk: Any, judge: Any, fields: dict[str, Any], outcome: str, turn: int | None
) -> None:
    """It is quoted from the turn it begins in. A tool call does not end an utterance, another speaker does."""
    found, _, quoted = judge(talk(*SPLIT), **fields)
    assert found == outcome
    if turn is not None:
        assert quoted == turn


@pytest.mark.parametrize(
    ("phrase", "lines"),
    [
        ("QX742", ["agent: It is quebec x-ray", "agent: seven, four two."]),
        (
            "4155550142",
            ["agent: Call four one five", "tool: lookup", "agent: five five five. Oh one", "agent: four two"],
        ),
        ("ana@example.com", ["agent: I wrote to ana", "agent: at example dot", "agent: com."]),
    ],
)
def test_what_is_spelled_may_be_split_over_consecutive_turns(
    talk: Any, judge: Any, phrase: str, lines: list[str]
) -> None:
    assert judge(talk(*lines), check="says", any_of=[phrase], spoken=True)[0] == "passed"
    apart = [line for said in lines for line in (said, "caller: Okay.")]
    assert judge(talk(*apart), check="says", any_of=[phrase], spoken=True)[0] == "failed"


def test_a_split_phrase_is_quoted_from_all_its_turns(talk: Any, read: Any) -> None:
    """The quote has the words of these turns and no other, and the message names them."""
    split = read(check="says", any_of=["original receipt"]).judge(talk(*SPLIT))
    assert split.quote.text == "original receipt, goodbye."
    assert "turns 7 and 8" in split.message
    assert "turns 5 to 8" in read(check="says", any_of=["the original receipt"]).judge(talk(*SPLIT)).message
    whole = read(check="says", any_of=["return it"]).judge(talk(*SPLIT))
    assert (whole.quote.text, whole.quote.turn) == ("days to return it.", 2)


@pytest.mark.parametrize(
    ("steps", "outcome", "turn"),
    [
        ([{"says": {"any_of": ["hello"]}}, {"says": {"any_of": ["thirty days"]}}], "passed", 1),
        ([{"says": {"any_of": ["thirty days"]}}, {"says": {"any_of": ["return it"]}}], "passed", 2),
        ([{"says": {"any_of": ["thirty days"]}}, {"says": {"any_of": ["have"]}}], "failed", None),
        ([{"says": {"any_of": ["bring the"]}}, {"tool": "lookup_order"}], "passed", 6),
        ([{"tool": "lookup_order"}, {"says": {"any_of": ["original receipt"]}}], "passed", 7),
        ([{"tool": "lookup_order"}, {"says": {"any_of": ["bring the original"]}}], "failed", None),
        ([{"says": {"any_of": ["bring the original"]}}, {"tool": "lookup_order"}], "failed", None),
    ],
)
def test_steps_may_be_split_over_consecutive_turns(
    talk: Any, judge: Any, steps: list[dict[str, Any]], outcome: str, turn: int | None
) -> None:
    """A step is over in the turn that its last word is in; tool calls keep their place between the turns."""
    evidence = talk(*SPLIT, tools=(ToolCall(name="lookup_order", turn=6),))
    found, _, quoted = judge(evidence, check="sequence", steps=steps)
    assert found == outcome
    if turn is not None:
        assert quoted == turn


@pytest.mark.parametrize(
    ("lines", "fields", "outcome"),
    [
        (("agent: Your email is ana", "agent: at example dot com"), {}, "failed"),
        (("agent: Your email is", "tool: lookup", "agent: ana at", "agent: example dot com"), {}, "failed"),
        (("caller: ana at example dot com", "agent: Your email is ana", "agent: at example dot com"), {}, "passed"),
        (("agent: Your email is ana", "caller: Yes?", "agent: at example dot com"), {}, "failed"),
        (("agent: My email is ana", "caller: And what else is there?", "agent: at example dot com"), {}, "passed"),
        (("agent: I sent a mail to Ana.", "agent: At example dot com you find more."), {}, "passed"),
        (("agent: It is customer", "agent: number 77"), {"also": [r"customer number \d+"]}, "failed"),
    ],
)
def test_personal_data_may_be_split_over_consecutive_turns(
    talk: Any, judge: Any, lines: tuple[str, ...], fields: dict[str, Any], outcome: str
) -> None:
    """Within one sentence."""
    assert judge(talk(*lines), check="no_pii", **fields)[0] == outcome
