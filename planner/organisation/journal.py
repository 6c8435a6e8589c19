"""The journal of a coordinator: the events of all consents, in the organisation's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from sqlalchemy import RowMapping

from planner.errors import StoreError
from planner.execution.consents import ConsentAdded
from planner.execution.events import (
    KINDS,
    NAMES,
    Consumed,
    DuplicateAnswer,
    Event,
    EvidenceStored,
    Intended,
    Moved,
    RunsBound,
    RunsClaimed,
)
from planner.execution.journal_state import JournalState
from planner.execution.launches import KNOWN, UNSETTLED
from planner.execution.reconciling import prompt_key
from planner.organisation.pruned import PRUNED, last_of
from planner.organisation.tables import Tables


class TablesJournal(JournalState):
    """Each event is in the tables before `record` returns, in one transaction with the check of the epoch."""

    def __init__(self, tables: Tables, epoch: int) -> None:
        """Replay every event. Raises `StoreError` if one that concerns all is not as a coordinator writes it."""
        self._tables = tables
        self._epoch = epoch
        self.unreadable: dict[str, StoreError] = {}
        """Consents with such an event, and why. Then none of their events counts, and nothing is called for them."""
        while not self._is_replayed():
            pass

    def _is_replayed(self) -> bool:
        """Replay the events; False if another consent turned out to be unreadable."""
        super().__init__()
        self._recorded = 0
        self.sessions: dict[str, str] = {}
        """The session of the client that submitted a consent, by consent id."""
        for row in self._tables.events():
            number, consent_id = row["number"], row["consent_id"]
            if number != self._recorded + 1:
                raise _impossible(self._tables, self._recorded + 1, "it is missing")
            self._recorded = last_of(number, row["kind"], row["event"])
            if row["kind"] == PRUNED or consent_id in self.unreadable:
                continue
            try:
                event = event_of(row["kind"], row["event"], self._tables)
                self.validate(event)
                self.apply(event)
            except (AssertionError, LookupError, StoreError) as error:
                trouble = _impossible(self._tables, number, str(error), consent_id)
                if not consent_id or row["kind"] not in KINDS:  # of a newer version, all may be misunderstood
                    raise trouble from error
                self.unreadable[consent_id] = trouble
                return False
        return True

    def record(self, event: Event) -> None:
        """Make an event durable, then add it.

        Raises:
            FencedError: another coordinator has taken over. Nothing was written.
            StoreError: the event may or may not be in the tables, so this journal must not be used any more.
            TakenError: a run or batch belongs to another launch. Nothing was written.
        """
        for part in self._by_consent(event):
            self.validate(part)
            consent_id = self._consent_of(part)
            self._tables.add_event(
                self._epoch,
                {
                    "number": self._recorded + 1,
                    "consent_id": consent_id,
                    "session_id": self.sessions.get(consent_id, ""),
                    "kind": NAMES[type(part)],
                    "event": to_json(part._asdict()).decode(),
                },
            )
            self._recorded += 1
            self.apply(part)

    def _by_consent(self, event: Event) -> Iterator[Event]:
        """Evidence that was stored together may be of several consents, whose clients read only their own events."""
        if not isinstance(event, EvidenceStored):
            yield event
            return
        by_consent: dict[str, list[Any]] = {}
        for slot in event.slots:
            by_consent.setdefault(self._launched_under(slot.launch_id), []).append(slot)
        yield from (EvidenceStored(tuple(slots)) for slots in by_consent.values())

    def _consent_of(self, event: Event) -> str:
        """An empty id for what concerns all."""
        match event:
            case Intended(intent):
                return intent.consent_id
            case ConsentAdded(consent):
                return consent.consent_id
            case Moved() | DuplicateAnswer() | RunsClaimed() | RunsBound():
                return self._launched_under(event.launch_id)
            case EvidenceStored(slots):
                return self._launched_under(slots[0].launch_id)
            case Consumed(_, keys):
                return self._launched_under(keys[0][0])
            case _:
                return ""

    def _launched_under(self, launch_id: str) -> str:
        launch = self.launch(launch_id)
        assert launch is not None, launch_id
        return launch.consent_id

    def forget_prompts(self, consent_id: str) -> None:
        """Remove the prompts of an ended consent from the tables, but for launches that may still be searched for."""
        if consent_id in self.unreadable:
            return
        rewritten: dict[int, str] = {}
        for row in self._tables.events(consent_id=consent_id):
            event = event_of(row["kind"], row["event"], self._tables) if row["kind"] == "intended" else None
            if isinstance(event, Intended) and not self._is_open(event.intent.launch_id):
                rewritten[row["number"]] = to_json(without_prompts(event)._asdict()).decode()
        self._tables.rewrite_events(self._epoch, rewritten)

    def _is_open(self, launch_id: str) -> bool:
        launch = self.launch(launch_id)
        if launch is None:  # of another coordinator, which has taken over
            return True
        unbound = any(slot.run_id is None for slot in self.slots_of(launch_id))
        return launch.state in UNSETTLED or (launch.state in KNOWN and unbound)


def without_prompts(event: Intended) -> Intended:
    slots = tuple(replace(slot, prompt=prompt_key(slot.prompt)) for slot in event.intent.slots)
    return Intended(replace(event.intent, slots=slots))


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def event_of(kind: str, text: str, tables: Tables) -> Event:
    """Raises `StoreError` for what no coordinator writes."""
    if kind not in KINDS:
        raise StoreError(
            f"the organisation's tables ({tables.shown}) have an event of an unknown kind: {kind[:80]!r}",
            "Upgrade planner on this machine.",
        )
    try:
        return cast("Event", _adapter(kind).validate_json(text, strict=True))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise StoreError(
            f"the organisation's tables ({tables.shown}) hold an impossible {kind} event: {first['msg']}", _RESTORE
        ) from error


def event_to_follow(row: RowMapping, tables: Tables) -> Event:
    """For the client of its consent. Raises `StoreError` for what no coordinator writes."""
    try:
        return event_of(row["kind"], row["event"], tables)
    except StoreError as error:
        raise _impossible(tables, row["number"], str(error), row["consent_id"]) from error


_RESTORE = "Nothing is launched: its sums cannot be trusted. Restore the database from a backup."
_RESTORE_ROW = (
    "Nothing is called for it, and ceilings of a month count all that it allowed. Stop the workers, restore this row "
    "of `events` from a backup, and start them again."
)


def _impossible(tables: Tables, number: int, why: str, consent_id: str = "") -> StoreError:
    of = f", of consent {consent_id}," if consent_id else ""
    text = f"event {number} of the organisation's tables ({tables.shown}){of} is impossible: {why}"
    return StoreError(text, _RESTORE_ROW if consent_id else _RESTORE)
