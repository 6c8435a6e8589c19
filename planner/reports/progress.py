"""The progress of calls in one line."""

from __future__ import annotations

from planner.quantities import duration, money
from planner.reports.neutral import for_terminal
from planner.values import frozen


@frozen
class ProgressState:
    """The progress of a session: money billed (`spent`) and reserved for runs in flight. `left_seconds` is None if
    unknown."""

    runs_done: int
    runs_total: int
    in_flight: int
    spent_cents: int
    reserved_cents: int
    ceiling_cents: int | None
    elapsed_seconds: float
    left_seconds: float | None
    waiting: str = ""
    """Why a launch waits, such as `concurrency limit 20 (learned)`."""


def line(state: ProgressState) -> str:
    """`34 of 72 runs · $5.44 of $9.00 · about 2 min left · 12 in flight · 1 min 20 s elapsed · concurrency limit 20
    (learned)`."""
    ceiling = "" if state.ceiling_cents is None else f" of {money(state.ceiling_cents)}"
    parts = [f"{state.runs_done:,} of {state.runs_total:,} runs", f"{money(state.spent_cents)}{ceiling}"]
    if state.left_seconds is not None and state.runs_done < state.runs_total:
        parts.append(f"about {duration(max(1, round(state.left_seconds)))} left")
    if state.in_flight:
        parts.append(f"{state.in_flight:,} in flight")
    if state.reserved_cents:
        parts.append(f"{money(state.reserved_cents)} reserved")
    parts.append(f"{duration(int(state.elapsed_seconds))} elapsed")
    if state.waiting:
        parts.append(for_terminal(state.waiting))
    return " · ".join(parts)
