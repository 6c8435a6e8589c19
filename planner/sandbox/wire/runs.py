"""Runs and batches as the two dialects show them (`page`: the reference page; `client`: the official client 0.2.0)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.sandbox.state import records
from planner.sandbox.state.records import Direction, Mode, Status, TargetType
from planner.sandbox.state.state import State
from planner.sandbox.state.timeline import has_ended, run_status, run_updated_at, shown_call_id
from planner.sandbox.wire.answers import Answer, Count, Dialect, Fields, Id, Moment, shared
from planner.sandbox.wire.calls import ClientGrade, Turn


class Run(Answer):
    id: Id
    target_type: TargetType
    target_id: Id
    direction: Direction
    target_number: str
    scenario_prompt: str
    mode: Mode
    status: Status
    charge_multiplier: Count
    estimated_cost_cents: Count
    call_id: Id | None
    sip_call_id: Id | None
    error_message: str
    started_at: Moment | None
    completed_at: Moment | None
    batch_id: Id | None
    created_at: Moment
    updated_at: Moment


class ClientRun(Run):
    sip_call_id: Id | None = Field(exclude=True)
    batch_id: Id | None = Field(exclude=True)
    agent_name: str | None
    target_name: str
    duration_seconds: Count | None
    grade: ClientGrade | None
    metadata: dict[str, str] = Field(default={})
    recording_url: None = None
    requested_by_id: Id
    transcript: list[Turn]


class Batch(Answer):
    id: Id
    name: str
    target_type: TargetType
    target_id: Id
    direction: Direction
    target_number: str
    scenario_prompts: tuple[str, ...]
    run_count: int = Field(ge=1, le=20)
    stagger_seconds: int = Field(ge=0, le=60)
    status: Literal["pending", "in_progress", "completed", "failed"]
    total_runs: Count
    completed_runs: Count
    failed_runs: Count
    error_message: str = ""
    requested_by_id: Id
    started_at: Moment | None
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment
    run_ids: tuple[Id, ...]


class ClientBatch(Batch):
    estimated_cost_cents: Count
    estimated_minutes: Count
    matrix_dimensions: dict[str, str] = Field(default={})


def run_fields(run: records.Run, now: float) -> Fields:
    """Of both dialects."""
    ended = has_ended(run, now)
    return shared(Run, run) | {
        "scenario_prompt": run.prompt,
        "status": run_status(run, now),
        "call_id": shown_call_id(run, now),
        "sip_call_id": run.sip_call_id if now >= run.call_id_at else None,
        "error_message": run.error_message if ended else "",
        "started_at": run.starts_at if now >= run.starts_at else None,
        "completed_at": run.ends_at if ended else None,
        "updated_at": run_updated_at(run, now),
    }


def batch(shown: records.Batch, state: State, now: float, dialect: Dialect) -> Batch:
    """In the client's dialect a batch is `pending` until the first of its runs has begun."""
    runs = [state.run(run_id) for run_id in shown.run_ids]
    statuses = [run_status(run, now) for run in runs]
    completed, failed = statuses.count("completed"), statuses.count("failed")
    is_over = completed + failed == len(runs)
    changed_at = max(run_updated_at(run, now) for run in runs)
    begins_at = min(run.starts_at for run in runs)
    fields: Fields = shared(Batch, shown.request) | {
        **shared(Batch, shown),
        "scenario_prompts": shown.request.prompts,
        "status": "in_progress" if not is_over else "completed" if completed else "failed",
        "total_runs": len(runs),
        "completed_runs": completed,
        "failed_runs": failed,
        "completed_at": changed_at if is_over else None,
        "updated_at": changed_at,
        "run_ids": shown.run_ids,
    }
    if dialect == "page":
        return Batch(**fields, started_at=shown.created_at)
    fields["started_at"] = begins_at if now >= begins_at else None
    if now < begins_at:
        fields["status"] = "pending"
    return ClientBatch(
        **fields, estimated_cost_cents=shown.estimated_cost_cents, estimated_minutes=shown.estimated_minutes
    )
