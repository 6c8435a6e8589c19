"""Answers as the two dialects show them. The types of their fields are in `fields.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from planner.sandbox.conversation import Turn
from planner.sandbox.sandbox import Dialect, Sandbox
from planner.sandbox.service.fields import CLIENT
from planner.sandbox.state.records import Batch, Run
from planner.sandbox.state.state import Transaction
from planner.sandbox.worlds.world import PhoneNumber, Snapshot, Variant

Answer = dict[str, Any]

_SCOPES = [
    "agents:read",
    "agents:write",
    "billing:read",
    "calls:read",
    "phone_numbers:read",
    "test_calls:read",
    "test_calls:write",
]


def timestamp(moment: float) -> str:
    """`2026-04-20T18:24:10.113Z`: UTC, milliseconds."""
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run(shown: Run, sandbox: Sandbox, now: float) -> Answer:
    ended, has_started = shown.has_ended(now), now >= shown.starts_at
    shows_call = now >= shown.call_id_at
    answer: Answer = {
        "id": shown.id,
        "target_type": shown.target_type,
        "target_id": shown.target_id,
        "direction": shown.direction,
        "target_number": shown.target_number,
        "scenario_prompt": shown.prompt,
        "mode": shown.mode,
        "status": shown.status(now),
        "charge_multiplier": shown.charge_multiplier,
        "estimated_cost_cents": shown.estimated_cost_cents,
        "call_id": shown.call_id if shows_call else None,
        "sip_call_id": shown.sip_call_id if shows_call else None,
        "error_message": shown.error_message if ended else "",
        "started_at": timestamp(shown.starts_at) if has_started else None,
        "completed_at": timestamp(shown.ends_at) if shown.ends_at is not None and ended else None,
        "batch_id": shown.batch_id,
        "created_at": timestamp(shown.created_at),
        "updated_at": timestamp(shown.updated_at(now)),
    }
    if sandbox.dialect == "page":
        return answer
    del answer["sip_call_id"], answer["batch_id"]
    agent = shown.snapshot.name if shown.snapshot else None
    number = sandbox.world.phone_numbers.get(shown.target_id) if shown.target_type == "phone_number" else None
    view = CallView(sandbox, shown, shown.call_id, now) if ended and shown.call_id is not None else None
    return {
        **answer,
        **CLIENT["Run"],
        "agent_name": agent,
        "target_name": (number.label or number.number) if number else agent or "",
        "duration_seconds": view.duration_seconds if view else None,
        "grade": grade(view) if view else None,
        "requested_by_id": shown.requested_by_id,
        "transcript": transcript(view) if view else [],
    }


def batch(shown: Batch, sandbox: Sandbox, now: float) -> Answer:
    runs = [sandbox.state.run(run_id) for run_id in shown.run_ids]
    statuses = [run.status(now) for run in runs]
    completed, failed = statuses.count("completed"), statuses.count("failed")
    is_over = completed + failed == len(runs)
    updated_at = timestamp(max(run.updated_at(now) for run in runs))
    answer: Answer = {
        "id": shown.id,
        "name": shown.request.name,
        "target_type": shown.request.target_type,
        "target_id": shown.request.target_id,
        "direction": shown.request.direction,
        "target_number": shown.request.target_number,
        "scenario_prompts": shown.request.prompts,
        "run_count": shown.request.run_count,
        "stagger_seconds": shown.request.stagger_seconds,
        "status": "in_progress" if not is_over else "completed" if completed else "failed",
        "total_runs": len(runs),
        "completed_runs": completed,
        "failed_runs": failed,
        "error_message": "",
        "requested_by_id": shown.requested_by_id,
        "started_at": timestamp(shown.created_at),
        "completed_at": updated_at if is_over else None,
        "created_at": timestamp(shown.created_at),
        "updated_at": updated_at,
        "run_ids": shown.run_ids,
    }
    if sandbox.dialect == "client":
        begins_at = min(run.starts_at for run in runs)
        answer |= {
            **CLIENT["Batch"],
            "started_at": timestamp(begins_at) if now >= begins_at else None,
            "estimated_cost_cents": shown.estimated_cost_cents,
            "estimated_minutes": shown.estimated_minutes,
        }
        if now < begins_at:
            answer["status"] = "pending"
    return answer


@dataclass(frozen=True)
class CallView:
    """A call at a moment: of a run, or its SIP leg, the inbound call of a `mode: sip` run."""

    sandbox: Sandbox
    run: Run
    call_id: int
    now: float

    @property
    def is_sip_leg(self) -> bool:
        return self.call_id == self.run.sip_call_id

    @property
    def snapshot(self) -> Snapshot:
        assert self.run.snapshot is not None  # there is no call if nobody answered
        return self.run.snapshot

    @property
    def has_ended(self) -> bool:
        return self.run.has_ended(self.now)

    @property
    def grade_at(self) -> float:
        return self.sandbox.state.grade_at(self.run)

    @property
    def is_graded(self) -> bool:
        return self.has_ended and self.now >= self.grade_at

    @property
    def score(self) -> float | int | None:
        """0 to 1 on the page, whole percent in the client."""
        score = self.run.conversation.grade.score if self.is_graded else None
        if score is None:
            return None
        return round(score, 2) if self.sandbox.dialect == "page" else round(score * 100)

    @property
    def status(self) -> str:
        """A call is in progress as soon as it exists."""
        status = self.run.status(self.now)
        return "in_progress" if status == "queued" else status

    @property
    def direction(self) -> str:
        return "inbound" if self.is_sip_leg else self.run.direction

    @property
    def duration_seconds(self) -> int:
        """Whole seconds of conversation; an answered call has at least one."""
        return max(1, round(self.run.conversation.duration_ms / 1000))

    @property
    def turns(self) -> list[Turn]:
        """During the call: what has been said so far. After it: everything, once the transcript is there."""
        turns = self.run.conversation.turns
        if self.has_ended:
            return list(turns) if self.now >= self.run.transcript_at else []
        spoken_ms = (self.now - self.run.starts_at) * self.run.time_scale * 1000
        return [turn for turn in turns if turn.end_ms <= spoken_ms]


def call(view: CallView) -> Answer:
    """The SIP leg is not billed again."""
    run, ended, graded = view.run, view.has_ended, view.is_graded
    given = run.conversation.grade
    issues = given.issues if graded else ()
    billed = ended and not view.is_sip_leg
    bill_cents = run.cost_cents if view.sandbox.world.call_bill == "charged" else run.call_cents
    ends_at = timestamp(run.ends_at) if run.ends_at is not None and ended else None
    grade_status = "completed" if graded else "pending"
    answer: Answer = {
        "call_id": view.call_id,
        "agent_id": view.snapshot.agent_id,
        "direction": view.direction,
        "from_number": run.from_number,
        "to_number": run.to_number,
        "start_time": timestamp(run.starts_at),
        "end_time": ends_at,
        "duration_seconds": view.duration_seconds if ended else None,
        "status": view.status,
        "end_reason": run.conversation.end_reason if ended else None,
        "is_test_call": True,
        "product": view.snapshot.product,
        "voice": view.snapshot.voice,
        "billable_minutes": (run.billable_minutes if billed else 0) if ended else None,
        "billing_total_cents": (bill_cents if billed else 0) if ended else None,
        "billed_at": ends_at if billed else None,
        "grade_score": view.score,
        "grade_status": grade_status if ended else None,
        "issue_count": len(issues),
        "critical_issue_count": sum(issue.severity == "critical" for issue in issues),
        "agent_variant_id": view.snapshot.variant_id,
        "agent_variant_label": view.snapshot.variant_label,
    }
    if view.sandbox.dialect == "page":
        return answer
    transferred = run.conversation.transferred_to if ended else ""
    return {
        **answer,
        **CLIENT["Call"],
        "call_outcome": given.outcome if graded else None,
        "collected_values": {} if ended else None,
        "goal_achievement": given.goal if graded else None,
        "goal_reasoning": given.summary if graded else None,
        "grade_updated_at": timestamp(view.grade_at) if graded else None,
        "locale": view.snapshot.primary_language,
        "outbound_dial_state": "answered" if run.direction == "inbound" else None,
        "prompt_snapshot": view.snapshot.prompt,
        "sip_answered_at": timestamp(run.starts_at) if view.is_sip_leg else None,
        "summary": given.summary if graded else "",
        "summary_status": grade_status,
        "tool_snapshot": [
            {"name": name, "description": tool.description, "parameters": tool.parameters}
            for name, tool in view.snapshot.tools.items()
        ],
        "transfer_bridge_kind": "warm" if transferred else None,
        "transfer_destination": transferred,
        "transfer_outcome": "bridged" if transferred else None,
    }


def grade(view: CallView) -> Answer:
    given, graded = view.run.conversation.grade, view.is_graded
    answer: Answer = {
        "status": "completed" if graded else "pending",
        "score": view.score,
        "call_outcome": given.outcome if graded else "unknown",
        "goal_achievement": given.goal if graded else None,
        "detected_issues": [issue.model_dump() for issue in given.issues] if graded else [],
        "rubric_breakdown": {"overall": given.score} if graded and given.score is not None else {},
        "summary": given.summary if graded else "",
    }
    if view.sandbox.dialect == "page":
        return answer
    ends_at = timestamp(view.now if view.run.ends_at is None else view.run.ends_at)
    graded_at = timestamp(view.grade_at) if graded else None
    return {
        **answer,
        **CLIENT["Grade"],
        "id": view.run.id,
        "call_id": view.call_id,
        "created_at": ends_at,
        "goal_reasoning": given.summary if graded else None,
        "graded_at": graded_at,
        "outcome_reasoning": given.summary if graded else "",
        "updated_at": graded_at or ends_at,
    }


def turns(spoken: Iterable[Turn], assistant_role: str) -> list[Answer]:
    """Agent turns have `ttfa_ms`; tool calls and their answers have `content_type`."""
    shown: list[Answer] = []
    for turn in spoken:
        role = assistant_role if turn.role == "agent" else turn.role
        answer: Answer = {"role": role, "content": turn.content, "start_ms": turn.start_ms, "end_ms": turn.end_ms}
        if turn.ttfa_ms is not None:
            answer["ttfa_ms"] = turn.ttfa_ms
        if turn.role in ("tool_call", "tool_response"):
            answer["content_type"] = "application/json"
        shown.append(answer)
    return shown


def transcript(view: CallView) -> list[Answer]:
    """The client's transcripts contain text only: tools are in the history."""
    every = view.sandbox.dialect == "page"
    spoken = (turn for turn in view.turns if every or turn.role in ("agent", "user"))
    return turns(spoken, view.sandbox.world.assistant_role)


