"""Equal calls of several consents of one session. No I/O, no clock.

Launches of equal calls are interchangeable: nobody sees which of them a run belongs to, and two machines may match the
runs to different ones. How many runs there are of all of them is certain. So what one consent does not need counts for
another one that wants an equal call, which is not made again then.
"""

from __future__ import annotations

from dataclasses import replace

from planner.execution.events import SlotMoved
from planner.execution.launches import ReportedRun, Slot, SlotKey
from planner.execution.state import ConsentState, CountsFor, State


def is_free(state: State, slot: Slot, consent_id: str) -> bool:
    """Whether a slot counts for no other consent of this session."""
    use = state.use_of(state.launch(slot.launch_id), slot)
    return use is None or use.consent_id == consent_id or state.served(use.consent_id) is None


def equal_call(state: State) -> SlotMoved | None:
    """A call that one consent made and does not need, for another one that wants an equal call."""
    for giver in (*state.consents.values(), *state.ended.values()):
        for case_id in giver.wanted.with_surplus:
            if (taker := _taker(state, giver, case_id)) is not None:
                key = _to_give(state, giver, case_id)
                return SlotMoved(key, giver.consent_id, *taker)
    return None


def _taker(state: State, giver: ConsentState, case_id: str) -> CountsFor | None:
    given = giver.jobs[case_id]
    for taker in state.consents.values():
        for job in taker.jobs_of(given.call_fingerprint):
            if taker is not giver and job.is_equal(given) and taker.wanted.lacks(job.case_id):
                return CountsFor(taker.consent_id, job.case_id)
    return None


def _to_give(state: State, giver: ConsentState, case_id: str) -> SlotKey:
    """Best one that has no verdict yet."""
    keys = sorted(giver.wanted.live_slots(case_id))
    slots = [state.journal.slots_of(launch_id)[ordinal] for launch_id, ordinal in keys]
    return max(slots, key=lambda slot: is_awaited(state, slot)).key


def is_awaited(state: State, slot: Slot) -> bool:
    """Whether a slot of this session has no verdict yet."""
    return slot.run_id is None or slot.run_id in state.watched or slot.run_id in state.reading


def move_slot(state: State, event: SlotMoved) -> None:
    """The slot counts for the taker from now on. A run that was judged for the giver is judged for the taker, too."""
    giver, taker = state.served(event.giver_id), state.consents[event.taker_id]
    launch_id, ordinal = event.key
    launch, slot = state.launch(launch_id), state.journal.slots_of(launch_id)[ordinal]
    use, was_judged = state.use_of(launch, slot), not is_awaited(state, slot)
    assert giver is not None
    assert use is not None
    giver.wanted.give(use.case_id, slot.key, was_judged=was_judged)
    state.counts_for[slot.key] = CountsFor(event.taker_id, event.case_id)
    slot, job = replace(slot, case_id=event.case_id), taker.jobs[event.case_id]
    taker.wanted.launched(job.case_id, slot.key)
    for watched in (*state.watched.values(), *(each for _, each in state.reading.values())):
        if watched.slot.key == slot.key:
            watched.slot, watched.consent_id, watched.job = slot, event.taker_id, job
    if was_judged:
        state.reported.append(ReportedRun(slot, launch, resumed=not state.is_own(launch)))
    state.log(f"a call that {use.case_id} does not need counts for {job.case_id}")
