"""`tool_called` and `tool_not_called`: judgement, messages, refusals."""

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
    ("fields", "expected"),
    [
        ({"name": "lookup_order"}, ("passed", "called lookup_order 1 time", 3)),
        ({"name": "lookup_order", "times": 1}, ("passed", "called lookup_order 1 time", 3)),
        ({"name": "lookup_order", "times": {"max": 1}}, ("passed", "called lookup_order 1 time", 3)),
        ({"name": "cancel", "times": {"min": 0, "max": 2}}, ("passed", "called cancel 0 times", None)),
        ({"name": "lookup_order", "arguments": {"order_id": "17"}}, ("passed", "called lookup_order 1 time", 3)),
        (
            {"name": "lookup_order", "result": {"status": {"matches": "^la"}}},
            ("passed", "called lookup_order 1 time", 3),
        ),
        ({"name": "issue_refund", "after": "verify_identity"}, ("passed", "called issue_refund 1 time", 4)),
        ({"name": "verify_identity", "before": "issue_refund"}, ("passed", "called verify_identity 1 time", 2)),
        ({"name": "verify_identity", "before": "cancel"}, ("passed", "called verify_identity 1 time", 2)),
        ({"name": "issue_refund", "result": {"exists": False}}, ("passed", "called issue_refund 1 time", 4)),
        (
            {"name": "cancel"},
            (
                "failed",
                "called cancel 0 times, expected at least 1; tools called: verify_identity, lookup_order, issue_refund",
                None,
            ),
        ),
        (
            {"name": "lookup_order", "times": 2},
            (
                "failed",
                (
                    "called lookup_order 1 time, expected exactly 2; "
                    "tools called: verify_identity, lookup_order, issue_refund"
                ),
                3,
            ),
        ),
        (
            {"name": "lookup_order", "arguments": {"order_id": "71"}},
            (
                "failed",
                'called lookup_order 1 time, 0 of them as described, expected at least 1; order_id was 17, expected "71"',
                3,
            ),
        ),
        (
            {"name": "lookup_order", "after": "issue_refund", "times": {"min": 1, "max": 3}},
            (
                "failed",
                (
                    "called lookup_order 1 time, 0 of them as described, expected 1 to 3; "
                    "issue_refund had not been called before"
                ),
                3,
            ),
        ),
        (
            {"name": "issue_refund", "before": "verify_identity"},
            (
                "failed",
                (
                    "called issue_refund 1 time, 0 of them as described, expected at least 1; "
                    "verify_identity had already been called"
                ),
                4,
            ),
        ),
        (
            {"name": "issue_refund", "result": {"exists": True}},
            (
                "failed",
                "called issue_refund 1 time, 0 of them as described, expected at least 1; the result was not given",
                4,
            ),
        ),
        (
            {"name": "lookup_order", "result": {"status": "on time"}},
            (
                "failed",
                (
                    "called lookup_order 1 time, 0 of them as described, expected at least 1; "
                    'the result.status was "late", expected "on time"'
                ),
                3,
            ),
        ),
        (
            {"name": "issue_refund", "result": "refunded"},
            (
                "failed",
                (
                    "called issue_refund 1 time, 0 of them as described, expected at least 1; "
                    'the result was not given, expected "refunded"'
                ),
                4,
            ),
        ),
    ],
)
def test_tool_called_tells_what_was_called(talk: Any, judge: Any, fields: dict[str, Any], expected: object) -> None:
    """Calls are counted that fit all that is written; the message says why others do not."""
    assert judge(talk(*LINES, tools=TOOLS), check="tool_called", **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"name": "cancel"},
            ("passed", "never called cancel; tools called: verify_identity, lookup_order, issue_refund", None),
        ),
        (
            {"name": "issue_refund", "before": "verify_identity"},
            ("passed", "called issue_refund 1 time, never in this way", None),
        ),
        (
            {"name": "issue_refund"},
            ("failed", 'called issue_refund at turn 4 with {"order_id":17,"cents":900}', 4),
        ),
        (
            {"name": "issue_refund", "after": "lookup_order", "arguments": {"cents": {"matches": "^9"}}},
            ("failed", 'called issue_refund at turn 4 with {"order_id":17,"cents":900}', 4),
        ),
        (
            {"name": "issue_refund", "result": {"matches": "refunded"}},
            ("passed", "called issue_refund 1 time, never in this way", None),
        ),
    ],
)
def test_tool_not_called_quotes_the_call_that_was_made(
    talk: Any, judge: Any, fields: dict[str, Any], expected: object
) -> None:
    """Only a call that fits all that is written is unwelcome."""
    assert judge(talk(*LINES, tools=TOOLS), check="tool_not_called", **fields) == expected


def test_a_tool_that_no_turn_shows_is_judged_without_a_quote(talk: Any, judge: Any) -> None:
    """The history may know of calls that the transcript does not have."""
    evidence = talk(turns=None, tools=(ToolCall(name="cancel"),))
    assert judge(evidence, check="tool_not_called", name="cancel") == ("failed", "called cancel with {}", None)
    assert judge(evidence, check="tool_called", name="cancel") == ("passed", "called cancel 1 time", None)


UNTOLD = tuple(call.model_copy(update={"has_result": False, "result": None}) for call in TOOLS)


@pytest.mark.parametrize("result", ["refunded", {"matches": "refunded"}, {"exists": True}, {"exists": False}])
@pytest.mark.parametrize("check", ["tool_called", "tool_not_called"])
def test_where_the_service_tells_no_results_none_is_judged(talk: Any, judge: Any, check: str, result: object) -> None:
    """No result of any tool is in the evidence: the service keeps them to itself, the tools may well have answered."""
    evidence = talk(*LINES, tools=UNTOLD)
    expected = ("errored", "the service gave no results: 1 call of issue_refund cannot be decided", None)
    assert judge(evidence, check=check, name="issue_refund", result=result) == expected