def agent(agent_id: int, sandbox: Sandbox) -> Answer:
    """The service has no `configuration_digest`: here it shows changes of dialogues and of the world."""
    snapshot, record = sandbox.agents.snapshot(agent_id), sandbox.agents.record(agent_id)
    return {
        "id": agent_id,
        "name": snapshot.name,
        "prompt": snapshot.prompt,
        "voice": snapshot.voice,
        "product": snapshot.product,
        "primary_language": snapshot.primary_language,
        "thinking_level": snapshot.thinking_level,
        "created_at": timestamp(sandbox.agents.created_at(agent_id)),
        "updated_at": timestamp(snapshot.updated_at),
        "has_draft": record.draft is not None,
        "draft_updated_at": None if record.draft_at is None else timestamp(record.draft_at),
        "configuration_digest": sandbox.agents.configuration_digest(agent_id),
        **{f"draft_{name}": value for name, value in (record.draft or {}).items()},
        **(CLIENT["Agent"] if sandbox.dialect == "client" else {}),
    }


def variant(number: int, declared: Variant, snapshot: Snapshot) -> Answer:
    return {
        "id": number,
        "label": declared.label,
        "weight": declared.weight,
        "prompt": snapshot.prompt if declared.prompt is None else declared.prompt,
        "voice": snapshot.voice if declared.voice is None else declared.voice,
        "product": snapshot.product,
    }


