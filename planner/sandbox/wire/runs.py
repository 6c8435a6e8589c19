"""Runs and batches as the two dialects show them (`page`: the reference page; `client`: the official client 0.2.0)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from pydantic import JsonValue

from planner.sandbox.objects import Object
from planner.sandbox.state.records import Batch, Run
from planner.sandbox.state.state import State
from planner.sandbox.state.timeline import batch_view, has_ended, run_status, run_updated_at, shown_call_id


@lru_cache(maxsize=1 << 16)
def timestamp(moment: float) -> str:
    """`2026-04-20T18:24:10.113Z`: UTC, milliseconds."""
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_timestamp(moment: float | None) -> str | None:
    return None if moment is None else timestamp(moment)


def page_run(run: Run, now: float) -> Object:
    ended = has_ended(run, now)
    return {
        "id": run.id,
        "target_type": run.target_type,
        "target_id": run.target_id,
        "direction": run.direction,
        "target_number": run.target_number,
        "scenario_prompt": run.prompt,
        "mode": run.mode,
        "status": run_status(run, now),
        "charge_multiplier": run.charge_multiplier,
        "estimated_cost_cents": run.estimated_cost_cents,
        "call_id": shown_call_id(run, now),
        "sip_call_id": run.sip_call_id if now >= run.call_id_at else None,
        "error_message": run.error_message if ended else "",
        "started_at": timestamp(run.starts_at) if now >= run.starts_at else None,
        "completed_at": optional_timestamp(run.ends_at) if ended else None,
        "batch_id": run.batch_id,
        "created_at": timestamp(run.created_at),
        "updated_at": timestamp(run_updated_at(run, now)),
    }


def client_run(
    run: Run, now: float, *, agent_name: str | None, target_name: str, grade: Object | None, transcript: list[JsonValue]
) -> Object:
    shown = page_run(run, now)
    del shown["sip_call_id"], shown["batch_id"]
    extra: Object = {
        "agent_name": agent_name,
        "target_name": target_name,
        "duration_seconds": round(run.duration_ms / 1000) if has_ended(run, now) and run.call_id is not None else None,
        "grade": grade,
        "metadata": {},
        "recording_url": None,
        "requested_by_id": run.requested_by_id,
        "transcript": transcript,
    }
    return shown | extra


def page_batch(batch: Batch, state: State, now: float) -> Object:
    view = batch_view(batch, state, now)
    return {
        "id": batch.id,
        "name": batch.name,
        "target_type": batch.target_type,
        "target_id": batch.target_id,
        "direction": batch.direction,
        "target_number": batch.target_number,
        "scenario_prompts": list(batch.prompts),
        "run_count": batch.run_count,
        "stagger_seconds": batch.stagger_seconds,
        "status": view.status,
        "total_runs": batch.run_count,
        "completed_runs": view.completed_runs,
        "failed_runs": view.failed_runs,
        "error_message": "",
        "requested_by_id": batch.requested_by_id,
        "started_at": timestamp(batch.created_at),
        "completed_at": optional_timestamp(view.completed_at),
        "created_at": timestamp(batch.created_at),
        "updated_at": timestamp(view.updated_at),
        "run_ids": list(batch.run_ids),
    }


def client_batch(batch: Batch, state: State, now: float) -> Object:
    """Here a batch is `pending` until the first of its runs is under way."""
    view = batch_view(batch, state, now)
    extra: Object = {
        "status": "pending" if view.started_at is None else view.status,
        "started_at": optional_timestamp(view.started_at),
        "estimated_cost_cents": batch.estimated_cost_cents,
        "estimated_minutes": batch.estimated_minutes,
        "matrix_dimensions": {},
    }
    return page_batch(batch, state, now) | extra
