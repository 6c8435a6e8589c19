"""One vocabulary from two dialects: roles, tools, grades, money; and nothing made up where the service was silent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn
from planner.evidence import Evidence, Role, evidence_digest, merged
from planner.evidence.from_wire import evidence_from_wire

RUN = {"id": 7110, "status": "completed", "call_id": 987, "charge_multiplier": 2}
CALL = {"call_id": 987, "status": "completed", "duration_seconds": 54, "billing_total_cents": 16, "product": "spark"}


def evidence(
    run: dict[str, Any] | None = None,
    call: dict[str, Any] | None = CALL,
    transcript: list[dict[str, Any]] | None = None,
    history: list[dict[str, Any]] | None = None,
    grade: dict[str, Any] | None = None,
) -> Evidence:
    return evidence_from_wire(
        WireRun.model_validate({**RUN, **(run or {})}),
        None if call is None else (WireCall.model_validate(call), call),
        None if transcript is None else [WireTurn.model_validate(turn) for turn in transcript],
        history,
        None if grade is None else WireGrade.model_validate(grade),
    )


PAGE_TRANSCRIPT: list[dict[str, Any]] = [
    {"role": "agent", "content": "Hello.", "start_ms": 100, "end_ms": 900, "ttfa_ms": 420},
    {"role": "user", "content": "Where is order 17?", "start_ms": 1200, "end_ms": 2000.4},
    {
        "role": "tool_call",
        "content": {"name": "lookup_order", "arguments": {"order_id": "17"}},
        "content_type": "application/json",
        "start_ms": 2100,
    },
    {"role": "tool_response", "content": {"status": "shipped"}},
    {"role": "agent", "content": "On its way.", "start_ms": 2600, "end_ms": 3400},
]


def test_a_whole_run_of_the_page_dialect() -> None:
    """Everything the service tells, as it is stored."""
    grade = {"status": "completed", "score": 0.87, "call_outcome": "success", "goal_achievement": "achieved"}
    told = evidence(
        {"error_message": "", "estimated_cost_cents": 32},
        {**CALL, "end_reason": "agent_end", "transfer_destination": "", "recording_url": "https://x/?sig=1"},
        PAGE_TRANSCRIPT,
        None,
        {**grade, "detected_issues": [{"severity": "CRITICAL"}, {"severity": "minor"}, "odd"], "summary": "Fine."},
    )
    assert json.loads(told.to_bytes()) == snapshot(
        {
            "schema_version": "1.0",
            "run_id": 7110,
            "run_status": "completed",
            "error_message": "",
            "call": {
                "call_id": 987,
                "status": "completed",
                "end_reason": "agent_end",
                "duration_seconds": 54.0,
                "product": "spark",
                "transferred_to": None,
                "document": {
                    "call_id": 987,
                    "status": "completed",
                    "duration_seconds": 54,
                    "billing_total_cents": 16,
                    "product": "spark",
                    "end_reason": "agent_end",
                    "transfer_destination": "",
                },
            },
            "turns": [
                {"number": 1, "role": "agent", "text": "Hello.", "start_ms": 100, "end_ms": 900, "ttfa_ms": 420},
                {
                    "number": 2,
                    "role": "caller",
                    "text": "Where is order 17?",
                    "start_ms": 1200,
                    "end_ms": 2000,
                    "ttfa_ms": None,
                },
                {
                    "number": 3,
                    "role": "tool",
                    "text": 'lookup_order({"order_id":"17"})',
                    "start_ms": 2100,
                    "end_ms": None,
                    "ttfa_ms": None,
                },
                {
                    "number": 4,
                    "role": "tool",
                    "text": '{"status":"shipped"}',
                    "start_ms": None,
                    "end_ms": None,
                    "ttfa_ms": None,
                },
                {
                    "number": 5,
                    "role": "agent",
                    "text": "On its way.",
                    "start_ms": 2600,
                    "end_ms": 3400,
                    "ttfa_ms": None,
                },
            ],
            "tools": [
                {
                    "name": "lookup_order",
                    "arguments": {"order_id": "17"},
                    "has_result": True,
                    "result": {"status": "shipped"},
                    "turn": 3,
                    "start_ms": 2100,
                }
            ],
            "grade": {
                "status": "completed",
                "score": 0.87,
                "outcome": "success",
                "goal": "achieved",
                "issues": 3,
                "critical_issues": None,
                "summary": "Fine.",
            },
            "cost_cents": 16,
            "cost_basis": "call",
            "service_estimate_cents": 32,
            "redacted": [],
        }
    )


def test_evidence_survives_storage() -> None:
    """Read back, it is the same, and goes by the same name; fields of a later version are ignored."""
    told = evidence(transcript=PAGE_TRANSCRIPT)
    document = told.to_bytes()
    again = Evidence.model_validate_json(document)
    assert again == told
    assert evidence_digest(again.to_bytes()) == evidence_digest(document)
    later = {**json.loads(document), "schema_version": "1.7", "mood": "sunny"}
    assert Evidence.model_validate(later).run_id == 7110
    assert (again.call_id, again.duration_seconds) == (987, 54.0)


# Roles


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("agent", Role.AGENT),
        ("assistant", Role.AGENT),
        ("ASSISTANT", Role.AGENT),
        ("user", Role.CALLER),
        ("caller", Role.CALLER),
        ("tool_call", Role.TOOL),
        ("function_call", Role.TOOL),
        ("tool_response", Role.TOOL),
        ("tool", Role.TOOL),
    ],
)
def test_every_name_of_a_speaker_is_understood(role: str, expected: Role) -> None:
    """The agent under test is one, however it is called; so is the test bot."""
    turns = evidence(transcript=[{"role": role, "content": "x"}]).turns
    assert turns is not None
    assert [turn.role for turn in turns] == [expected]


def test_turns_of_nobody_are_left_out_and_the_others_counted() -> None:
    """Numbers count what reports show."""
    turns = evidence(
        transcript=[
            {"role": "system", "content": "Be nice."},
            {"role": "agent", "content": "Hi"},
            {"role": None, "content": "?"},
            {"role": "user", "content": {"text": "Hi"}},
            {"content": "?"},
        ]
    ).turns
    assert turns is not None
    assert [(turn.number, turn.text) for turn in turns] == [(1, "Hi"), (2, '{"text":"Hi"}')]


def test_no_transcript_an_empty_one_and_one_not_understood() -> None:
    """Nobody spoke only where the service says so."""
    assert evidence(transcript=None).turns is None
    assert evidence(transcript=[]).turns == ()
    assert evidence(transcript=[{"role": "narrator", "content": "Once"}]).turns is None


# Tools


def tools_of(**wire: Any) -> Any:
    tools = evidence(**wire).tools
    return None if tools is None else [(tool.name, tool.arguments, tool.has_result, tool.result) for tool in tools]


def test_results_answer_the_earliest_call_without_one() -> None:
    """In pairs, nested or one after the other; a result too many answers nothing."""
    transcript = [
        {"role": "tool_call", "content": {"name": "a"}},
        {"role": "tool_call", "content": '{"name": "b", "arguments": "{\\"x\\": 1}"}'},
        {"role": "tool_response", "content": "null"},
        {"role": "tool_response", "content": "plain words"},
        {"role": "tool_response", "content": 3},
        {"role": "tool_call", "content": {"name": "c", "arguments": ["odd"]}},
    ]
    assert tools_of(transcript=transcript) == [
        ("a", {}, True, None),
        ("b", {"x": 1}, True, "plain words"),
        ("c", {}, False, None),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"name": "a", "arguments": {"x": 1}}, ("a", {"x": 1})),
        ({"function": {"name": "a", "arguments": '{"x": 1}'}}, ("a", {"x": 1})),
        ('{"name": "a"}', ("a", {})),
        ("lookup", ("lookup", {})),
        ({"arguments": {"x": 1}}, ("unknown", {"x": 1})),
        (["a"], ("['a']", {})),
        (None, ("unknown", {})),
    ],
    ids=str,
)
def test_a_tool_call_in_any_shape(content: Any, expected: tuple[str, dict[str, Any]]) -> None:
    """An object, an object in a string, a chat model's function, or whatever else came."""
    (tool,) = tools_of(transcript=[{"role": "tool_call", "content": content}])
    assert tool[:2] == expected


