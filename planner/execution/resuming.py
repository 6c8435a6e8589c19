"""Takes up the runs of earlier sessions. No I/O but `load_evidence`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from planner.evidence import Evidence, missing_parts
from planner.execution.engine import Now
from planner.execution.events import Event, RunsBound
from planner.execution.launches import OTHER_KEY, UNSETTLED, Slot
from planner.execution.reconciling import bind_slots
from planner.execution.session_events import RunResumed
from planner.execution.state import State
from planner.execution.watched import Ended

LoadEvidence = Callable[[str], Evidence | None]


def resume(state: State, slots: Sequence[Slot], load_evidence: LoadEvidence, now: Now) -> Iterator[Event | RunResumed]:
    """Count paid runs as wanted ones, and search for unconfirmed launches first."""
    state.resumed_slots.update(slot.key for slot in slots)
    state.wanted.resume(slots)
    for slot in slots:
        yield from _resume_slot(state, slot, load_evidence, now)
    if slots:
        state.log(f"resuming {len(slots)} runs of earlier sessions")


def _resume_slot(state: State, slot: Slot, load_evidence: LoadEvidence, now: Now) -> Iterator[Event | RunResumed]:
    launch = state.launch(slot.launch_id)
    evidence = load_evidence(slot.evidence) if slot.evidence is not None else None
    await_grade = state.order.jobs[slot.case_id].await_grade
    if launch.state in UNSETTLED:
        if launch.launch_id not in state.unconfirmed:
            state.search(launch.launch_id, now)
    elif evidence is not None and not missing_parts(evidence, grade_wanted=await_grade):
        yield RunResumed(Ended(slot, launch, resumed=True, evidence=evidence))
    elif slot.launch_id in state.launched_with_other:
        message = f"not waiting for launch {slot.launch_id}: {OTHER_KEY}"
        state.report_anomaly(f"{OTHER_KEY} {slot.launch_id}", message)
    elif slot.run_id is not None:  # under way, or its evidence is missing from the store
        state.watch(slot, launch, now)
    elif launch.launch_id not in state.unbound:
        slots_of_launch = state.journal.slots_of(launch.launch_id)
        if bindings := bind_slots(slots_of_launch, {}, launch.run_ids):
            yield RunsBound(launch.launch_id, bindings)
        else:
            state.await_binding(launch, slots_of_launch, now)
