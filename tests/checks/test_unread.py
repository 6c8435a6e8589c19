"""Tests with data of the service that planner cannot read: undecided where it matters."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks import CHECKS
from planner.checks.opinions import no_judge
from planner.checks.redacted import judge_redacted
from planner.evidence import Evidence
from tests.checks import test_missing_evidence as missing_evidence
from tests.checks.test_missing_evidence import from_turns

HELLO = {"role": "agent", "content": "hello, this is Maya"}
ASKS = {"role": "user", "content": "where is my order?"}
BYE = {"role": "agent", "content": "goodbye"}
CALL_F = {"name": "f", "arguments": {}}


def found(evidence: Evidence, **fields: Any) -> str:
    return missing_evidence.found(evidence, **{key.rstrip("_"): value for key, value in fields.items()})[0]


ABSENT: list[dict[str, Any]] = [
    {"check": "tool_not_called", "name": "f"},
    {"check": "not", "of": {"check": "tool_called", "name": "f"}},
    {"check": "tool_called", "name": "f", "times": {"min": 0, "max": 1}},
    {"check": "expression", "cel": "tools.size() == 0"},
    {"check": "expression", "cel": "!tools.exists(t, t.name == 'f')"},
]


@pytest.mark.parametrize("absent", ABSENT, ids=str)
@pytest.mark.parametrize("role", ["toolcall", "tool", "tool_calls", "narrator", "action", "", None])
def test_an_unknown_speaker_may_be_a_tool(role: str | None, absent: dict[str, Any]) -> None:
    """So no tool call can be excluded."""
    assert found(from_turns(HELLO, ASKS, {"role": role, "content": CALL_F}, BYE), **absent) == "undecided"
    assert found(from_turns(HELLO, ASKS, BYE), **absent) == "passed"


@pytest.mark.parametrize(
    "item",
    [
        {"role": "agent", "content": "one moment", "tool_calls": [{"function": CALL_F}]},
        {"role": "agent", "content": [{"type": "tool_use", "name": "f", "input": {}}]},
        {"role": "tool_response", "content": {"ok": True}},
    ],
)
def test_a_tool_call_may_be_inside_a_turn(item: dict[str, Any]) -> None:
    """In fields and blocks, or behind a result without a call."""
    assert found(from_turns(HELLO, ASKS, item, BYE), **ABSENT[0]) == "undecided"


@pytest.mark.parametrize(
    "item", [{"role": "toolcall", "content": CALL_F}, {"type": "action"}, {"function_call": CALL_F}]
)
def test_an_unknown_history_item_may_be_a_tool_call(item: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "system"}]
    assert found(from_turns(HELLO, ASKS, history=[*messages, item]), **ABSENT[0]) == "undecided"
    assert found(from_turns(HELLO, ASKS, history=messages), **ABSENT[0]) == "passed"


def test_a_recorded_tool_call_is_certain() -> None:
    """But not how often at most, or before what."""
    stranger = {"role": "robot", "content": "beep"}
    garbled = {"role": "tool_call", "content": {"name": "f", "arguments": "none that can be read"}}
    call = {"role": "tool_call", "content": {"name": "f", "arguments": {"x": 1}}}
    evidence = from_turns(HELLO, call, ASKS, stranger)
    assert found(evidence, check="tool_called", name="f", arguments={"x": 1}) == "passed"
    assert found(evidence, check="tool_called", name="f", exact=True, arguments={"x": 1}) == "undecided"
    assert found(evidence, check="tool_called", name="f", times=1) == "undecided"
    assert found(evidence, check="tool_called", name="f", before="g") == "undecided"
    assert found(evidence, check="tool_not_called", name="f") == "failed"
    assert found(evidence, check="tool_not_called", name="f", before="g") == "undecided"
    assert (
        found(from_turns(HELLO, garbled), check="tool_called", name="f", arguments={"x": {"exists": False}})
        == "undecided"
    )
    assert found(from_turns(HELLO, garbled), check="tool_called", name="f", exact=True, arguments={}) == "undecided"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"check": "says", "any_of": ["hello"]}, "passed"),
        ({"check": "says", "any_of": ["hello"], "in_": "first"}, "undecided"),
        ({"check": "says", "any_of": ["goodbye"], "in_": {"last": 1}}, "undecided"),
        ({"check": "says", "any_of": ["hello"], "max_count": 1}, "undecided"),
        ({"check": "says", "any_of": ["hello"], "min_count": 0, "max_count": 1}, "undecided"),
        ({"check": "never_says", "any_of": ["hello"]}, "failed"),
        ({"check": "never_says", "any_of": ["hello"], "in_": "first"}, "undecided"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_unread_turn_may_be_first_last_or_one_too_many(place: int, fields: dict[str, Any], outcome: str) -> None:
    """Words are certain only without place and number."""
    turns = [HELLO, ASKS, BYE]
    turns.insert(place, {"role": "robot", "content": "hello and goodbye"})
    assert found(from_turns(*turns), **fields) == outcome


@pytest.mark.parametrize(
    "content", [{"name": "f"}, {"name": "f", "arguments": None}, {"name": "f", "input": {"a": 1}}, "f"]
)
@pytest.mark.parametrize("in_history", [False, True])
def test_unreadable_arguments_are_undecided(content: Any, in_history: bool) -> None:
    made = {"role": "tool_call", "content": content}
    evidence = from_turns(HELLO, ASKS, history=[made]) if in_history else from_turns(HELLO, made, ASKS)
    no_arguments = "undecided", "the service gave no arguments: 1 call of f cannot be decided"
    for check in ("tool_called", "tool_not_called"):
        for asked in (
            {"arguments": {"a": 1}},
            {"arguments": {"a": {"exists": False}}},
            {"arguments": {}, "exact": True},
        ):
            expectation = CHECKS[check].model_validate({"check": check, "name": "f", **asked})
            judgement = judge_redacted(expectation, evidence, no_judge)
            assert (judgement.outcome.value, judgement.message) == no_arguments
    assert found(evidence, check="tool_called", name="f") == "passed"
    assert found(evidence, check="tool_not_called", name="f") == "failed"
    assert found(evidence, check="tool_called", name="f", after="g", arguments={"a": 1}) == "failed"
    assert found(evidence, check="tool_not_called", name="f", after="g", arguments={"a": 1}) == "passed"
    assert found(evidence, check="expression", cel="tools[0].arguments == {}") == "undecided"
    assert found(evidence, check="expression", cel="tools[0].name == 'f'") == "passed"


def calls(*pairs: dict[str, Any]) -> Evidence:
    return from_turns(HELLO, *pairs, BYE)


def call(name: str, **fields: Any) -> dict[str, Any]:
    return {"role": "tool_call", "content": {"name": name, "arguments": {}}, **fields}


def result(content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": "tool_response", "content": content or {"ok": True}, **fields}


@pytest.mark.parametrize(
    ("turns", "f", "g"),
    [
        ([call("f"), result()], "passed", "failed"),
        ([call("f"), result({"ok": False}), call("g"), result()], "failed", "passed"),
        ([call("f"), call("g"), result(), result({"ok": False})], "passed", "failed"),
        ([call("f"), call("g"), result()], "undecided", "undecided"),
        ([call("f"), call("g"), result(name="g")], "failed", "passed"),
        ([call("f"), call("g"), result({"ok": False}, name="g"), result(name="f")], "passed", "failed"),
        ([call("f"), call("f"), result(name="f")], "undecided", "undecided"),
        ([call("f", tool_call_id="1"), call("g", tool_call_id="2"), result(tool_call_id="2")], "failed", "passed"),
        ([call("f", id="1"), call("g", id="2"), result(tool_call_id="2", id="9")], "failed", "passed"),
        ([call("f", call_id=9), call("g", call_id=9), result(call_id=9)], "undecided", "undecided"),
        ([call("f", id="1"), call("g", id="2"), result(tool_call_id="3")], "undecided", "undecided"),
        (
            [call("f", id="1"), result(tool_call_id="1"), result({"ok": False}, tool_call_id="1")],
            "undecided",
            "undecided",
        ),
        ([call("f"), result(), result({"ok": False})], "undecided", "undecided"),
        ([call("f"), BYE, call("g"), result()], "undecided", "undecided"),
    ],
)
@pytest.mark.parametrize("in_history", [False, True])
def test_results_are_matched_to_calls(turns: list[dict[str, Any]], f: str, g: str, in_history: bool) -> None:
    """By id, then name, then order if the numbers agree."""
    evidence = from_turns(HELLO, BYE, history=turns) if in_history else calls(*turns)
    assert found(evidence, check="tool_called", name="f", result={"ok": True}) == f
    assert found(evidence, check="tool_called", name="g", result={"ok": True}) == g


def test_an_unmatched_result_affects_only_results() -> None:
    """That the tools were called is certain."""
    evidence = calls(call("e"), result(), call("f"), call("g"), result())
    asks = CHECKS["tool_not_called"].model_validate({"check": "tool_not_called", "name": "f", "result": {"ok": True}})
    judgement = judge_redacted(asks, evidence, no_judge)
    assert judgement.message == "cannot be decided: the service does not report which tool call a result answers"
    assert found(evidence, check="tool_called", name="f", times=1) == "passed"
    assert found(evidence, check="tool_not_called", name="h") == "passed"
    assert found(evidence, check="sequence", steps=[{"tool": "f"}, {"tool": "g"}]) == "passed"


UNKNOWN = {"check": "says", "any_of": ["thirty days"]}
HOLDS = {"check": "duration", "max_seconds": 60}
FAILS = {"check": "duration", "max_seconds": 5}
SAID = {"check": "says", "any_of": ["hello"]}


@pytest.mark.parametrize(
    ("whole", "outcome"),
    [
        ({"check": "any_of", "of": [HOLDS, UNKNOWN]}, "passed"),
        ({"check": "any_of", "of": [UNKNOWN, SAID]}, "passed"),
        ({"check": "any_of", "of": [UNKNOWN, FAILS]}, "undecided"),
        ({"check": "all_of", "of": [FAILS, UNKNOWN]}, "failed"),
        ({"check": "all_of", "of": [UNKNOWN, HOLDS]}, "undecided"),
        ({"check": "not", "of": SAID}, "failed"),
        ({"check": "not", "of": UNKNOWN}, "undecided"),
        ({"check": "not", "of": {"check": "any_of", "of": [UNKNOWN, HOLDS]}}, "failed"),
        ({"check": "not", "of": {"check": "all_of", "of": [UNKNOWN, FAILS]}}, "passed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["unread", "masked"])
def test_other_parts_of_a_combinator_still_decide(how: str, whole: dict[str, Any], outcome: str) -> None:
    robot = [{"role": "robot", "content": "thirty days"}] if how == "unread" else []
    evidence = from_turns(HELLO, ASKS, BYE, *robot, duration_seconds=30)
    if how == "masked":
        evidence = evidence.model_copy(update={"redacted": ("turns",)})
    assert found(evidence, **whole) == outcome


def test_an_expression_ignores_unread_parts_it_does_not_name() -> None:
    evidence = from_turns(HELLO, ASKS).model_copy(update={"unread": ("turns", "tools")})
    assert found(evidence, check="expression", cel="run.status == 'completed'") == "passed"
