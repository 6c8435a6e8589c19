"""Tests of contradictions between expectations, and of other suspicious content."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import pytest

from planner.checks import CHECKS
from planner.checks.base import Expectation, idle_rate
from planner.checks.judgement import FindingOutcome
from planner.evidence import Evidence, ToolCall

SAYS = {"check": "says", "any_of": ["I guarantee 30 days"]}
CALLED = {"check": "tool_called", "name": "refund"}
NOT_CALLED = {"check": "tool_not_called", "name": "refund"}


def steps(*tools: str) -> dict[str, Any]:
    return {"check": "sequence", "steps": [{"tool": tool} for tool in tools]}


def written(kind: str, /, **fields: Any) -> dict[str, Any]:
    return {"check": kind, **{key.rstrip("_"): value for key, value in fields.items()}}


says, never_says, call, duration = (partial(written, kind) for kind in ("says", "never_says", "call", "duration"))


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (never_says(any_of=["no", "Guarantee"]), SAYS, 'who says "I guarantee 30 days" says "Guarantee"'),
        (
            never_says(all_of=["guarantee", "days"]),
            says(all_of=["we guarantee", "30 days"]),
            'who says "we guarantee" and "30 days" says "guarantee" and "days"',
        ),
        (never_says(matches=r"\bguarantee\b"), SAYS, '"I guarantee 30 days" matches "\\\\bguarantee\\\\b"'),
        (never_says(matches="days?"), says(matches="days?"), 'both are about what matches "days?"'),
        (never_says(who="any", any_of=["30 days"]), {**SAYS, "who": "caller"}, 'who says "I guarantee 30 days" says "30 days"'),
        (never_says(in_="last", any_of=["30 days"]), {**SAYS, "in": "last"}, 'who says "I guarantee 30 days" says "30 days"'),
        (never_says(any_of=["thirty"]), says(any_of=["thirty"]), '"thirty" is wanted and unwanted'),
        (NOT_CALLED, CALLED, "refund must be called and must not be called"),
        (
            {**NOT_CALLED, "arguments": {"id": 1}},
            {**CALLED, "arguments": {"id": 1}, "times": 2},
            "refund must be called and must not be called",
        ),
        ({**CALLED, "times": 1}, {**CALLED, "times": {"min": 2}}, "refund must be called at most 1 time and at least 2 times"),
        (
            {**CALLED, "times": {"min": 0, "max": 2}},
            {**CALLED, "arguments": {"id": 1}, "times": 3},
            "refund must be called at most 2 times and at least 3 times",
        ),
        ({"check": "grade", "goal": "missed"}, {"check": "grade", "goal": "achieved"}, "no grade has both the goal missed and achieved"),
        (call(end_reason="agent_end"), call(end_reason=["transfer", "caller_hangup"]), "no end reason satisfies both"),
        (call(max_turns=3), call(min_turns=4), "no call has at most 3 turns and at least 4"),
        (duration(max_seconds=9.5), duration(min_seconds=10), "no call lasts at most 9.5 s and at least 10 s"),
        (
            call(transferred_to="+1 415 555 0142"),
            call(transferred_to="+14155550143"),
            'no call is transferred to both "+1 415 555 0142" and "+14155550143"',
        ),
        (steps("refund", "mail"), NOT_CALLED, "refund must be called and must not be called"),
    ],
)  # fmt: skip
def test_contradictions_are_found(read: Any, one: dict[str, Any], other: dict[str, Any], why: str) -> None:
    assert read(**one).contradicts(read(**other)) == why
    assert other["check"] in CHECKS[one["check"]].opposes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (never_says(any_of=["guaranteed"]), SAYS),
        (never_says(any_of=["guarantee"]), says(any_of=["guarantee", "promise"])),
        (never_says(any_of=["guarantee"]), {**SAYS, "min_count": 0, "max_count": 2}),
        (never_says(any_of=["guarantee"]), {**SAYS, "who": "any"}),
        (never_says(any_of=["guarantee"], in_="first"), SAYS),
        (never_says(any_of=["guarantee"], ignore_case=False), SAYS),
        (never_says(all_of=["guarantee", "refund"]), SAYS),
        (never_says(matches="^I guarantee"), SAYS),
        (never_says(matches="30 days"), {**SAYS, "spoken": True}),
        (never_says(any_of=["30 days"]), {**SAYS, "spoken": True}),
        (never_says(matches=r"12\.50"), says(any_of=["$12.50"], spoken=True)),
        (never_says(matches="well, known"), says(any_of=["well, known"])),
        (never_says(matches="e-mail"), says(any_of=["e-mail"])),
        (never_says(any_of=["guarantee"]), says(matches="guarantee")),
        (never_says(matches="a"), says(matches="b")),
        (never_says(any_of=["guarantee"]), call(min_turns=1)),
        (NOT_CALLED, {**CALLED, "name": "lookup"}),
        (NOT_CALLED, {**CALLED, "times": {"min": 0, "max": 2}}),
        ({**NOT_CALLED, "before": "verify"}, CALLED),
        (call(status="completed"), call(status="completed", min_turns=2)),
        (call(end_reason="ai_hangup"), call(end_reason=["agent_end"])),
        (call(status="completed"), duration(max_seconds=9)),
        (duration(max_seconds=10), duration(min_seconds=10)),
        (duration(max_seconds=10), SAYS),
        ({**CALLED, "times": 2}, {**CALLED, "times": {"min": 2}}),
        ({**CALLED, "arguments": {"id": 1}, "times": 1}, {**CALLED, "times": 3}),
        ({**CALLED, "arguments": {"id": 1}, "exact": True, "times": 1}, {**CALLED, "arguments": {"id": 1}, "times": 3}),
        ({**CALLED, "result": "ok", "times": 1}, {**CALLED, "times": 3}),
        ({**CALLED, "after": "verify", "times": 1}, {**CALLED, "times": 3}),
        ({**CALLED, "times": 1}, {**CALLED, "name": "lookup", "times": 3}),
        ({**NOT_CALLED, "before": "x"}, {"check": "tool_called", "name": "mail", "after": "refund"}),
        (NOT_CALLED, {"check": "tool_called", "name": "mail", "before": "refund"}),
        ({"check": "cost", "max_cents": 10}, SAYS),
        (call(max_turns=5), call(min_turns=5)),
        (call(transferred_to="+1 415 555 0142"), call(transferred_to="+14155550142")),
        (call(transferred_to="+14155550142"), call(end_reason="agent_end")),
        (steps("refund", "mail"), {**NOT_CALLED, "after": "mail"}),
        (steps("refund", "mail"), {**NOT_CALLED, "before": "mail"}),
        (steps("mail", "refund"), {**NOT_CALLED, "arguments": {"id": 1}}),
        (steps("refund", "mail"), call(status="completed")),
        (never_says(matches=r"(?i)\w+ guarantee"), says(any_of=["guarantee"])),
        (never_says(matches=r"(?i)\bx\b"), says(any_of=["guarantee"])),
    ],
)
def test_compatible_expectations_do_not_contradict(read: Any, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Other speaker, turns, case or arguments: both can hold."""
    assert read(**one).contradicts(read(**other)) == ""
    assert read(**other).contradicts(read(**one)) == ""


