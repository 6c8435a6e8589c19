"""The calls that the log's launches asked for, one by one, for what judges and reports them. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from planner.changes.consented_calls import is_confirmation
from planner.log.facts import Asked, Call, Intent, Result
from planner.log.fold import Launch, State
from planner.values import frozen

SlotKey: TypeAlias = tuple[str, int]
"""Launch id and ordinal."""


@frozen
class Slot:
    """One call that a launch asked for. `asked` is for one call."""

    launch: Launch
    ordinal: int
    asked: Asked
    run_id: int | None = None
    """None while it is unknown."""
    call: Call | None = None
    """None until the run has ended and was read."""
    case_id: str = ""
    """The case that makes the call now; at first the one that asked."""

    @property
    def intent(self) -> Intent:
        assert self.launch.intent is not None
        return self.launch.intent

    @property
    def key(self) -> SlotKey:
        return self.launch_id, self.ordinal

    @property
    def launch_id(self) -> str:
        return self.launch.launch_id

    @property
    def call_key(self) -> str:
        return self.asked.key

    @property
    def call_fingerprint(self) -> str:
        """The key without the agent's file."""
        return ":".join(self.asked.key.split(":")[:2])

    @property
    def confirms(self) -> bool:
        """Whether it was not planned, but is to confirm a regression."""
        return is_confirmation(self.asked.key)

    @property
    def evidence(self) -> str | None:
        return None if self.call is None else self.call.evidence

    @property
    def cost_cents(self) -> int | None:
        """The final bill."""
        return self.call.cents if self.call is not None and self.call.has_final_bill else None

    @property
    def reserved_cents(self) -> int:
        return self.asked.cents

    @property
    def is_adopted(self) -> bool:
        outcome = self.launch.outcome
        return outcome is not None and outcome.result in (Result.ADOPTED, Result.ASSIGNED)


def launches_of(state: State, wanted: Callable[[Launch, Intent], bool]) -> list[Launch]:
    """The launches that were intended and are wanted, oldest first."""
    found = [
        (launch, launch.intent)
        for launch in state.launches.values()
        if launch.intent is not None and wanted(launch, launch.intent)
    ]
    return [launch for launch, _ in sorted(found, key=lambda each: (each[1].at, each[0].launch_id))]


def launches_of_session(state: State, session_id: str) -> list[Launch]:
    return launches_of(state, lambda _, intent: intent.session_id == session_id)


def is_live(launch: Launch) -> bool:
    """Whether money is, or may be, spent for it."""
    return launch.is_open or launch.has_runs


def slots_of(launch: Launch) -> tuple[Slot, ...]:
    """A run has the place of its id among the launch's; what no run is known for has the places that are left."""
    intent = launch.intent
    assert intent is not None
    by_key = {asked.key: asked for asked in intent.asked}
    places = {run_id: place for place, run_id in enumerate(launch.run_ids)}
    slots: dict[int, Slot] = {}
    for run_id, call in launch.live_calls.items():
        asked = by_key.get(call.key, intent.asked[0])
        slots[places[run_id]] = Slot(launch, places[run_id], replace(asked, calls=1), run_id, call, asked.case)
    free = (place for place in range(intent.calls + len(places)) if place not in slots)
    unbound = launch.unbound()
    unknown_runs = [run_id for run_id in launch.run_ids if run_id not in launch.live_calls]
    is_certain = len(unbound) == 1
    for asked in unbound:
        for number in range(asked.calls):
            place = next(free)
            run_id = unknown_runs[number] if is_certain and number < len(unknown_runs) else None
            slots[place] = Slot(launch, place, replace(asked, calls=1), run_id, None, asked.case)
    return tuple(slots[place] for place in sorted(slots))


def finished_runs(state: State) -> dict[int, str]:
    """The session with each run in its finished results."""
    return {run_id: session.session_id for session in state.sessions.values() for run_id in session.finished}


def unfinished_slots(state: State) -> list[Slot]:
    """What costs or may cost money and is in no finished results, oldest first."""
    finished = finished_runs(state)
    live = launches_of(state, lambda launch, _: is_live(launch))
    return [slot for launch in live for slot in slots_of(launch) if slot.run_id not in finished]


def slots_of_consent(state: State, consent_id: str) -> list[Slot]:
    """What costs or may cost money under a consent, from any session."""
    live = launches_of(state, lambda launch, intent: is_live(launch) and intent.consent_id == consent_id)
    return [slot for launch in live for slot in slots_of(launch)]


def slots_by_run(state: State) -> dict[int, Slot]:
    return {
        slot.run_id: slot
        for launch in launches_of(state, lambda launch, _: launch.has_runs)
        for slot in slots_of(launch)
        if slot.run_id is not None
    }


def slot_of_call(state: State, call: Call) -> Slot | None:
    """The slot of a call that is not in the log yet."""
    launch = state.launches.get(call.launch_id)
    if launch is None or launch.intent is None:
        return None
    with_call = replace(launch, calls={**launch.calls, call.run_id: call})
    return next((slot for slot in slots_of(with_call) if slot.run_id == call.run_id), None)


def cases_of(intent: Intent) -> Iterator[str]:
    """The cases that asked, each once."""
    yield from sorted({asked.case for asked in intent.asked})
