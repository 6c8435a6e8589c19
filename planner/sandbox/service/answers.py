"""Answers of the service. The fields of each are listed in `fields.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from planner.sandbox.conversation import Turn
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.fields import CONSTANTS, FIELDS, OTHER_FIELDS
from planner.sandbox.state import Batch, SimulatedRun
from planner.sandbox.worlds.world import Snapshot

Answer = dict[str, Any]


@lru_cache(maxsize=1 << 16)
def timestamp(moment: float) -> str:
    """`2026-04-20T18:24:10.113Z`: UTC, milliseconds."""
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer(name: str, computed: Answer, *sources: object) -> Answer:
    """All fields of the answer: computed, or attributes of the first source that has them."""
    shown: Answer = {}
    for each in FIELDS[name].split():
        field = each.removesuffix("!")
        if field in computed:
            value = computed[field]
        else:
            source = next(source for source in sources if hasattr(source, field))
            value = getattr(source, field)
        if value is not None or field == each:
            is_moment = value is not None and field.endswith(("_at", "_time"))
            shown[field] = timestamp(value) if is_moment else value
    return shown | CONSTANTS.get(name, {})


def run(shown: SimulatedRun, now: float) -> Answer:
    ended, has_started = shown.has_ended(now), now >= shown.starts_at
    computed: Answer = {
        "scenario_prompt": shown.prompt,
        "status": shown.status(now),
        "call_id": shown.call_id if has_started else None,
        "sip_call_id": shown.sip_call_id if has_started else None,
        "error_message": shown.error_message if ended else "",
        "started_at": shown.starts_at if has_started else None,
        "completed_at": shown.ends_at if ended else None,
        "updated_at": shown.updated_at(now),
    }
    return answer("Run", computed, shown)


def batch(shown: Batch, sandbox: Sandbox, now: float) -> Answer:
    runs = [sandbox.state.run(run_id) for run_id in shown.run_ids]
    statuses = [run.status(now) for run in runs]
    completed, failed = statuses.count("completed"), statuses.count("failed")
    is_over = completed + failed == len(runs)
    updated_at = max(run.updated_at(now) for run in runs)
    computed: Answer = {
        "name": "",
        "scenario_prompts": shown.request.prompts,
        "status": "in_progress" if not is_over else "completed" if completed else "failed",
        "total_runs": len(runs),
        "completed_runs": completed,
        "failed_runs": failed,
        "error_message": "",
        "started_at": shown.created_at,
        "completed_at": updated_at if is_over else None,
        "updated_at": updated_at,
    }
    return answer("Batch", computed, shown, shown.request)


@dataclass(frozen=True)
class CallView:
    """A call at a moment: of a run, or its SIP leg, the inbound call of a `mode: sip` run."""

    sandbox: Sandbox
    run: SimulatedRun
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
    def score(self) -> float | None:
        """0 to 1."""
        score = self.run.conversation.grade.score if self.is_graded else None
        return None if score is None else round(score, 2)

    @property
    def status(self) -> str:
        """A call is in progress as soon as it exists."""
        status = self.run.status(self.now)
        return "in_progress" if status == "queued" else status

    @property
    def direction(self) -> str:
        return "inbound" if self.is_sip_leg else self.run.direction

    @property
    def duration_seconds(self) -> int | None:
        """Whole seconds of conversation; an answered call has at least one."""
        return max(1, round(self.run.conversation.duration_ms / 1000)) if self.has_ended else None

    @property
    def turns(self) -> list[Turn]:
        """What has been said so far."""
        turns = self.run.conversation.turns
        if self.has_ended:
            return list(turns)
        spoken_ms = (self.now - self.run.starts_at) * self.run.time_scale * 1000
        return [turn for turn in turns if turn.end_ms <= spoken_ms]


def call(view: CallView) -> Answer:
    """The SIP leg is not billed again."""
    run, ended, graded = view.run, view.has_ended, view.is_graded
    given = run.conversation.grade
    issues = given.issues if graded else ()
    billed = ended and not view.is_sip_leg
    bill_cents = run.cost_cents if view.sandbox.world.call_bill == "charged" else run.call_cents
    grade_status = "completed" if graded else "pending"
    transferred = run.conversation.transferred_to if ended else ""
    scripted = [
        {"name": name, "description": tool.description, "parameters": tool.parameters}
        for name, tool in view.snapshot.tools.items()
    ]
    computed: Answer = {
        "start_time": run.starts_at,
        "end_time": run.ends_at if ended else None,
        "end_reason": run.conversation.end_reason if ended else None,
        "is_test_call": True,
        "billable_minutes": (run.billable_minutes if billed else 0) if ended else None,
        "billing_total_cents": (bill_cents if billed else 0) if ended else None,
        "billed_at": run.ends_at if billed else None,
        "grade_score": view.score,
        "grade_status": grade_status if ended else None,
        "issue_count": len(issues),
        "critical_issue_count": sum(issue.severity == "critical" for issue in issues),
        "agent_variant_id": view.snapshot.variant_id,
        "agent_variant_label": view.snapshot.variant_label,
        "call_outcome": given.outcome if graded else None,
        "collected_values": {} if ended else None,
        "goal_achievement": given.goal if graded else None,
        "goal_reasoning": given.summary if graded else None,
        "grade_updated_at": view.grade_at if graded else None,
        "locale": view.snapshot.primary_language,
        "outbound_dial_state": "answered" if run.direction == "inbound" else None,
        "prompt_snapshot": view.snapshot.prompt,
        "sip_answered_at": run.starts_at if view.is_sip_leg else None,
        "summary": given.summary if graded else "",
        "summary_status": grade_status,
        "tool_snapshot": view.snapshot.fields.get("tools") or scripted,
        "transfer_bridge_kind": "warm" if transferred else None,
        "transfer_destination": transferred,
        "transfer_outcome": "bridged" if transferred else None,
    }
    return answer("Call", computed, view, run, view.snapshot)


def grade(view: CallView) -> Answer:
    given, graded, created_at = view.run.conversation.grade, view.is_graded, view.run.ends_at
    computed: Answer = {
        "status": "completed" if graded else "pending",
        "call_outcome": given.outcome if graded else "unknown",
        "goal_achievement": given.goal if graded else None,
        "detected_issues": [issue.model_dump() for issue in given.issues] if graded else [],
        "rubric_breakdown": {},
        "summary": given.summary if graded else "",
        "id": view.run.id,
        "created_at": created_at,
        "goal_reasoning": given.summary if graded else None,
        "graded_at": view.grade_at if graded else None,
        "outcome_reasoning": given.summary if graded else "",
        "updated_at": view.grade_at if graded else created_at,
    }
    return answer("Grade", computed, view)


def turns(spoken: Iterable[Turn], assistant_role: str) -> list[Answer]:
    shown: list[Answer] = []
    for turn in spoken:
        is_tool = turn.role in ("tool_call", "tool_response")
        computed = {
            "role": assistant_role if turn.role == "agent" else turn.role,
            "content_type": "application/json" if is_tool else None,
        }
        shown.append(answer("Turn", computed, turn))
    return shown


def transcript(view: CallView) -> list[Answer]:
    return turns(view.turns, view.sandbox.world.assistant_role)


def agent(agent_id: int, sandbox: Sandbox) -> Answer:
    """The service has no `configuration_digest`: here it shows changes of dialogues and of the world."""
    agents = sandbox.agents
    record, snapshot = agents.record(agent_id), agents.snapshot(agent_id)
    draft = record.draft or {}
    other = {name: snapshot.fields.get(name) for name in OTHER_FIELDS}
    drafted = {f"draft_{name}": draft.get(name) for name in (*agents.FIELDS, *OTHER_FIELDS)}
    computed: Answer = {
        "id": agent_id,
        "created_at": agents.created_at(agent_id),
        "has_draft": record.draft is not None,
        "draft_updated_at": record.draft_at,
        "configuration_digest": agents.configuration_digest(agent_id),
        **other,
        **drafted,
    }
    for name in ("additional_languages", "draft_additional_languages"):
        computed[name] = [] if computed[name] is None else computed[name]  # the client needs a list
    return answer("Agent", computed, snapshot)