def test_no_call_satisfies_both_sides_of_a_contradiction(read: Any, talk: Any) -> None:
    """Checked on every order of up to four calls of two tools."""
    ways: list[dict[str, Any]] = [{}, {"after": "b"}, {"before": "b"}]
    asked = [
        {"check": "tool_called", "name": "a", **way, "times": times} for way in ways for times in (1, 2, {"min": 2})
    ]
    asked += [{"check": "tool_not_called", "name": "a", **way} for way in ways]
    asked += [
        {"check": kind, "name": "b", key: "a"}
        for kind in ("tool_called", "tool_not_called")
        for key in ("after", "before")
    ]
    asked += [steps(*row) for size in (2, 3) for row in product("ab", repeat=size)]
    calls = [row for size in range(5) for row in product("ab", repeat=size)]
    heard = [
        talk("agent: Hi.", *["tool: x"] * 4, "caller: Hi.", tools=tuple(ToolCall(name=tool, arguments={}, turn=turn) for turn, tool in enumerate(row, start=2)))
        for row in calls
    ]  # fmt: skip
    wrong = _wrong_contradictions([read(**fields) for fields in asked], heard)
    assert (wrong[0] > 30, wrong[1]) == (True, [])


def _wrong_contradictions(
    asked: list[Expectation], heard: list[Evidence]
) -> tuple[int, list[tuple[Expectation, Expectation]]]:
    """The number of contradictions, and those that some call satisfies."""
    satisfied = [
        {number for number, call in enumerate(heard) if one.judge(call).outcome is FindingOutcome.PASSED}
        for one in asked
    ]
    pairs = [
        (one, other)
        for one, other in product(range(len(asked)), repeat=2)
        if asked[one].contradicts(asked[other])
    ]  # fmt: skip
    return len(pairs), [(asked[one], asked[other]) for one, other in pairs if satisfied[one] & satisfied[other]]