def test_the_history_tells_of_tools_that_the_transcript_does_not() -> None:
    """One dialect's transcript holds speech only; a transcript that has tools is believed."""
    spoken = [{"role": "agent", "content": "Hi"}]
    history: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "a", "arguments": '{"x": 1}'}}]},
        {"role": "tool", "content": '{"ok": true}'},
        {"type": "function_call", "name": "b", "arguments": "{}"},
        {"type": "function_call_output", "output": "done"},
        {"role": "tool_call", "content": {"name": "c"}, "start_ms": 12.6},
        {"role": "user", "content": "Bye", "tool_calls": "none"},
    ]
    expected = [("a", {"x": 1}, True, {"ok": True}), ("b", {}, True, "done"), ("c", {}, False, None)]
    assert tools_of(transcript=spoken, history=history) == expected
    assert tools_of(transcript=None, history=history) == expected
    assert tools_of(transcript=[{"role": "tool_call", "content": {"name": "z"}}], history=history) == [
        ("z", {}, False, None)
    ]
    tools = evidence(history=history).tools
    assert tools is not None
    assert [(tool.turn, tool.start_ms) for tool in tools] == [(None, None), (None, None), (None, 13)]


def test_no_tools_is_known_only_from_the_history() -> None:
    """A transcript without tool turns does not say that none was called."""
    assert tools_of(transcript=[{"role": "agent", "content": "Hi"}]) is None
    assert tools_of(transcript=[{"role": "agent", "content": "Hi"}], history=[]) == []
    assert tools_of() is None


