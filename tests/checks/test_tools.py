"""Tests of `tool_called` and `tool_not_called`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import ToolCall

LINES = ("caller: Order 17.", "tool: verify", "tool: lookup", "tool: refund", "agent: Done.")
TOOLS = (
    ToolCall(name="verify_identity", arguments={"pin": "1234"}, turn=2, has_result=True, result={"ok": True}),
    ToolCall(name="lookup_order", arguments={"order_id": 17}, turn=3, has_result=True, result={"status": "late"}),
    ToolCall(name="issue_refund", arguments={"order_id": 17, "cents": 900}, turn=4),
)


@pytest.mark.parametrize(
    ("fields", "outcome", "turn", "said"),
    [
        ({"name": "lookup_order"}, "passed", 3, "called lookup_order 1 time"),
        ({"name": "lookup_order", "times": 1}, "passed", 3, "called lookup_order 1 time"),
        ({"name": "lookup_order", "times": {"max": 1}}, "passed", 3, "called lookup_order 1 time"),
        ({"name": "cancel", "times": {"min": 0, "max": 2}}, "passed", None, "called cancel 0 times"),
        ({"name": "lookup_order", "arguments": {"order_id": "17"}}, "passed", 3, "called lookup_order 1 time"),
        ({"name": "lookup_order", "result": {"status": {"matches": "^la"}}}, "passed", 3, "called lookup_order 1 time"),
        ({"name": "issue_refund", "after": "verify_identity"}, "passed", 4, "called issue_refund 1 time"),
        ({"name": "verify_identity", "before": "issue_refund"}, "passed", 2, "called verify_identity 1 time"),
        ({"name": "verify_identity", "before": "cancel"}, "passed", 2, "called verify_identity 1 time"),
        ({"name": "issue_refund", "result": {"exists": False}}, "passed", 4, "called issue_refund 1 time"),
        ({"name": "cancel"}, "failed", None, "tools called: verify_identity, lookup_order, issue_refund"),
        ({"name": "lookup_order", "times": 2}, "failed", 3, "verify_identity, lookup_order, issue_refund"),
        ({"name": "lookup_order", "arguments": {"order_id": "71"}}, "failed", 3, 'order_id was 17, expected "71"'),
        (
            {"name": "lookup_order", "after": "issue_refund", "times": {"min": 1, "max": 3}},
            "failed",
            3,
            "called lookup_order 1 time, 0 of them as described, expected 1 to 3; issue_refund had not been called before",
        ),
        ({"name": "issue_refund", "before": "verify_identity"}, "failed", 4, "verify_identity had already been called"),
        ({"name": "issue_refund", "result": {"exists": True}}, "failed", 4, "the result was not given"),
        ({"name": "lookup_order", "result": {"status": "on time"}}, "failed", 3, 'expected "on time"'),
        ({"name": "issue_refund", "result": "refunded"}, "failed", 4, 'the result was not given, expected "refunded"'),
    ],
)
def test_tool_called_is_judged(
    talk: Any, assert_judged: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """The message says why other calls do not match."""
    assert_judged(talk(*LINES, tools=TOOLS), outcome, turn, said, check="tool_called", **fields)


@pytest.mark.parametrize(
    ("fields", "outcome", "turn", "said"),
    [
        ({"name": "cancel"}, "passed", None, "tools called: verify_identity, lookup_order, issue_refund"),
        ({"name": "issue_refund", "before": "verify_identity"}, "passed", None, "never in this way"),
        ({"name": "issue_refund"}, "failed", 4, 'called issue_refund at turn 4 with {"order_id":17,"cents":900}'),
        (
            {"name": "issue_refund", "after": "lookup_order", "arguments": {"cents": {"matches": "^9"}}},
            "failed",
            4,
            'called issue_refund at turn 4 with {"order_id":17,"cents":900}',
        ),
        ({"name": "issue_refund", "result": {"matches": "refunded"}}, "passed", None, "never in this way"),
    ],
)
def test_tool_not_called_is_judged(
    talk: Any, assert_judged: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """Only a matching call fails it."""
    assert_judged(talk(*LINES, tools=TOOLS), outcome, turn, said, check="tool_not_called", **fields)


def test_a_tool_call_without_a_turn_has_no_quote(talk: Any, judge: Any) -> None:
    """It is known from the history only."""
    evidence = talk(turns=None, tools=(ToolCall(name="cancel"),))
    assert judge(evidence, check="tool_not_called", name="cancel") == ("failed", "called cancel with {}", None)
    assert judge(evidence, check="tool_called", name="cancel") == ("passed", "called cancel 1 time", None)


WITHOUT_RESULTS = tuple(call.model_copy(update={"has_result": False, "result": None}) for call in TOOLS)


@pytest.mark.parametrize("result", ["refunded", {"matches": "refunded"}, {"exists": True}, {"exists": False}])
@pytest.mark.parametrize("check", ["tool_called", "tool_not_called"])
def test_without_any_results_result_is_undecided(talk: Any, judge: Any, check: str, result: object) -> None:
    """The service may not provide them."""
    evidence = talk(*LINES, tools=WITHOUT_RESULTS)
    expected = ("undecided", "the service gave no results: 1 call of issue_refund cannot be decided", None)
    assert judge(evidence, check=check, name="issue_refund", result=result) == expected


def test_failures_that_do_not_depend_on_results(talk: Any, judge: Any) -> None:
    """Too few calls, or other arguments."""
    evidence = talk(*LINES, tools=WITHOUT_RESULTS)
    asked: dict[str, Any] = {"name": "issue_refund", "result": "refunded"}
    assert judge(evidence, check="tool_called", times=2, **asked) == (
        "failed",
        (
            "called issue_refund 1 time, 0 of them as described, expected exactly 2; "
            "tools called: verify_identity, lookup_order, issue_refund"
        ),
        None,
    )
    assert judge(evidence, check="tool_not_called", arguments={"order_id": 18}, **asked) == (
        "passed",
        "called issue_refund 1 time, never in this way",
        None,
    )
    assert judge(evidence, check="tool_called", times={"min": 0, "max": 1}, **asked) == (
        "passed",
        "called issue_refund 1 time, 0 of them as described",
        None,
    )


def test_too_many_calls_quote_the_last(talk: Any, judge: Any) -> None:
    calls = tuple(ToolCall(name="cancel", has_result=True, result="ok", turn=number) for number in (1, 2))
    evidence = talk("tool: cancel", "tool: cancel", tools=calls)
    assert judge(evidence, check="tool_called", name="cancel", times=1, result="ok") == (
        "failed",
        "called cancel 2 times, expected exactly 1",
        2,
    )


def test_unusual_tool_names_are_shown_as_json(talk: Any, judge: Any) -> None:
    tools = [ToolCall(name="a\n::error::b"), *(ToolCall(name=f"tool-{number}") for number in range(9))]
    _, message, _ = judge(talk("agent: Hi.", tools=tuple(tools)), check="tool_not_called", name="cancel")
    assert message == (
        'never called cancel; tools called: "a\\n::error::b", tool-0, tool-1, tool-2, tool-3, tool-4, tool-5, tool-6 and 2 more'
    )


def test_null_results(talk: Any, judge: Any) -> None:
    """Written as `{any_of: [null]}`."""
    for result, outcome in ((None, "passed"), ("null", "failed"), (0, "failed")):
        evidence = talk("agent: Hi.", tools=(ToolCall(name="cancel", has_result=True, result=result, turn=1),))
        assert judge(evidence, check="tool_called", name="cancel", result={"any_of": [None]})[0] == outcome
