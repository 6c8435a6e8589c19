"""Calls, transcripts and grades as the two dialects show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, JsonValue

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversation import Turn as Spoken
from planner.sandbox.state.records import Direction, Run
from planner.sandbox.state.timeline import has_ended, run_status
from planner.sandbox.wire.answers import ABSENT, Answer, Count, Dialect, Fields, Id, Listed, Moment, shared
from planner.sandbox.worlds.dialogues import Issue, Snapshot

Outcome = Literal["success", "failure", "unknown", "no_conversation"]
Goal = Literal["achieved", "missed", "no_opportunity"]
Progress = Literal["pending", "completed"]


class Call(Answer):
    call_id: Id
    agent_id: Id
    direction: Direction
    from_number: str
    to_number: str
    start_time: Moment
    end_time: Moment | None
    duration_seconds: Count | None
    status: Literal["in_progress", "completed", "failed"]
    end_reason: str | None
    is_test_call: bool = True
    product: str
    voice: str
    billable_minutes: Count | None
    billing_total_cents: Count | None
    billed_at: Moment | None
    grade_score: float | None
    grade_status: Progress | None
    issue_count: Count
    agent_variant_id: Id | None
    agent_variant_label: str | None
    critical_issue_count: Count


class Tool(Answer):
    name: str
    description: str
    parameters: dict[str, str]


class ClientCall(Call):
    grade_score: int | None  # pyright: ignore[reportIncompatibleVariableOverride] - whole percent
    call_outcome: Outcome | None
    cloud_run_execution_name: None = None
    collected_values: dict[str, str] | None
    consent_evidence: None = None
    extracted_data: None = None
    goal_achievement: Goal | None
    goal_reasoning: str | None
    grade_updated_at: Moment | None
    is_scenario_call: bool = False
    is_simulation: bool = True
    livekit_room_name: None = None
    livekit_room_sid: None = None
    locale: str
    outbound_dial_state: str | None
    prompt_snapshot: str
    recording_mode: str = "disabled_by_config"
    recording_policy: None = None
    recording_retention_notice: None = None
    recording_started_at: None = None
    recording_url: None = None
    sip_answered_at: Moment | None
    steps_trace: None = None
    summary: str
    summary_status: Progress
    thinking_level: str = "base"
    tool_snapshot: list[Tool]
    transfer_bridge_kind: str | None
    transfer_bridge_seconds: None = None
    transfer_bridge_total_cents: None = None
    transfer_destination: str
    transfer_outcome: str | None
    transfer_sip_status: None = None
    unresolved_variables: tuple[str, ...] = ()
    variables: dict[str, str] = Field(default={})


class Calls(Listed):
    results: list[Call]


class ClientCalls(Listed):
    results: list[ClientCall]


class Grade(Answer):
    status: Progress
    score: float | None = Field(ge=0, le=1)
    call_outcome: Outcome
    goal_achievement: Goal | None
    detected_issues: list[Issue]
    rubric_breakdown: dict[str, float]
    summary: str


class ClientGrade(Grade):
    score: int | None = Field(ge=0, le=100)  # pyright: ignore[reportIncompatibleVariableOverride] - whole percent
    id: Id
    call_id: Id
    caller_welfare_reasoning: str = ""
    caller_welfare_violation: bool = False
    created_at: Moment
    error_message: None = None
    goal_reasoning: str | None
    graded_at: Moment | None
    grader_model: str = "sandbox-script"
    grader_version: str = "1"
    outcome_reasoning: str
    updated_at: Moment


class Turn(Answer):
    """Agent turns have `ttfa_ms`, tool calls and their answers `content_type`."""

    role: Literal["agent", "assistant", "user", "tool_call", "tool_response"]
    content: JsonValue
    start_ms: Count
    end_ms: Count
    ttfa_ms: Count | None = ABSENT
    content_type: Literal["application/json"] | None = ABSENT


class Transcript(Answer):
    call_id: Id
    transcripts: list[Turn]


class Audio(Answer):
    url: str


@dataclass(frozen=True, slots=True)
class CallView:
    """A call at a moment. `is_sip_leg`: the inbound call log that the webhook of a `mode: sip` run created."""

    run: Run
    conversation: Conversation
    snapshot: Snapshot
    grade_at: float
    now: float
    is_sip_leg: bool
    bill_cents: int
    """What the call object shows as its bill."""

    @property
    def call_id(self) -> int | None:
        return self.run.sip_call_id if self.is_sip_leg else self.run.call_id

    @property
    def has_ended(self) -> bool:
        return has_ended(self.run, self.now)

    @property
    def is_graded(self) -> bool:
        return self.has_ended and self.now >= self.grade_at

    def score(self, dialect: Dialect) -> float | int | None:
        """0..1 on the page, whole percent in the client."""
        score = self.conversation.grade.score if self.is_graded else None
        if score is None:
            return None
        return round(score, 2) if dialect == "page" else round(score * 100)


def duration_seconds(run: Run) -> int:
    """Whole seconds of conversation; an answered call has at least one."""
    return max(1, round(run.duration_ms / 1000))


def call_status(run: Run, now: float) -> str:
    """Of the call: it is under way as soon as it exists."""
    status = run_status(run, now)
    return "in_progress" if status == "queued" else status


def call(view: CallView, dialect: Dialect) -> Call:
    """The SIP leg is not billed again."""
    run, ended, graded = view.run, view.has_ended, view.is_graded
    issues = view.conversation.grade.issues if graded else ()
    billed = ended and not view.is_sip_leg
    fields: Fields = shared(Call, run) | {
        "call_id": view.call_id,
        "agent_id": view.snapshot.agent_id,
        "direction": "inbound" if view.is_sip_leg else run.direction,
        "start_time": run.starts_at,
        "end_time": run.ends_at if ended else None,
        "duration_seconds": duration_seconds(run) if ended else None,
        "status": call_status(run, view.now),
        "end_reason": view.conversation.end_reason if ended else None,
        "product": view.snapshot.product,
        "voice": view.snapshot.voice,
        "billable_minutes": (run.billable_minutes if billed else 0) if ended else None,
        "billing_total_cents": (view.bill_cents if billed else 0) if ended else None,
        "billed_at": run.ends_at if billed else None,
        "grade_score": view.score(dialect),
        "grade_status": _grade_status(view) if ended else None,
        "issue_count": len(issues),
        "agent_variant_id": view.snapshot.variant_id,
        "agent_variant_label": view.snapshot.variant_label,
        "critical_issue_count": sum(issue.severity == "critical" for issue in issues),
    }
    return Call(**fields) if dialect == "page" else ClientCall(**fields, **_client_fields(view))


def _client_fields(view: CallView) -> Fields:
    grade, graded = view.conversation.grade, view.is_graded
    transferred = view.conversation.transferred_to if view.has_ended else ""
    return {
        "call_outcome": grade.outcome if graded else None,
        "collected_values": {} if view.has_ended else None,
        "goal_achievement": grade.goal if graded else None,
        "goal_reasoning": grade.summary if graded else None,
        "grade_updated_at": view.grade_at if graded else None,
        "locale": view.snapshot.primary_language,
        "outbound_dial_state": "answered" if view.run.direction == "inbound" else None,
        "prompt_snapshot": view.snapshot.prompt,
        "sip_answered_at": view.run.starts_at if view.is_sip_leg else None,
        "summary": grade.summary if graded else "",
        "summary_status": _grade_status(view),
        "tool_snapshot": [Tool(name=name, **shared(Tool, tool)) for name, tool in view.snapshot.tools.items()],
        "transfer_bridge_kind": "warm" if transferred else None,
        "transfer_destination": transferred,
        "transfer_outcome": "bridged" if transferred else None,
    }


def _grade_status(view: CallView) -> Progress:
    return "completed" if view.is_graded else "pending"


def turns(spoken: tuple[Spoken, ...], assistant_role: str) -> list[Turn]:
    shown: list[Turn] = []
    for turn in spoken:
        fields = shared(Turn, turn)
        if turn.role == "agent":
            fields["role"] = assistant_role
        if turn.role in ("tool_call", "tool_response"):
            fields["content_type"] = "application/json"
        shown.append(Turn(**fields))
    return shown


def transcript(spoken: tuple[Spoken, ...], dialect: Dialect, assistant_role: str) -> list[Turn]:
    """The client's transcript entries hold text only, so that tools are left to the history there."""
    return turns(tuple(turn for turn in spoken if dialect == "page" or turn.role in ("agent", "user")), assistant_role)


def grade(view: CallView, dialect: Dialect) -> Grade:
    given, graded = view.conversation.grade, view.is_graded
    fields: Fields = {
        "status": _grade_status(view),
        "score": view.score(dialect),
        "call_outcome": given.outcome if graded else "unknown",
        "goal_achievement": given.goal if graded else None,
        "detected_issues": list(given.issues) if graded else [],
        "rubric_breakdown": {"overall": given.score} if graded and given.score is not None else {},
        "summary": given.summary if graded else "",
    }
    if dialect == "page":
        return Grade(**fields)
    ends_at = view.now if view.run.ends_at is None else view.run.ends_at
    return ClientGrade(
        **fields,
        id=view.run.id,
        call_id=view.call_id or 0,
        created_at=ends_at,
        goal_reasoning=given.summary if graded else None,
        graded_at=view.grade_at if graded else None,
        outcome_reasoning=given.summary if graded else "",
        updated_at=view.grade_at if graded else ends_at,
    )
