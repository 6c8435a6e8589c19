"""The log in the words of its readers: launches, slots and consents, made from folded facts.

Readers move to the facts themselves one by one; what is left of this module goes with the last of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from planner.changes.consent import MAX_COST
from planner.errors import UsageError
from planner.execution.consents import Amount, Consent, ConsentedCall, ConsentWay
from planner.execution.launches import LIVE, Launch, LaunchProblem, LaunchState, Slot
from planner.log import facts
from planner.log.facts import Asked, Fact, Intent, Result, Scope
from planner.log.fold import Launch as FoldedLaunch
from planner.log.fold import State
from planner.log.journal import IN_MEMORY
from planner.log.local import LocalLog
from planner.log.stores.store import Store
from planner.providers.base import RunId, Target

__all__ = ["IN_MEMORY", "OLD_FILE", "Journal", "journal_for_reading"]

OLD_FILE: Final = "journal.sqlite"
"""Where versions before the log kept their launches."""

_STATES: Final = {
    Result.ABSENT: LaunchState.ABSENT,
    Result.ADOPTED: LaunchState.ADOPTED,
    Result.UNCLEAR: LaunchState.UNCONFIRMED,
    Result.ABANDONED: LaunchState.ABSENT,
    Result.ASSIGNED: LaunchState.ADOPTED,
    Result.UNSENT: LaunchState.UNSENT,
    Result.REFUSED: LaunchState.REFUSED,
    Result.ACCEPTED: LaunchState.ACKNOWLEDGED,
}


class Consents:
    """The consents of a log, without the launches made under them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, consent_id: str) -> Consent | None:
        fact = self._state.consents.get(consent_id)
        return None if fact is None else _consent_of(fact)

    def every(self) -> list[Consent]:
        return [_consent_of(fact) for fact in self._state.consents.values()]

    def made_of(self, digest: str) -> list[tuple[Consent, frozenset[int]]]:
        """The consents to a set, and which of its calls, by their place, were made under each."""
        alike = [fact for fact in self._state.consents.values() if fact.digest == digest]
        return [(_consent_of(fact), self.ended_of(fact.consent_id)) for fact in alike]

    def open(self) -> list[Consent]:
        """The consents with something left to do, oldest first."""
        found = [fact for fact in self._state.consents.values() if self.is_open(fact.consent_id)]
        return [_consent_of(fact) for fact in sorted(found, key=lambda fact: (fact.at, fact.consent_id))]

    def is_open(self, consent_id: str) -> bool:
        fact = self._state.consents.get(consent_id)
        return fact is not None and not self.ended_of(consent_id).issuperset(range(len(fact.goals)))

    def ended_of(self, consent_id: str) -> frozenset[int]:
        """The calls, by their place, of which nothing is left."""
        sessions = (session for session in self._state.sessions.values() if session.consent_id == consent_id)
        return frozenset(place for session in sessions for place in session.done)

    def judging_of(self, consent_id: str) -> dict[str, dict[str, Amount]]:
        """What judge calls cost, in microcents, by session id and plan."""
        found: dict[str, dict[str, Amount]] = {}
        for vote in self._state.votes.values():
            if vote.consent_id == consent_id:
                by_plan = found.setdefault(vote.session_id, {})
                by_plan[vote.plan] = by_plan.get(vote.plan, Amount()) + _amount_of(vote)
        return found

    def judging_in(self, month: str) -> dict[str, Amount]:
        """What judge calls cost that count in a month (UTC), in microcents, by session id."""
        found: dict[str, Amount] = {}
        for vote in self._state.votes.values():
            if f"{vote.at.astimezone(UTC):%Y-%m}" == month:
                found[vote.session_id] = found.get(vote.session_id, Amount()) + _amount_of(vote)
        return found


