"""Resumes what earlier sessions launched: paid runs count, and open launches are searched for. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.evidence import Part
from planner.execution.engine import Now
from planner.execution.events import Event, RunResumed, RunsBound
from planner.execution.launches import OTHER_KEY, UNSETTLED, Slot
from planner.execution.reconciling import bind_slots
from planner.execution.state import State


def resume_slot(state: State, slot: Slot, missing: Sequence[Part] | None, now: Now) -> Iterator[Event | RunResumed]:
    """Wait for what is missing of a paid run. `missing` are the parts that its stored evidence has not; None if none is
    stored."""
    launch = state.launch(slot.launch_id)
    if launch.state in UNSETTLED:
        if launch.launch_id not in state.unconfirmed:
            state.search(launch.launch_id, now)
    elif missing is not None and not missing:
        yield RunResumed(slot)
    elif slot.launch_id in state.launched_with_other:
        message = f"not waiting for launch {slot.launch_id}: {OTHER_KEY}"
        state.report_anomaly(f"{OTHER_KEY} {slot.launch_id}", message)
    elif slot.run_id is not None:  # under way, or its evidence is missing from the store
        state.watch(slot, launch, now)
    else:
        slots_of_launch = state.journal.slots_of(launch.launch_id)
        if bindings := bind_slots(slots_of_launch, {}, launch.run_ids):
            yield RunsBound(launch.launch_id, bindings)
        else:
            state.await_binding(launch, slots_of_launch, now)
