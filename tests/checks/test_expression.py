"""Tests of `expression`."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from planner.checks.expression import MAX_LENGTH, MAX_MACROS, check_cel
from planner.evidence import Call, ToolCall

TALK = ("agent: You have 30 days.", "caller: Thanks.")
TOOLS = (ToolCall(name="look", arguments={"id": 17, "deep": {"x": ["a"]}}, has_result=True, result="ok", turn=1),)


@pytest.mark.parametrize(
    ("cel", "expected"),
    [
        ("call.duration_seconds < 60.0", ("passed", '"call.duration_seconds < 60.0" is true')),
        (
            "call.duration_seconds < 50.0 && run.run_id == 1",
            (
                "failed",
                '"call.duration_seconds < 50.0 && run.run_id == 1" is false: call.duration_seconds is 54.0, run.run_id is 1',
            ),
        ),
        ("turns.size() == 3", ("failed", '"turns.size() == 3" is false')),
        ("turns[0].role == 'agent' && turns[0].number == 1", ("passed", "is true")),
        ("tools[0].arguments.id == 17 && tools[0].arguments.deep.x[0] == 'a'", ("passed", "is true")),
        ("tools[0].result == 'ok' && tools[0].has_result", ("passed", "is true")),
        ("call.end_reason == 'agent_end'", ("passed", "is true")),
        ("call.document.flag", ("passed", "is true")),
        ("call.product == 'spark'", ("undecided", "cannot be decided: the service gave no `product`")),
        ("call.product != 'spark'", ("undecided", "cannot be decided: the service gave no `product`")),
        ("has(call.product) && call.product == 'spark'", ("failed", "is false: call.product is null")),
        ("call.product == 'spark' || call.duration_seconds > 1.0", ("passed", "is true")),
        ("grade.score > 0.5", ("undecided", "cannot be decided: the service gave no `score`")),
        ("has(grade.score)", ("failed", "is false: grade.score is null")),
        ("turns[5].text == ''", ("undecided", "cannot be decided: Index error: index=5 size=2")),
        ("turns[0].start_ms > 0", ("undecided", "the service gave no `start_ms`")),
        ("call.document.number", ("undecided", "it is int, neither true nor false")),
        ("1 / (run.run_id - 1) == 0", ("undecided", "cannot be decided: divide by zero")),
        ("turns[0].text.matches('^You .* days')", ("passed", "is true")),
    ],
)
def test_expressions_are_judged(talk: Any, judge: Any, cel: str, expected: tuple[str, str]) -> None:
    """Undecided if a needed value is missing, with == and != alike."""
    call = Call(
        call_id=9, status="completed", end_reason="ai_hangup", duration_seconds=54, document={"flag": True, "number": 3}
    )
    outcome, message, quote = judge(talk(*TALK, tools=TOOLS, call=call), check="expression", cel=cel)
    assert (outcome, quote) == (expected[0], None)
    assert expected[1] in message


def test_missing_parts_are_not_empty(talk: Any, judge: Any) -> None:
    """Without a transcript the number of turns is unknown, not 0."""
    evidence = talk(turns=None, tools=None, call=None)
    for cel in ("turns.size() == 0", "tools.size() == 0", "call.status != 'failed'"):
        assert judge(evidence, check="expression", cel=cel)[0] == "undecided"


def test_missing_arguments_are_undecided(talk: Any, judge: Any) -> None:
    """`has_arguments` says whether they are there."""
    missing = ToolCall(name="look", arguments={}, has_arguments=False)
    for tools, expected in ((TOOLS, "passed"), ((missing,), "failed")):
        evidence = talk(*TALK, tools=tools)
        assert judge(evidence, check="expression", cel="tools[0].has_arguments == true")[0] == expected
    assert judge(evidence, check="expression", cel="has(tools[0].arguments)")[0] == "failed"
    assert judge(evidence, check="expression", cel="tools[0].arguments == {}")[0] == "undecided"


def test_nested_loops_are_undecided(talk: Any, judge: Any) -> None:
    evidence = talk(*["agent: Hello."] * 150)
    outcome, message, _ = judge(evidence, check="expression", cel="turns.all(a, turns.all(b, a.text == b.text))")
    assert outcome == "undecided"
    assert "it takes too much work or cannot be evaluated: Iteration budget exceeded" in message


@pytest.mark.parametrize(
    ("cel", "part"),
    [
        ("true" + " && true" * 200, "true" + " && true" * 200),
        (" && ".join(["turns.all(t, true)"] * 5), ".all("),
        ("(" * 60 + "true" + ")" * 60, "(" * 60 + "true" + ")" * 60),
    ],
)
def test_expressions_beyond_the_bounds_are_rejected(cel: str, part: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        check_cel(cel)
    start, end = _place(caught.value)
    assert cel[start:end] == part


def test_expressions_at_the_bounds_are_valid() -> None:
    check_cel("turns.size() > 2" + " " * (MAX_LENGTH - 16))
    check_cel(" && ".join(["turns.all(t, true)"] * MAX_MACROS))
    check_cel("turns.all(t, 1 + 1 + 1 + 1 + 1 == 5) && 1 == 1")
    check_cel("turns.size() + 1 + 1 + 1 + 1 + 1 + 1 == 7")


@pytest.mark.parametrize(
    "cel",
    [
        "has(call.end_reason)",
        "turns.all(t, true)",
        "1 / turns.size() == 1 || call.duration_seconds < 5.0",
        r"turns.exists(t, t.text.matches('\\d+'))",
        "turns.exists(t, t.text.matches(t.role))",
        "size(tools) >= 0",
    ],
)
def test_expressions_that_depend_on_the_call_are_valid(cel: str) -> None:
    check_cel(cel)


def test_a_failure_shows_the_values_read(talk: Any, judge: Any) -> None:
    """Of run, call and grade; at most four, each once."""
    cel = "run.status == 'x' && run.cost_cents > 5"
    expected = f'"{cel}" is false: run.status is "completed", run.cost_cents is 16'
    assert judge(talk(*TALK, cost_cents=16), check="expression", cel=cel) == ("failed", expected, None)
    for missing in ({"call": None}, {"grade": None}):
        found = judge(talk(*TALK, **missing), check="expression", cel="run.run_id == 2")
        assert found == ("failed", '"run.run_id == 2" is false: run.run_id is 1', None)
    cel = "run.run_id == 2 && run.run_id > 0 && call.call_id == 9 && call.status != '' && call.end_reason != '' && run.status != ''"
    found = judge(talk(*TALK), check="expression", cel=cel)[1]
    assert found.endswith(
        'false: run.run_id is 1, call.call_id is 9, call.status is "completed", call.end_reason is "agent_end"'
    )


def test_a_diagnostic_points_into_the_expression(read: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read(check="expression", cel="call.nonsense == 3")
    error: dict[str, Any] = dict(caught.value.errors()[0])
    assert (error["type"], error["ctx"]["start"], error["ctx"]["end"]) == ("text_error", 5, 13)
    assert error["msg"] == error["ctx"]["why"]
    assert error["msg"].startswith("a call has no `nonsense`; known: call_id")


def _place(fault: PydanticCustomError) -> tuple[int, int]:
    assert fault.context is not None
    return fault.context["start"], fault.context["end"]


SIGNS = r"""call turns run_id . ( ) [ ] { } , : ? ! - + * / % == < && || in and not = # ' " \ 1 2.5 true null t all has size é"""


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*SIGNS.split(), " ", "\n"]), max_size=8).map("".join))
def test_any_text_is_valid_or_rejected_with_a_place(cel: str) -> None:
    start = end = 0
    try:
        check_cel(cel)
    except PydanticCustomError as refused:
        start, end = _place(refused)
    assert 0 <= start <= end <= max(1, len(cel))


@pytest.mark.parametrize(
    ("cel", "warned"),
    [
        ("turns.exists(t, t.role == 'supervisor')", 1),
        ("turns.all(t, t.role != 'bot') && turns.all(t, t.role != \"user\")", 2),
        ("turns.exists(t, t.role == 'agent' && t.role != 'tool')", 0),
        ("call.document.people.exists(p, p.role == 'user')", 0),
    ],
)
def test_unknown_roles_are_reported(read: Any, cel: str, warned: int) -> None:
    """Compared with !=, they always hold."""
    assert [lint.code for lint in read(check="expression", cel=cel).lints()] == ["near-miss"] * warned


def test_without_the_extra_the_message_says_what_to_install(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is charged."""
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    ((place, message),) = refusal(check="expression", cel="call.duration_seconds < 120.0")
    assert place == ("cel",)
    assert ".[expression]" in message