class Journal:
    """A log, opened by one process."""

    def __init__(self, log: LocalLog, account: str) -> None:
        self.log = log
        self.account = account
        self.consents = Consents(log.state)
        self.session_is_ended = False
        self._views: dict[str, tuple[FoldedLaunch, Launch, tuple[Slot, ...]]] = {}

    @property
    def state(self) -> State:
        return self.log.state

    def close(self) -> None:
        self.log.close()

    def note(self, *noted: Fact) -> None:
        self.log.note(noted)

    # Launches

    def _view(self, folded: FoldedLaunch) -> tuple[Launch, tuple[Slot, ...]]:
        known = self._views.get(folded.launch_id)
        if known is None or known[0] is not folded:
            known = (folded, _launch_of(folded), _slots_of(folded))
            self._views[folded.launch_id] = known
        return known[1:]

    def _launched(self) -> list[tuple[Launch, tuple[Slot, ...]]]:
        """Oldest first."""
        views = [self._view(folded) for folded in self.state.launches.values() if folded.intent is not None]
        return sorted(views, key=lambda view: (view[0].sent_at, view[0].launch_id))

    def _consumed(self) -> dict[int, str]:
        """The session with each run in its finished results."""
        return {run_id: session.session_id for session in self.state.sessions.values() for run_id in session.finished}

    def launches(self, states: Iterable[LaunchState]) -> list[Launch]:
        """Oldest first."""
        wanted = frozenset(states)
        return [launch for launch, _ in self._launched() if launch.state in wanted]

    def launches_of(self, session_id: str) -> list[Launch]:
        return [launch for launch, _ in self._launched() if launch.session_id == session_id]

    def launch(self, launch_id: str) -> Launch | None:
        folded = self.state.launches.get(launch_id)
        return None if folded is None or folded.intent is None else self._view(folded)[0]

    def slots_of(self, launch_id: str) -> tuple[Slot, ...]:
        folded = self.state.launches.get(launch_id)
        return () if folded is None or folded.intent is None else self._marked(self._view(folded)[1])

    def _marked(self, slots: Iterable[Slot], consumed: Mapping[int, str] | None = None) -> tuple[Slot, ...]:
        consumed = self._consumed() if consumed is None else consumed
        return tuple(
            replace(slot, consumed_by=consumed[slot.run_id])
            if slot.run_id is not None and slot.run_id in consumed
            else slot
            for slot in slots
        )

    def _live_slots(self, wanted: Callable[[Launch, Slot], bool]) -> list[Slot]:
        consumed = self._consumed()
        return [
            slot
            for launch, slots in self._launched()
            if launch.state in LIVE
            for slot in self._marked(slots, consumed)
            if wanted(launch, slot)
        ]

    def unconsumed_slots(self) -> list[Slot]:
        """Slots of launches that cost or may cost money; oldest first."""
        return self._live_slots(lambda _, slot: slot.consumed_by is None)

    def slots_of_consent(self, consent_id: str) -> list[Slot]:
        """All slots that cost or may cost money, from any session."""
        return self._live_slots(lambda launch, _: launch.consent_id == consent_id)

    def slot_of_run(self, run_id: int) -> Slot | None:
        folded = self.state.launch_of_run(run_id)
        slots = () if folded is None else self.slots_of(folded.launch_id)
        return next((slot for slot in slots if slot.run_id == run_id), None)

    def call_of_run(self, run_id: int) -> facts.Call | None:
        folded = self.state.launch_of_run(run_id)
        return None if folded is None else folded.calls.get(RunId(run_id))

    def slot_of_call(self, call: facts.Call) -> Slot | None:
        """The slot of a call that is not in the log yet."""
        folded = self.state.launches.get(call.launch_id)
        if folded is None or folded.intent is None:
            return None
        with_call = replace(folded, calls={**folded.calls, call.run_id: call})
        return next((slot for slot in _slots_of(with_call) if slot.run_id == call.run_id), None)

    def bills(self, consent_id: str) -> list[tuple[Target, int, int]]:
        """(target, reserved cents, billed cents) of this consent's calls, and of calls that are not in finished
        results."""
        highest: dict[tuple[Target, int], int] = {}
        consumed = self._consumed()
        for launch, slots in self._launched():
            for slot in slots:
                if slot.cost_cents is not None and (launch.consent_id == consent_id or slot.run_id not in consumed):
                    key = (launch.line.target, slot.reserved_cents)
                    highest[key] = max(slot.cost_cents, highest.get(key, 0))
        return [(target, reserved_cents, billed_cents) for (target, reserved_cents), billed_cents in highest.items()]

    def killed_launches(self) -> int:
        """How many launches of sessions that did not end are unconfirmed."""
        ended = {session.session_id for session in self.state.sessions.values() if session.is_end}
        return sum(intent.session_id not in ended for intent in self.state.open_launches())

    # Writing

    def record_bills(self, slots: Iterable[Slot]) -> None:
        """Evidence and bills that came later."""
        noted: list[Fact] = []
        for slot in slots:
            folded = self.state.launches.get(slot.launch_id)
            call = None if folded is None or slot.run_id is None else folded.calls.get(RunId(slot.run_id))
            if call is not None:
                missing = call.missing if slot.cost_cents is None else tuple(x for x in call.missing if x != "bill")
                noted.append(
                    replace(
                        call,
                        part=call.part + 1,
                        evidence=slot.evidence or call.evidence,
                        cents=call.cents if slot.cost_cents is None else slot.cost_cents,
                        basis=call.basis if slot.cost_cents in (None, call.cents) else "transaction",
                        missing=missing,
                    )
                )
        self.log.note(noted)