def version(snapshot: Snapshot, note: str) -> Answer:
    same = ("name", "prompt", "voice", "product")
    return {
        **{name: getattr(snapshot, name) for name in same},
        "version": snapshot.revision,
        "note": note,
        "created_at": timestamp(snapshot.updated_at),
    }


def phone_number(number_id: int, number: PhoneNumber, dialect: Dialect) -> Answer:
    answer: Answer = {"id": number_id, **number.model_dump()}
    if dialect == "page":
        return answer
    eligible = number.outbound_agent_id is not None
    reason = None if eligible else "no_outbound_agent"
    return {**answer, **CLIENT["PhoneNumber"], "outbound_eligible": eligible, "outbound_ineligible_reason": reason}


def billing(sandbox: Sandbox, now: float) -> Answer:
    state = sandbox.state
    balance = state.balance_cents(now)
    answer: Answer = {"balance_cents": balance, "balance_usd": f"{balance / 100:.2f}", "currency": "usd"}
    if sandbox.dialect == "page":
        return answer
    return {
        **answer,
        **CLIENT["Billing"],
        "available_cash_cents": max(0, balance - state.reserved_cents(now)),
        "current_month_usage_spend_cents": state.billed_cents(now),
        "spending_limit_reached": balance <= 0,
        "test_call_budget_cents": sandbox.world.test_call_budget_cents,
        "test_call_budget_remaining_cents": state.budget_left_cents(now),
    }


def transaction(number: int, entry: Transaction) -> Answer:
    return {
        "id": number,
        "kind": entry.kind,
        "amount_cents": entry.amount_cents,
        "call_id": entry.call_id,
        "created_at": timestamp(entry.at),
        "description": entry.description,
        "metadata": {},
    }


def whoami(sandbox: Sandbox, key: str) -> Answer:
    return {
        "organization": sandbox.world.organization.model_dump(),
        "credential_kind": "api_key",
        "key_prefix": key[:12],
        "scopes": _SCOPES,
        **(CLIENT["WhoAmI"] if sandbox.dialect == "client" else {}),
    }
