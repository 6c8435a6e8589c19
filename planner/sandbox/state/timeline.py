"""What a run, batch or call shows at a moment: nothing happens in the background, everything follows from the clock."""

from __future__ import annotations

from planner.sandbox.state.records import Run, Status


def has_ended(run: Run, now: float) -> bool:
    return run.ends_at is not None and now >= run.ends_at


def run_status(run: Run, now: float) -> Status:
    if has_ended(run, now):
        return "failed" if run.error_message else "completed"
    return "in_progress" if now >= run.starts_at else "queued"


def run_updated_at(run: Run, now: float) -> float:
    if run.ends_at is not None and now >= run.ends_at:
        return run.ends_at
    return run.starts_at if now >= run.starts_at else run.created_at


def shown_call_id(run: Run, now: float) -> int | None:
    return run.call_id if now >= run.call_id_at else None


def call_exists(run: Run, now: float) -> bool:
    """A call can be read as soon as it rings, even before its run shows its id."""
    return run.call_id is not None and now >= run.starts_at


def elapsed_ms(run: Run, now: float) -> int:
    """How far the conversation has come, in its own time."""
    return max(0, round((now - run.starts_at) * run.time_scale * 1000))
