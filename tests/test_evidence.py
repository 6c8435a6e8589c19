"""Tests of evidence from both dialects of the service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.evidence import Evidence, Role, evidence_digest, merged, missing_parts, too_large
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireRun, WireTurn

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
        WireRun.model_validate({**RUN, **(run or {})}).plain(),
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


def test_secrets_of_a_tool_snapshot() -> None:
    """A call shows the agent's tools, with their headers."""
    tools = [{"name": "lookup", "headers": {"Authorization": "Bearer hunter2"}}]
    parsed = evidence(call={**CALL, "tool_snapshot": tools})
    assert "lookup" in parsed.model_dump_json()
    assert "hunter2" not in parsed.model_dump_json()


def test_a_complete_run() -> None:
    """As it is stored."""
    grade = {"status": "completed", "score": 0.87, "call_outcome": "success", "goal_achievement": "achieved"}
    parsed = evidence(
        {"error_message": "", "estimated_cost_cents": 32},
        {**CALL, "end_reason": "agent_end", "transfer_destination": "", "recording_url": "https://x/?sig=1"},
        PAGE_TRANSCRIPT,
        None,
        {**grade, "detected_issues": [{"severity": "CRITICAL"}, {"severity": "minor"}, "strange"], "summary": "Fine."},
    )
    assert json.loads(parsed.to_bytes()) == snapshot(
        {
            "schema_version": "2.0",
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
                "variant_id": None,
                "variant_label": None,
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
                    "has_arguments": True,
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
                "outcome_reasoning": None,
                "goal_reasoning": None,
                "rubric": [],
                "titles": [{"title": "strange", "severity": None}],
                "grader_model": None,
                "grader_version": None,
            },
            "cost_cents": 16,
            "cost_basis": "call",
            "bill_pending": False,
            "service_estimate_cents": 32,
            "redacted": [],
            "unread": [],
        }
    )


def test_stored_evidence_is_read_back() -> None:
    """With the same digest; unknown fields are ignored."""
    parsed = evidence(transcript=PAGE_TRANSCRIPT)
    document = parsed.to_bytes()
    again = Evidence.model_validate_json(document)
    assert again == parsed
    assert evidence_digest(again.to_bytes()) == evidence_digest(document)
    later = {**json.loads(document), "schema_version": "2.7", "mood": "sunny"}
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
def test_names_of_speakers(role: str, expected: Role) -> None:
    """Of both dialects."""
    turns = evidence(transcript=[{"role": role, "content": "x"}]).turns
    assert turns is not None
    assert [turn.role for turn in turns] == [expected]


def test_missing_empty_and_unreadable_transcripts() -> None:
    """Only an empty one means that nobody spoke."""
    assert evidence(transcript=None).turns is None
    assert evidence(transcript=[]).turns == ()
    assert evidence(transcript=[{"role": "narrator", "content": "Once"}]).turns is None


# Tools


def tools_of(**wire: Any) -> Any:
    tools = evidence(**wire).tools
    return None if tools is None else [(tool.name, tool.arguments, tool.has_result, tool.result) for tool in tools]


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
def test_shapes_of_tool_calls(content: Any, expected: tuple[str, dict[str, Any]]) -> None:
    """An object, JSON text, or a chat model's function."""
    (tool,) = tools_of(transcript=[{"role": "tool_call", "content": content}])
    assert tool[:2] == expected


def test_tools_from_the_history() -> None:
    """If the transcript has none."""
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
def test_scores_run_from_0_to_1(score: Any, in_percent: bool, expected: float | None) -> None:
    """In both dialects; an ambiguous 1 is unknown."""
    call = {**CALL, "collected_values": {}} if in_percent else CALL
    parsed = evidence(call=call, grade={"status": "completed", "score": score}).grade
    assert parsed is not None
    assert parsed.score == expected