# Grades


@pytest.mark.parametrize(
    ("score", "in_percent", "expected"),
    [
        (0.87, False, 0.87),
        (1.0, False, 1.0),
        (0.0, False, 0.0),
        (0, True, 0.0),
        (87, True, 0.87),
        (100, True, 1.0),
        (87.5, True, 0.875),
        (1, True, 0.01),
        (1, False, None),
        (" 1 ", False, None),
        (1.0, True, None),
        (1.5, False, None),
        (101, True, None),
        (-1, True, None),
        (None, False, None),
    ],
)
def test_scores_are_shares(score: Any, in_percent: bool, expected: float | None) -> None:
    """0.0 to 1.0 in one dialect, whole percent in the other; a 1 that another program may have made of 1.0 is neither."""
    call = {**CALL, "collected_values": {}} if in_percent else CALL
    told = evidence(call=call, grade={"status": "completed", "score": score}).grade
    assert told is not None
    assert told.score == expected


@pytest.mark.parametrize(("repeated", "expected"), [(100, 1.0), (0.01, 0.01), (1, None), (None, None)])
def test_a_score_of_one_is_told_by_the_call_that_repeats_it(repeated: float | None, expected: float | None) -> None:
    """On the other scale, where it does."""
    told = evidence(call={**CALL, "grade_score": repeated}, grade={"status": "completed", "score": 1}).grade
    assert told is not None
    assert told.score == expected