def journal_for_reading(
    path: Path, account: str, now: Callable[[], datetime], store: tuple[str, Store] | None = None
) -> Journal | None:
    """The log, for a command that changes nothing: in memory if it cannot be written, or as a copy. None if there is
    none."""
    check_no_older(path)
    exists = path.exists()
    if not exists and store is None:
        return None
    is_writable = exists and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    is_copied = exists and (store is not None or not is_writable)
    log = LocalLog(path if exists else IN_MEMORY, account, now, store, read_only=is_copied)
    if store is not None:
        log.read()
    return Journal(log, account)


def check_no_older(path: Path) -> None:
    """Raises `UsageError` if an older version of planner kept its launches beside this log."""
    old = path.with_name(OLD_FILE)
    if old.exists():
        raise UsageError(
            f"{old} was written by an older version of planner, which this one cannot read",
            "Finish its calls with that version, then move the file away; or choose another --store.",
        )


# Facts in the words of their readers


def _launch_of(folded: FoldedLaunch) -> Launch:
    intent, outcome = folded.intent, folded.outcome
    assert intent is not None
    state = LaunchState.UNCONFIRMED if outcome is None else _STATES[outcome.result]
    if outcome is not None and outcome.result is Result.REFUSED and outcome.status not in (0, 402, 429):
        state = LaunchState.REJECTED
    is_unclear = outcome is not None and outcome.result is Result.UNCLEAR
    return Launch(
        launch_id=intent.launch_id,
        session_id=intent.session_id,
        consent_id=intent.consent_id,
        state=state,
        line=intent.line,
        name=intent.launch_id,
        sent_at=intent.at,
        slack_seconds=intent.slack_seconds,
        batch_id=folded.batch_id,
        run_ids=folded.run_ids,
        problem=LaunchProblem.DUPLICATE_ANSWER if is_unclear else None,
    )


def _slots_of(folded: FoldedLaunch) -> tuple[Slot, ...]:
    """A run has the place of its id among the launch's; what no run is known for has the places that are left."""
    intent = folded.intent
    assert intent is not None
    by_key = {asked.key: asked for asked in intent.asked}
    places = {run_id: place for place, run_id in enumerate(folded.run_ids)}
    slots: dict[int, Slot] = {}
    for run_id, call in folded.live_calls.items():
        asked = by_key.get(call.key, intent.asked[0])
        slots[places[run_id]] = replace(
            _slot(intent, asked, places[run_id]),
            run_id=run_id,
            evidence=call.evidence,
            cost_cents=call.cents if call.has_final_bill else None,
            completed_at=call.completed_at,
        )
    free = (place for place in range(intent.calls + len(places)) if place not in slots)
    unbound = folded.unbound()
    unknown_runs = [run_id for run_id in folded.run_ids if run_id not in folded.live_calls]
    is_certain = len(unbound) == 1
    for asked in unbound:
        for number in range(asked.calls):
            place = next(free)
            run_id = unknown_runs[number] if is_certain and number < len(unknown_runs) else None
            slots[place] = replace(_slot(intent, asked, place), run_id=run_id)
    return tuple(slots[place] for place in sorted(slots))


def _slot(intent: Intent, asked: Asked, place: int) -> Slot:
    return Slot(
        launch_id=intent.launch_id,
        ordinal=place,
        case_id=asked.case,
        plan=asked.plan,
        prompt="",
        call_fingerprint=":".join(asked.key.split(":")[:2]),  # without the agent's file
        call_key=asked.key,
        agent_revision=asked.revision,
        reserved_cents=asked.cents,
        configuration=asked.configuration,
    )


def _consent_of(fact: facts.Consent) -> Consent:
    ceiling = next(
        (each.cents for each in fact.ceilings if each.scope is Scope.CONSENT and each.label == MAX_COST), None
    )
    return Consent(
        consent_id=fact.consent_id,
        digest=fact.digest,
        by=fact.person,
        how=ConsentWay(fact.how),
        agreed_at=fact.at,
        max_cost_cents=ceiling,
        calls=tuple(ConsentedCall(goal.key, goal.calls) for goal in fact.goals),
        starts_over=fact.starts_over,
    )


def _amount_of(vote: facts.Vote) -> Amount:
    return Amount(0, vote.microcents) if vote.answer is None else Amount(vote.microcents, 0)