@pytest.mark.parametrize("severity", ["critical", "warning", "error"])
def test_a_rate_has_no_effect_beside_another_severity(severity: str) -> None:
    """Only an expectation of severity error has a pass rate."""
    lints = idle_rate({"severity": severity, "min_pass_rate": 0.9})
    found = [(lint.route, lint.code) for lint in lints]
    assert found == ([] if severity == "error" else [(("min_pass_rate",), "idle-rate")])
    assert not idle_rate({"severity": severity})
    assert not idle_rate({"severity": severity, "min_pass_rate": None})


def test_a_mistyped_end_reason_is_a_near_miss(read: Any) -> None:
    """The service may have other reasons, so only near misses are reported."""
    near = {"transfered": "transfer", "caller-hangup": "caller_hangup", "Timeout": "timeout", "timed out": "timeout"}
    for word in (*near, "agent_end", "user_hangup", "voicemail", "max_duration", "no_answer", "x" * 5_000):
        lints = read(check="call", end_reason=["error", word]).lints()
        assert [(lint.code, lint.route) for lint in lints] == [("near-miss", ("end_reason", 1))] * (word in near)
        assert all(f"`{near[word]}`" in lint.why for lint in lints)
    assert [lint.route for lint in read(check="call", end_reason="errors").lints()] == [("end_reason",)]


def test_opposes_lists_the_kinds_that_contradict() -> None:
    telling = {name for name, kind in CHECKS.items() if kind.contradicts is not Expectation.contradicts}
    assert telling == {name for name, kind in CHECKS.items() if kind.opposes}
    assert all(name in CHECKS for kind in CHECKS.values() for name in kind.opposes)


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"any_of": ["30 days", "30, days!"]}, [("any_of", 1)]),
        ({"all_of": ["bye", "Bye"]}, [("all_of", 1)]),
        ({"all_of": ["bye", "Bye"], "ignore_case": False}, []),
        ({"any_of": ["thirty days", "30 days"]}, []),
        ({"any_of": ["30 days", "thirty days", "30-Days"]}, [("any_of", 2)]),
        ({"any_of": ["nine thirty", "930"], "spoken": True}, []),
        ({"any_of": ["thirty days", "30 days"], "spoken": True}, [("any_of", 1)]),
    ],
)
def test_a_redundant_phrase_is_reported(read: Any, fields: dict[str, Any], places: list[tuple[str, int]]) -> None:
    """By the words that are compared."""
    lints = read(check="says", **fields).lints()
    assert [(lint.route, lint.code) for lint in lints] == [(place, "duplicate-item") for place in places]
    assert not read(check="call", min_turns=1).lints()
    assert not read(check="cost", max_cents=1).lints()
