"""Calls, transcripts and grades as the two dialects show them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from planner.sandbox.conversation import Conversation, Turn
from planner.sandbox.objects import Object
from planner.sandbox.state.records import Run
from planner.sandbox.state.timeline import has_ended, run_status
from planner.sandbox.wire.requests import Dialect
from planner.sandbox.wire.runs import timestamp
from planner.sandbox.worlds.dialogues import Snapshot


@dataclass(frozen=True, slots=True)
class CallView:
    """A call at a moment. `is_sip_leg`: the inbound call log that the webhook of a `mode: sip` run created."""

    run: Run
    conversation: Conversation
    snapshot: Snapshot
    is_graded: bool
    grade_at: float
    now: float
    is_sip_leg: bool
    bill_cents: int
    """What the call object shows as its bill."""

    @property
    def call_id(self) -> int | None:
        return self.run.sip_call_id if self.is_sip_leg else self.run.call_id


def duration_seconds(run: Run) -> int:
    """Whole seconds of conversation; an answered call has at least one."""
    return max(1, round(run.duration_ms / 1000))


def call(view: CallView, dialect: Dialect) -> Object:
    """The SIP leg is not billed again."""
    run, ended = view.run, has_ended(view.run, view.now)
    ends_at = run.ends_at if run.ends_at is not None else 0.0
    billed = ended and not view.is_sip_leg
    shown: Object = {
        "call_id": view.call_id,
        "agent_id": view.snapshot.agent_id,
        "direction": "inbound" if view.is_sip_leg else run.direction,
        "from_number": run.from_number,
        "to_number": run.to_number,
        "start_time": timestamp(run.starts_at),
        "end_time": timestamp(ends_at) if ended else None,
        "duration_seconds": duration_seconds(run) if ended else None,
        "status": call_status(run, view.now),
        "end_reason": view.conversation.end_reason if ended else None,
        "is_test_call": True,
        "product": view.snapshot.product,
        "voice": view.snapshot.voice,
        "billable_minutes": (run.billable_minutes if billed else 0) if ended else None,
        "billing_total_cents": (view.bill_cents if billed else 0) if ended else None,
        "billed_at": timestamp(ends_at) if billed else None,
        "grade_score": score(view, dialect),
        "grade_status": _grade_status(view) if ended else None,
        "issue_count": len(view.conversation.grade.issues) if view.is_graded else 0,
        "agent_variant_id": view.snapshot.variant_id,
        "agent_variant_label": view.snapshot.variant_label,
        "critical_issue_count": sum(issue.severity == "critical" for issue in view.conversation.grade.issues)
        if view.is_graded
        else 0,
    }
    return shown if dialect == "page" else shown | _client_only(view, ended=ended)


def call_status(run: Run, now: float) -> str:
    """Of the call: it is under way as soon as it exists."""
    status = run_status(run, now)
    return "in_progress" if status == "queued" else status


def score(view: CallView, dialect: Dialect) -> float | int | None:
    """0..1 on the page, whole percent in the client."""
    if not view.is_graded or view.conversation.grade.score is None:
        return None
    return round(view.conversation.grade.score, 2) if dialect == "page" else round(view.conversation.grade.score * 100)


def _grade_status(view: CallView) -> str:
    return "completed" if view.is_graded else "pending"


def _client_only(view: CallView, *, ended: bool) -> Object:
    conversation, grading, graded = view.conversation, view.conversation.grade, view.is_graded
    transferred = conversation.transferred_to if ended else ""
    return {
        "call_outcome": grading.outcome if graded else None,
        "cloud_run_execution_name": None,
        "collected_values": {} if ended else None,
        "consent_evidence": None,
        "extracted_data": None,
        "goal_achievement": grading.goal if graded else None,
        "goal_reasoning": grading.summary if graded else None,
        "grade_updated_at": timestamp(view.grade_at) if graded else None,
        "is_scenario_call": False,
        "is_simulation": True,
        "livekit_room_name": None,
        "livekit_room_sid": None,
        "locale": view.snapshot.primary_language,
        "outbound_dial_state": "answered" if view.run.direction == "inbound" else None,
        "prompt_snapshot": view.snapshot.prompt,
        "recording_mode": "disabled_by_config",
        "recording_policy": None,
        "recording_retention_notice": None,
        "recording_started_at": None,
        "recording_url": None,
        "sip_answered_at": timestamp(view.run.starts_at) if view.is_sip_leg else None,
        "steps_trace": None,
        "summary": grading.summary if graded else "",
        "summary_status": "completed" if graded else "pending",
        "thinking_level": "base",
        "tool_snapshot": [_tool(name, view.snapshot) for name in view.snapshot.tools],
        "transfer_bridge_kind": "warm" if transferred else None,
        "transfer_bridge_seconds": None,
        "transfer_bridge_total_cents": None,
        "transfer_destination": transferred,
        "transfer_outcome": "bridged" if transferred else None,
        "transfer_sip_status": None,
        "unresolved_variables": [],
        "variables": {},
    }


def _tool(name: str, snapshot: Snapshot) -> JsonValue:
    tool = snapshot.tools[name]
    return {"name": name, "description": tool.description, "parameters": dict(tool.parameters)}


def entry(turn: Turn, assistant_role: str) -> Object:
    """A turn with whatever it holds: speech, a tool call, a tool's answer."""
    shown: Object = {
        "role": assistant_role if turn.role == "agent" else turn.role,
        "content": turn.content,
        "start_ms": turn.start_ms,
        "end_ms": turn.end_ms,
    }
    if turn.ttfa_ms is not None:
        shown["ttfa_ms"] = turn.ttfa_ms
    if turn.role in ("tool_call", "tool_response"):
        shown["content_type"] = "application/json"
    return shown


def transcript(turns: tuple[Turn, ...], dialect: Dialect, assistant_role: str) -> list[JsonValue]:
    """The client's transcript entries hold text only, so tools are left to the history there."""
    return [entry(turn, assistant_role) for turn in turns if dialect == "page" or turn.role in ("agent", "user")]


def grade(view: CallView, dialect: Dialect) -> Object:
    grading, graded = view.conversation.grade, view.is_graded
    issues: list[JsonValue] = [
        {"severity": issue.severity, "description": issue.description} for issue in grading.issues
    ]
    rubric: Object = {} if grading.score is None else {"overall": grading.score}
    shown: Object = {
        "status": _grade_status(view),
        "score": score(view, dialect),
        "call_outcome": grading.outcome if graded else "unknown",
        "goal_achievement": grading.goal if graded else None,
        "detected_issues": issues if graded else [],
        "rubric_breakdown": rubric if graded else {},
        "summary": grading.summary if graded else "",
    }
    if dialect == "page":
        return shown
    ends_at = view.run.ends_at if view.run.ends_at is not None else view.now
    extra: Object = {
        "id": view.run.id,
        "call_id": view.call_id,
        "caller_welfare_reasoning": "",
        "caller_welfare_violation": False,
        "created_at": timestamp(ends_at),
        "error_message": None,
        "goal_reasoning": grading.summary if graded else None,
        "graded_at": timestamp(view.grade_at) if graded else None,
        "grader_model": "sandbox-rules",
        "grader_version": "1",
        "outcome_reasoning": grading.summary if graded else "",
        "updated_at": timestamp(view.grade_at if graded else ends_at),
    }
    return shown | extra