@pytest.mark.parametrize(
    ("score", "in_percent", "outcome", "goal", "expected"),
    [
        (1, False, "success", "achieved", 1.0),
        (1, False, " Success ", None, 1.0),
        (1, False, None, "achieved", 1.0),
        (1, False, "failure", "missed", 0.01),
        (1, False, "no_conversation", None, 0.01),
        (1, False, "success", "missed", None),
        (1, False, "unknown", "no_opportunity", None),
        (1.0, False, "failure", None, 1.0),
        (1, True, "failure", None, 0.01),
        (1, True, "success", None, None),
        (1.0, True, "success", None, 1.0),
    ],
)
def test_a_score_of_1_is_clear_by_its_outcome(
    score: Any, in_percent: bool, outcome: str | None, goal: str | None, expected: float | None
) -> None:
    """Where neither the number's type nor another score says out of what it is."""
    call = {**CALL, "collected_values": {}} if in_percent else CALL
    grade = {"status": "completed", "score": score, "call_outcome": outcome, "goal_achievement": goal}
    parsed = evidence(call=call, grade=grade).grade
    assert parsed is not None
    assert parsed.score == expected


def test_the_call_completes_the_grade() -> None:
    """The grade wins."""
    call = {**CALL, "grade_status": "completed", "grade_score": 40, "issue_count": 2, "critical_issue_count": 1}
    call |= {"call_outcome": "failure", "goal_achievement": "missed"}
    parsed = evidence(call=call, grade={"status": "completed", "score": 0.5, "call_outcome": "success"}).grade
    assert parsed is not None
    assert (parsed.score, parsed.outcome, parsed.goal, parsed.issues, parsed.critical_issues) == (
        0.5,
        "success",
        "missed",
        2,
        1,
    )
    parsed = evidence(call=call).grade
    assert parsed is not None
    assert (parsed.status, parsed.score, parsed.outcome, parsed.issues, parsed.summary) == (
        "completed",
        0.4,
        "failure",
        2,
        None,
    )
    parsed = evidence(call=None, grade={}).grade
    assert parsed is not None
    assert (parsed.status, parsed.score, parsed.issues, parsed.critical_issues) == ("unknown", None, None, None)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"outcome_reasoning": "Nobody\n was helped."}, {"outcome_reasoning": "Nobody was helped."}),
        ({"goal_reasoning": " "}, {}),
        ({"goal_reasoning": ["x"], "rubric_breakdown": 3, "detected_issues": {"a": 1}}, {}),
        (
            {"detected_issues": [{"title": "Rude", "severity": "critical"}, {"description": "Late"}, "Loud", {}, 4, {"title": 7}]},
            {"issues": 6, "titles": [("Rude", "critical"), ("Late", None), ("Loud", None)]},
        ),
        ({"rubric_breakdown": {"tone": 0.5, "facts": {"score": 1, "reasoning": "All right."}}}, {"rubric": ("tone 0.5", "facts 1: All right.")}),
        (
            {"rubric_breakdown": [{"criterion": "tone", "reason": "Cold."}, {"x": 1}, []]},
            {"rubric": ("tone: Cold.",)},
        ),
    ],
)  # fmt: skip
def test_what_the_grader_says(fields: dict[str, Any], kept: dict[str, Any]) -> None:
    """Of a form that the service does not document: what is not read as words costs nothing else."""
    parsed = evidence(call=CALL, grade={"status": "completed", "score": 0.5, **fields}).grade
    assert parsed is not None
    names = ("outcome_reasoning", "goal_reasoning", "rubric", "issues")
    found = {name: value for name in names if (value := getattr(parsed, name))}
    if parsed.titles:
        found["titles"] = [(issue.title, issue.severity) for issue in parsed.titles]
    assert (parsed.score, found) == (0.5, kept)


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
        ({}, {"billing_total_cents": 1_000_000}, None, (1_000_000, "call")),
        ({}, {"billing_total_cents": 1_000_001}, None, (None, None)),
        ({}, {"billing_total_cents": 10**400}, None, (None, None)),
        ({}, {"billing_total_cents": 8}, 16, (16, "transaction")),
        ({}, {"billing_total_cents": 8}, 0, (0, "transaction")),
        ({}, {}, 16, (16, "transaction")),
        ({}, None, 16, (16, "transaction")),
    ],
    ids=str,
)
def test_transactions_are_the_bill_or_else_the_call(
    run: dict[str, Any], call: dict[str, Any] | None, charged_cents: int | None, bill: tuple[int | None, str | None]
) -> None:
    """Without a multiplier."""
    document = None if call is None else {**{key: CALL[key] for key in CALL if key != "billing_total_cents"}, **call}
    wire = None if document is None else (WireCall.model_validate(document), document)
    parsed = evidence_from_wire(WireRun.model_validate({**RUN, **run}).plain(), wire, None, None, None, charged_cents)
    assert (parsed.cost_cents, parsed.cost_basis) == bill