def test_what_is_certain_without_results_is_judged(talk: Any, judge: Any) -> None:
    """Too few calls, or none with these arguments, are failures whatever the results may be."""
    evidence = talk(*LINES, tools=UNTOLD)
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


def test_too_many_calls_fail_at_the_last(talk: Any, judge: Any) -> None:
    """The quote is of the latest call that was one too many."""
    calls = tuple(ToolCall(name="cancel", has_result=True, result="ok", turn=number) for number in (1, 2))
    evidence = talk("tool: cancel", "tool: cancel", tools=calls)
    assert judge(evidence, check="tool_called", name="cancel", times=1, result="ok") == (
        "failed",
        "called cancel 2 times, expected exactly 1",
        2,
    )


@pytest.mark.parametrize("check", ["tool_called", "tool_not_called"])
@pytest.mark.parametrize(
    ("lines", "fields", "message"),
    [
        ((), {"tools": None}, "the service gave no record of tool calls"),
        ((), {}, "the transcript is empty, so it is unknown which tools were called"),
    ],
)
def test_without_a_record_nothing_is_told_of_tools(
    talk: Any, judge: Any, check: str, lines: tuple[str, ...], fields: dict[str, Any], message: str
) -> None:
    """Neither a missing record nor an empty transcript proves that a tool was not called."""
    assert judge(talk(*lines, **fields), check=check, name="cancel") == ("errored", message, None)


def test_a_transcript_without_tool_turns_proves_that_none_was_called(talk: Any, judge: Any) -> None:
    """People spoke, no tool did: that is a fact about the agent."""
    evidence = talk("agent: Hello.", "caller: Hi.")
    assert judge(evidence, check="tool_called", name="cancel") == (
        "failed",
        "called cancel 0 times, expected at least 1; no tool was called",
        None,
    )
    assert judge(evidence, check="tool_not_called", name="cancel") == (
        "passed",
        "never called cancel; no tool was called",
        None,
    )


def test_all_of_eight_tools_are_named(talk: Any, judge: Any) -> None:
    """Names are cut from nine on, and then by how many is told."""
    tools = tuple(ToolCall(name=f"tool-{number}") for number in range(8))
    _, message, _ = judge(talk("agent: Hi.", tools=tools), check="tool_not_called", name="cancel")
    assert message.endswith("tool-6, tool-7")
    assert "more" not in message


def test_a_tool_name_made_up_by_the_agent_stays_on_one_line(talk: Any, judge: Any) -> None:
    """What stands in place of a name is shown as JSON, and not all of fifty."""
    tools = [ToolCall(name="a\n::error::b"), *(ToolCall(name=f"tool-{number}") for number in range(9))]
    _, message, _ = judge(talk("agent: Hi.", tools=tuple(tools)), check="tool_not_called", name="cancel")
    assert message == (
        'never called cancel; tools called: "a\\n::error::b", tool-0, tool-1, tool-2, tool-3, tool-4, tool-5, tool-6 and 2 more'
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [(("name",), "Field required")]),
        ({"name": ""}, [(("name",), "String should have at least 1 character")]),
        (
            {"name": "a", "times": 0},
            [(("times",), "must be 1 or more: for no call at all use the check `tool_not_called`")],
        ),
        ({"name": "a", "times": "two"}, [(("times",), "must be a whole number of 1 or more, or {min: N, max: M}")]),
        ({"name": "a", "times": True}, [(("times",), "must be a whole number of 1 or more, or {min: N, max: M}")]),
        ({"name": "a", "times": {"min": 3, "max": 2}}, [(("times",), "`max` (2) is less than `min` (3)")]),
        (
            {"name": "a", "times": {"min": 0}},
            [(("times",), "`min: 0` without `max` always holds, so it checks nothing")],
        ),
        ({"name": "a", "times": {"least": 1}}, [(("times", "least"), "Extra inputs are not permitted")]),
        ({"name": "a", "times": {"min": True}}, [(("times", "min"), "must be a number, not true")]),
        ({"name": "a", "after": "a"}, [(("after",), "must be another tool than `name`")]),
        (
            {"name": "a", "after": "b", "before": "b"},
            [((), "`after` and `before` name the same tool, so no call can match")],
        ),
        ({"name": "a", "exact": True}, [((), "`exact: true` needs `arguments`: write `arguments: {}` to allow none")]),
        (
            {"name": "a", "result": None},
            [(("result",), "null has no effect here: to expect null write `{any_of: [null]}`")],
        ),
        (
            {"name": "a", "arguments": {"x": {"matches": "("}}},
            [
                (
                    ("arguments", "x"),
                    r"this is not a regular expression: missing ): (",
                )
            ],
        ),
    ],
)
def test_tool_checks_refuse_what_cannot_be_meant(refusal: Any, fields: dict[str, Any], expected: object) -> None:
    """Every refusal stands at its field and says what to write instead."""
    assert refusal(check="tool_called", **fields) == expected


def test_an_answer_of_null_is_asked_for_among_values(talk: Any, judge: Any) -> None:
    """Null by itself asks nothing; among values it is one, and nothing else is it."""
    for result, outcome in ((None, "passed"), ("null", "failed"), (0, "failed")):
        evidence = talk("agent: Hi.", tools=(ToolCall(name="cancel", has_result=True, result=result, turn=1),))
        assert judge(evidence, check="tool_called", name="cancel", result={"any_of": [None]})[0] == outcome