def test_the_call_completes_what_the_grade_does_not_tell() -> None:
    """Both repeat the same; the grade goes first."""
    call = {**CALL, "grade_status": "completed", "grade_score": 40, "issue_count": 2, "critical_issue_count": 1}
    call |= {"call_outcome": "failure", "goal_achievement": "missed"}
    told = evidence(call=call, grade={"status": "completed", "score": 0.5, "call_outcome": "success"}).grade
    assert told is not None
    assert (told.score, told.outcome, told.goal, told.issues, told.critical_issues) == (0.5, "success", "missed", 2, 1)
    told = evidence(call=call).grade
    assert told is not None
    assert (told.status, told.score, told.outcome, told.issues, told.summary) == ("completed", 0.4, "failure", 2, None)
    told = evidence(call=None, grade={}).grade
    assert told is not None
    assert (told.status, told.score, told.issues, told.critical_issues) == ("unknown", None, None, None)


def test_an_unfinished_grade_tells_nothing_yet() -> None:
    """No issues found so far are not no issues."""
    pending = {"status": "pending", "call_outcome": "unknown", "detected_issues": [], "score": None}
    for told in (
        evidence(call={**CALL, "grade_status": "pending", "issue_count": 0}).grade,
        evidence(call={**CALL, "issue_count": 0}, grade=pending).grade,
    ):
        assert told is not None
        assert told.model_dump(exclude_none=True) == {"status": "pending"}


def test_no_grade_is_none() -> None:
    """Neither asked for nor told of."""
    assert evidence().grade is None
    assert evidence(call=None).grade is None


# Money


@pytest.mark.parametrize(
    ("run", "call", "charged_cents", "bill"),
    [
        ({}, {"billing_total_cents": 8}, None, (8, "call")),
        ({"charge_multiplier": 3}, {"billing_total_cents": 8}, None, (8, "call")),
        ({}, {"billing_total_cents": 7.5}, None, (8, "call")),
        ({}, {"billing_total_cents": "7.9"}, None, (8, "call")),
        ({}, {"billing_total_cents": 0}, None, (0, "call")),
        ({}, {"billing_total_cents": None}, None, (None, None)),
        ({}, {}, None, (None, None)),
        ({}, None, None, (None, None)),
        ({"call_id": None, "status": "failed"}, None, None, (0, None)),
        ({"call_id": None, "status": "completed"}, None, None, (None, None)),
        ({"status": "failed"}, {"billing_total_cents": 8}, None, (8, "call")),
        ({}, {"billing_total_cents": -8}, None, (None, None)),
        ({}, {"billing_total_cents": 2**62}, None, (2**62, "call")),
        ({}, {"billing_total_cents": 8}, 16, (16, "transaction")),
        ({}, {"billing_total_cents": 8}, 0, (0, "transaction")),
        ({}, {}, 16, (16, "transaction")),
        ({}, None, 16, (16, "transaction")),
    ],
    ids=str,
)
def test_a_run_costs_what_its_transactions_say_or_else_its_call(
    run: dict[str, Any],
    call: dict[str, Any] | None,
    charged_cents: int | None,
    bill: tuple[int | None, str | None],
) -> None:
    """As they stand: nothing is multiplied."""
    document = None if call is None else {**{key: CALL[key] for key in CALL if key != "billing_total_cents"}, **call}
    wire = None if document is None else (WireCall.model_validate(document), document)
    told = evidence_from_wire(WireRun.model_validate({**RUN, **run}), wire, None, None, None, charged_cents)
    assert (told.cost_cents, told.cost_basis) == bill


def test_a_transaction_outlives_a_later_reading_of_the_call() -> None:
    """What the account was charged is known once and for all, until transactions say otherwise."""

    def told(charged_cents: int | None, call_cents: int | None) -> Evidence:
        document = {**CALL, "billing_total_cents": call_cents}
        wire = WireCall.model_validate(document), document
        return evidence_from_wire(WireRun.model_validate(RUN), wire, None, None, None, charged_cents)

    pairs = [
        (told(16, 8), told(None, 8)),
        (told(None, 8), told(16, 8)),
        (told(16, 8), told(24, 8)),
        (told(None, 8), told(None, None)),
    ]
    bills = [(both.cost_cents, both.cost_basis) for both in (merged(older, newer) for older, newer in pairs)]
    assert bills == [(16, "transaction"), (16, "transaction"), (24, "transaction"), (8, "call")]