def test_a_bill_from_transactions_is_kept() -> None:
    """Until transactions change it."""

    def billed(charged_cents: int | None, call_cents: int | None) -> Evidence:
        document = {**CALL, "billing_total_cents": call_cents}
        wire = WireCall.model_validate(document), document
        return evidence_from_wire(WireRun.model_validate(RUN).plain(), wire, None, None, None, charged_cents)

    pairs = [
        (billed(16, 8), billed(None, 8)),
        (billed(None, 8), billed(16, 8)),
        (billed(16, 8), billed(24, 8)),
        (billed(None, 8), billed(None, None)),
    ]
    bills = [(both.cost_cents, both.cost_basis) for both in (merged(older, newer) for older, newer in pairs)]
    assert bills == [(16, "transaction"), (16, "transaction"), (24, "transaction"), (8, "call")]


@pytest.mark.parametrize("name", ["duration_ms", "duration_seconds"])
def test_a_number_that_nothing_can_be_computed_with_is_missing(name: str) -> None:
    """It does not keep the call from being judged."""
    huge = 10**400
    call = {**CALL, name: huge, "metadata": {"rows": [1, huge], "huge": -huge, "large": 2**64}}
    parsed = evidence(call=call)
    assert parsed.call is not None
    assert name not in parsed.call.document
    assert parsed.call.document["metadata"] == {"rows": [1, None], "large": 2**64}
    assert too_large(parsed) == ""


def test_signed_urls_are_never_stored() -> None:
    """At any depth: they are credentials."""
    call = {
        **CALL,
        "recording_url": "https://x/?sig=1",
        "metadata": {"Audio_URL": "https://x/?sig=1", "kept": [{"signedUrl": "https://x/?sig=1", "page": 2}, "plain"]},
    }
    parsed = evidence(call=call).call
    assert parsed is not None
    assert "sig=1" not in parsed.model_dump_json()
    assert parsed.document["metadata"] == {"kept": [{"page": 2}, "plain"]}
    assert "recording_url" in call  # what was received is not touched


# Any input

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
def test_any_json_becomes_evidence(turns: list[dict[str, Any]], history: list[dict[str, Any]]) -> None:
    """All words are kept."""
    parsed = evidence(transcript=turns, history=history)
    assert Evidence.model_validate_json(parsed.to_bytes()).run_id == 7110
    known = [turn for turn in turns if turn["role"] not in ("x", None)]
    assert len(parsed.turns or ()) == len(known)
    assert [turn.number for turn in parsed.turns or ()] == list(range(1, len(known) + 1))


def test_grader_and_variant_are_kept() -> None:
    """If known."""
    parsed = evidence(
        call={**CALL, "agent_variant_id": 7, "agent_variant_label": "B"},
        grade={"status": "completed", "score": 0.5, "grader_model": "g-1", "grader_version": 3},
    )
    assert parsed.grade is not None
    assert parsed.call is not None
    assert (parsed.grade.grader_model, parsed.grade.grader_version) == ("g-1", "3")
    assert (parsed.call.variant_id, parsed.call.variant_label) == (7, "B")
    unusual = evidence(
        call={**CALL, "agent_variant_id": True, "agent_variant_label": {}},
        grade={"status": "completed", "grader_version": []},
    )
    assert unusual.grade is not None
    assert unusual.call is not None
    assert (unusual.grade.grader_version, unusual.call.variant_id, unusual.call.variant_label) == (None, None, None)
    stored = json.loads(unusual.to_bytes())
    assert (stored["grade"]["grader_model"], stored["call"]["variant_id"]) == (None, None)


def test_a_bill_stays_pending_until_it_is_known() -> None:
    """Also where the call cannot be read the next time; a service that shows no bills has none to wait for."""
    pending = evidence(call={**CALL, "billing_total_cents": None})
    assert "bill" in missing_parts(pending, grade_wanted=False)
    assert "bill" in missing_parts(merged(pending, evidence(call=None)), grade_wanted=False)
    assert "bill" not in missing_parts(merged(pending, evidence()), grade_wanted=False)
    unbilled = {key: value for key, value in CALL.items() if key != "billing_total_cents"}
    assert "bill" not in missing_parts(evidence(call=unbilled), grade_wanted=False)
