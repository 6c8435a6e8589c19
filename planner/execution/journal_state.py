"""The state after all events of a journal: launches, their slots, and which runs belong to them. No I/O.

`validate` raises before anything changes, so the journal can write an event between `validate` and `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any

from planner.errors import StoreError
from planner.execution.consent_records import ConsentRecords
from planner.execution.consents import ConsentEvent
from planner.execution.events import (
    Collected,
    Consumed,
    DuplicateAnswer,
    Event,
    EvidenceStored,
    Imported,
    Intended,
    Moved,
    PreviewIntended,
    PreviewMoved,
    RequesterLearned,
    RunsBound,
    RunsClaimed,
    RunsKnown,
)
from planner.execution.launches import (
    KNOWN,
    LIVE,
    TRANSITIONS,
    Launch,
    LaunchIntent,
    LaunchProblem,
    LaunchState,
    Slot,
)
from planner.execution.previews import PreviewRecords, PreviewState
from planner.providers.base import Target
from planner.values import common_fields

OTHER_RESULTS = "stored results"
"""Placeholder for the launches of runs in other machines' results, which are unknown here."""


class TakenError(StoreError):
    """The service returned a run or batch that already belongs to launch `holder`."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(
            f"{what}, which already belongs to launch {holder}",
            "Nothing is repeated. Settle open launches with `planner reconcile`: another --store would not know them, "
            "and their calls would be charged again. Two services (THUNDERPHONE_API_BASE_URL) may use the same run "
            "ids, so each needs a store of its own.",
        )
        self.holder = holder


class JournalState:
    """The sum of all recorded events."""

    def __init__(self) -> None:
        self._launches: dict[str, Launch] = {}
        self._slots: dict[str, list[Slot]] = {}
        """By launch id, in the order of their ordinals."""
        self._claims: dict[int, str] = {}
        """The launch of each known run."""
        self._bound: dict[int, tuple[str, int]] = {}
        """The slot of each bound run."""
        self._requesters: dict[str, set[int]] = {}
        """By credential."""
        self._credentials: dict[str, str] = {}
        """By launch id; "" if unknown."""
        self._texts: dict[str, str] = {}
        """One copy of each prompt, however many runs use it."""
        self.previews = PreviewRecords()
        self.consents = ConsentRecords()

    def record(self, event: Event) -> None:
        """Add an event.

        Raises:
            TakenError: a run or batch belongs to another launch. Nothing has changed.
        """
        self.validate(event)
        self.apply(event)

    def mark_interrupted(self) -> int:
        """Settle what a killed session left: INTENDED was never sent, SENT is unconfirmed. Returns the number of
        unconfirmed launches."""
        for launch in self.launches([LaunchState.INTENDED]):
            self.record(Moved(launch.launch_id, LaunchState.UNSENT, "the process ended before it was sent"))
        for preview in self.previews.every():
            if preview.state is PreviewState.INTENDED:
                self.record(PreviewMoved(preview.preview_id, PreviewState.ABSENT, detail="it was never sent"))
        sent = self.launches([LaunchState.SENT])
        for launch in sent:
            self.record(Moved(launch.launch_id, LaunchState.UNCONFIRMED, "the process ended before the answer came"))
        return len(sent)

    # Validating

    def validate(self, event: Event) -> None:
        """Raises `StoreError` or `AssertionError` if the event is impossible now."""
        if isinstance(event, ConsentEvent):
            self.consents.validate(event)
            return
        match event:
            case Intended(intent):
                self._require_new(intent.launch_id)
            case Imported(launch):
                self._require_new(launch.launch_id)
            case Moved():
                self._require_free(event.launch_id, event.batch_id, event.run_ids)
                self._require_transition(event.launch_id, event.state)
                self._require_bindable(event.launch_id, event.bindings)
            case DuplicateAnswer(launch_id):
                self._require_transition(launch_id, LaunchState.UNCONFIRMED)
            case RunsClaimed(launch_id, run_ids):
                self._require_known(launch_id)
                self._require_free(launch_id, None, run_ids)
            case RunsBound(launch_id, bindings):
                self._require_known(launch_id)
                self._require_bindable(launch_id, bindings)
            case EvidenceStored(slots):
                for slot in slots:
                    self._require_bound(slot.launch_id, slot.ordinal)
            case Consumed(_, keys):
                for launch_id, ordinal in keys:
                    self._require_bound(launch_id, ordinal)
            case PreviewIntended() | PreviewMoved():
                self.previews.validate(event)
            case RunsKnown() | RequesterLearned():
                pass

    def _require_new(self, launch_id: str) -> None:
        if launch_id in self._launches:
            raise StoreError(f"launch {launch_id} is already in the journal")

    def _require_transition(self, launch_id: str, state: LaunchState) -> None:
        before = self._launches[launch_id].state
        if state not in TRANSITIONS.get(before, frozenset()):
            raise AssertionError(f"launch {launch_id}: {before.value} → {state.value} is not a valid transition")

    def _require_known(self, launch_id: str) -> None:
        state = self._launches[launch_id].state
        if state not in KNOWN:
            raise AssertionError(f"launch {launch_id} is {state.value} and has no known runs")

    def _require_free(self, launch_id: str, batch_id: int | None, run_ids: Iterable[int]) -> None:
        """Runs, or a batch that does not list its runs, must not belong to another launch."""
        run_ids = tuple(run_ids)
        for run_id in run_ids:
            if (holder := self._claims.get(run_id, launch_id)) != launch_id:
                raise TakenError(f"run {run_id}", holder)
        if batch_id is not None and not run_ids:
            for other in self._launches.values():
                if other.batch_id == batch_id and other.launch_id != launch_id and other.state in KNOWN:
                    raise TakenError(f"batch {batch_id}", other.launch_id)

    def _require_bindable(self, launch_id: str, bindings: Mapping[int, int]) -> None:
        """A bound slot keeps its run, and a run its slot."""
        slots = self._slots[launch_id]
        for ordinal, run_id in bindings.items():
            if not 0 <= ordinal < len(slots):
                raise AssertionError(f"launch {launch_id} has no slot {ordinal}")
            if slots[ordinal].run_id not in (None, run_id):
                raise AssertionError(
                    f"slot {ordinal} of launch {launch_id} cannot be bound to run {run_id}: it is not free"
                )
            if self._bound.get(run_id, (launch_id, ordinal)) != (launch_id, ordinal):
                raise TakenError(f"run {run_id}", self._bound[run_id][0])

    def _require_bound(self, launch_id: str, ordinal: int) -> None:
        slots = self._slots.get(launch_id, [])
        if not 0 <= ordinal < len(slots) or slots[ordinal].run_id is None:
            raise AssertionError(f"slot {ordinal} of launch {launch_id} is not bound to a run")

    # Applying

    def apply(self, event: Event) -> None:
        """Add a valid event."""
        if isinstance(event, ConsentEvent):
            self.consents.apply(event)
            return
        match event:
            case Intended(intent):
                self._intend(intent)
            case Moved(launch_id):
                self._change(launch_id, state=event.state, detail=event.detail, batch_id=event.batch_id)
                if event.slack_seconds is not None:
                    self._change(launch_id, slack_seconds=event.slack_seconds)
                self._claim(launch_id, event.run_ids)
                self._bind(launch_id, event.bindings)
            case DuplicateAnswer(launch_id, holder, detail):
                problem = LaunchProblem.DUPLICATE_ANSWER
                self._change(launch_id, state=LaunchState.UNCONFIRMED, detail=detail, problem=problem)
                if holder in self._launches:  # its runs are verified from now on
                    self._change(holder, problem=problem)
            case RunsClaimed(launch_id, run_ids):
                self._claim(launch_id, run_ids)
            case RunsBound(launch_id, bindings):
                self._bind(launch_id, bindings)
            case EvidenceStored(stored):
                for each in stored:
                    learned = {
                        "evidence": each.evidence,
                        "cost_cents": each.cost_cents,
                        "completed_at": each.completed_at,
                    }
                    self._change_slot(each.launch_id, each.ordinal, **learned)
            case Consumed(session_id, keys):
                for launch_id, ordinal in keys:
                    self._change_slot(launch_id, ordinal, consumed_by=session_id)
            case Imported():
                self._import(event)
            case RunsKnown(run_ids):
                for run_id in run_ids:
                    self._claims.setdefault(run_id, OTHER_RESULTS)
            case RequesterLearned(credential, requester_id):
                self._requesters.setdefault(credential, set()).add(requester_id)
            case PreviewIntended() | PreviewMoved():
                self.previews.apply(event)

    def _intend(self, intent: LaunchIntent) -> None:
        launch_id = intent.launch_id
        self._launches[launch_id] = Launch(**common_fields(intent, Launch), state=LaunchState.INTENDED)
        self._credentials[launch_id] = intent.credential
        slots = [replace(slot, prompt=self._texts.setdefault(slot.prompt, slot.prompt)) for slot in intent.slots]
        self._slots[launch_id] = [
            Slot(launch_id, ordinal, **common_fields(slot, Slot)) for ordinal, slot in enumerate(slots)
        ]

    def _import(self, event: Imported) -> None:
        """Runs that are already claimed keep their claim."""
        launch_id = event.launch.launch_id
        self._launches[launch_id] = replace(event.launch, run_ids=())
        self._credentials[launch_id] = event.credential
        run_ids = {*event.launch.run_ids, *(slot.run_id for slot in event.slots if slot.run_id is not None)}
        self._claim(launch_id, [run_id for run_id in run_ids if run_id not in self._claims])
        mine = set(self._launches[launch_id].run_ids)
        self._slots[launch_id] = [slot if slot.run_id in mine else replace(slot, run_id=None) for slot in event.slots]
        self._bound.update((slot.run_id, slot.key) for slot in self._slots[launch_id] if slot.run_id is not None)

    def _change(self, launch_id: str, **changes: Any) -> None:
        self._launches[launch_id] = replace(self._launches[launch_id], **changes)

    def _change_slot(self, launch_id: str, ordinal: int, **changes: Any) -> None:
        slots = self._slots[launch_id]
        slots[ordinal] = replace(slots[ordinal], **changes)

    def _claim(self, launch_id: str, run_ids: Iterable[int]) -> None:
        run_ids = tuple(run_ids)
        if run_ids:
            self._claims.update(dict.fromkeys(run_ids, launch_id))
            claimed = {*self._launches[launch_id].run_ids, *run_ids}
            self._change(launch_id, run_ids=tuple(sorted(claimed)))

    def _bind(self, launch_id: str, bindings: Mapping[int, int]) -> None:
        for ordinal, run_id in bindings.items():
            self._change_slot(launch_id, ordinal, run_id=run_id)
            self._bound[run_id] = (launch_id, ordinal)

    # Reading

    def launches(self, states: Iterable[LaunchState]) -> list[Launch]:
        """Oldest first."""
        wanted = frozenset(states)
        found = (launch for launch in self._launches.values() if launch.state in wanted)
        return sorted(found, key=lambda launch: (launch.sent_at, launch.launch_id))

    def launches_of(self, session_id: str) -> list[Launch]:
        return [launch for launch in self._launches.values() if launch.session_id == session_id]

    def launch_ids_of(self, consent_id: str) -> list[str]:
        """In any state."""
        return [launch_id for launch_id, launch in self._launches.items() if launch.consent_id == consent_id]

    def launch(self, launch_id: str) -> Launch | None:
        return self._launches.get(launch_id)

    def unconsumed_slots(self) -> list[Slot]:
        """Slots of launches that cost or may cost money; oldest first."""
        return self._live_slots(lambda _, slot: slot.consumed_by is None)

    def slots_of_consent(self, consent_id: str) -> list[Slot]:
        """All slots that cost or may cost money, from any session."""
        return self._live_slots(lambda launch, _: launch.consent_id == consent_id)

    def _live_slots(self, wanted: Callable[[Launch, Slot], bool]) -> list[Slot]:
        return [
            slot for launch in self.launches(LIVE) for slot in self._slots[launch.launch_id] if wanted(launch, slot)
        ]

    def bills(self, consent_id: str) -> list[tuple[Target, int, int]]:
        """(target, reserved cents, billed cents) of this consent's calls, and of calls that are not in finished
        results."""
        highest: dict[tuple[Target, int], int] = {}
        for launch in self._launches.values():
            for slot in self._slots[launch.launch_id]:
                if slot.cost_cents is not None and (launch.consent_id == consent_id or slot.consumed_by is None):
                    key = (launch.line.target, slot.reserved_cents)
                    highest[key] = max(slot.cost_cents, highest.get(key, 0))
        return [(target, reserved_cents, billed_cents) for (target, reserved_cents), billed_cents in highest.items()]

    def slots_of(self, launch_id: str) -> tuple[Slot, ...]:
        """By ordinal, in any state of the launch."""
        return tuple(self._slots.get(launch_id, ()))

    def slot_of_run(self, run_id: int) -> Slot | None:
        launch_id, ordinal = self._bound.get(run_id, ("", 0))
        return self._slots[launch_id][ordinal] if launch_id else None

    def is_called(self, target: Target, since: datetime) -> bool:
        """Whether a call to this target may be under way, or its evidence is missing; launches before `since` are
        over."""
        return any(
            slot.consumed_by is slot.evidence is slot.cost_cents is None
            for launch in self.launches(LIVE)
            if launch.line.target == target and launch.sent_at > since
            for slot in self._slots[launch.launch_id]
        )

    def claimed_run_ids(self) -> set[int]:
        return set(self._claims)

    def claimed_batch_ids(self) -> set[int]:
        """Includes batches that did not list their runs."""
        return {
            launch.batch_id
            for launch in self._launches.values()
            if launch.batch_id is not None and launch.state in KNOWN
        }

    def answered_batch_ids(self) -> set[int]:
        """Only batches that answered a launch: one that was matched may be another launch's."""
        answered = self.launches([LaunchState.ACKNOWLEDGED])
        return {launch.batch_id for launch in answered if launch.batch_id is not None}

    def requesters(self, credential: str) -> set[int]:
        """The known requesters of this API key; may be empty."""
        return set(self._requesters.get(credential, ()))

    def known_requesters(self) -> Mapping[str, AbstractSet[int]]:
        """By API key."""
        return {credential: set(requesters) for credential, requesters in self._requesters.items() if credential}

    def requesters_of(self, launch_id: str) -> frozenset[int]:
        """Possible requesters of this launch, by its API key; empty if unknown, which matches anyone."""
        return frozenset(self._requesters.get(self._credentials.get(launch_id, ""), ()))

    def launched_with_other(self, credential: str) -> frozenset[str]:
        """Ids of launches that used another API key. Launches with an unknown key are not included."""
        if not credential:
            return frozenset()
        known = ("", credential)
        return frozenset(launch_id for launch_id, key in self._credentials.items() if key not in known)


def evidence_stored(slots: Iterable[Slot]) -> EvidenceStored:
    """The evidence, bills and ends of these bound slots."""
    return EvidenceStored(
        tuple(
            Collected(slot.launch_id, slot.ordinal, slot.evidence, slot.cost_cents, slot.completed_at) for slot in slots
        )
    )