def test_without_a_call_there_is_no_call() -> None:
    """A run that failed before it, or whose call cannot be read."""
    told = evidence({"call_id": None, "status": "failed", "error_message": "No carrier."}, None)
    assert (told.call, told.call_id, told.duration_seconds) == (None, None, None)
    assert (told.run_status, told.error_message) == ("failed", "No carrier.")
    assert evidence(call=None).call is None
    assert evidence({"error_message": None}).error_message == ""


def test_a_call_that_tells_little() -> None:
    """Its status is then unknown, and the rest is missing, not empty."""
    told = evidence(call={}).call
    assert told is not None
    assert told.model_dump() == {
        "call_id": 987,
        "status": "unknown",
        "end_reason": None,
        "duration_seconds": None,
        "product": None,
        "transferred_to": None,
        "document": {},
    }


def test_signed_addresses_are_never_stored() -> None:
    """At no depth: they are credentials."""
    call = {
        **CALL,
        "recording_url": "https://x/?sig=1",
        "metadata": {"Audio_URL": "https://x/?sig=1", "kept": [{"signedUrl": "https://x/?sig=1", "page": 2}, "plain"]},
    }
    told = evidence(call=call).call
    assert told is not None
    assert "sig=1" not in told.model_dump_json()
    assert told.document["metadata"] == {"kept": [{"page": 2}, "plain"]}
    assert "recording_url" in call  # what was received is not touched


# Whatever is sent

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ROLES = st.sampled_from(["agent", "user", "tool_call", "tool_response", "tool", "assistant", "x"]) | st.none()
ITEM = st.fixed_dictionaries(
    {"role": ROLES, "content": JSON},
    optional={"tool_calls": JSON, "name": JSON, "arguments": JSON, "output": JSON, "type": ROLES, "start_ms": JSON},
)


@given(
    turns=st.lists(st.fixed_dictionaries({"role": ROLES, "content": JSON}), max_size=5),
    history=st.lists(ITEM, max_size=5),
)
def test_no_transcript_and_no_history_break_it(turns: list[dict[str, Any]], history: list[dict[str, Any]]) -> None:
    """Whatever JSON comes becomes evidence that can be stored; nobody's words get lost."""
    told = evidence(transcript=turns, history=history)
    assert Evidence.model_validate_json(told.to_bytes()).run_id == 7110
    known = [turn for turn in turns if turn["role"] not in ("x", None)]
    assert len(told.turns or ()) == len(known)
    assert [turn.number for turn in told.turns or ()] == list(range(1, len(known) + 1))


def test_who_graded_and_which_variant_answered_is_kept() -> None:
    """As the service names them; what is no name is none, and what is not told is not stored."""
    told = evidence(
        call={**CALL, "agent_variant_id": 7, "agent_variant_label": "B"},
        grade={"status": "completed", "score": 0.5, "grader_model": "g-1", "grader_version": 3},
    )
    assert told.grade is not None
    assert told.call is not None
    assert (told.grade.grader_model, told.grade.grader_version) == ("g-1", "3")
    assert (told.call.variant_id, told.call.variant_label) == (7, "B")
    odd = evidence(
        call={**CALL, "agent_variant_id": True, "agent_variant_label": {}},
        grade={"status": "completed", "grader_version": []},
    )
    assert odd.grade is not None
    assert odd.call is not None
    assert (odd.grade.grader_version, odd.call.variant_id, odd.call.variant_label) == (None, None, None)
    stored = json.loads(odd.to_bytes())
    assert {"grader_model", "grader_version"}.isdisjoint(stored["grade"])
    assert {"variant_id", "variant_label"}.isdisjoint(stored["call"])
