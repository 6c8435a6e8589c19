"""Which runs of earlier sessions count as calls of a change set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from planner.calls.consents import unfinished_consents
from planner.calls.slots import (
    Slot,
    finished_runs,
    launches_of,
    slots_of,
    slots_of_consent,
    unfinished_slots,
)
from planner.changes.configuration import Agents
from planner.changes.model import Change, ChangeSet
from planner.log.fold import State
from planner.records.log import Records
from planner.results.outcomes import Action
from planner.values import frozen
from planner.workspace.selection import Selection


@frozen
class StoredRuns:
    """The stored calls, and the agents that they are compared with."""

    records: Records
    agents: Agents


def resumable_runs(
    state: State, change_set: ChangeSet, consent_id: str, selection: Selection, stored: StoredRuns
) -> dict[str, tuple[Slot, ...]]:
    """Unfinished runs of the same calls, by the case that makes these calls now: known runs, those with evidence first
    and at most as many as the case may need, and every slot of an open launch. Nobody knows which of the open launches
    arrived, so none can be left out: they may be more than the case needs.

    With `--rerun` or `--start-over`, only runs of the same consent. Stored calls are excluded, even if the log does not
    know that they are stored.
    """
    same_consent_only = selection.rerun != "needed" or selection.start_over is not None
    slots: list[Slot] = []
    for slot, equal in _unfinished(state, change_set.payers, stored):
        if slot.intent.consent_id == consent_id or not same_consent_only:
            payer = max(equal, key=lambda change: change.case_id == slot.case_id)
            slots.append(replace(slot, case_id=payer.case_id))
    most_runs = {
        change.case_id: change.calls * (1 + (change.case.retries if change.case else 0)) for change in change_set.payers
    }
    found: dict[str, tuple[Slot, ...]] = {}
    known = Counter[str]()
    for slot in sorted(slots, key=lambda slot: (slot.evidence is None, slot.run_id is None)):
        if not slot.launch.is_open and known[slot.case_id] >= most_runs.get(slot.case_id, 0):
            continue
        known[slot.case_id] += not slot.launch.is_open
        found[slot.case_id] = (*found.get(slot.case_id, ()), slot)
    return found


def interrupted_cases(
    state: State, changes: Iterable[Change], stored: StoredRuns, *, sent_before: datetime
) -> frozenset[str]:
    """Reused cases with calls that are in no result, because the session that made them once more (such as with
    `--rerun all`) was killed."""
    reused = [change for change in changes if change.action is Action.REUSE]
    unfinished = {consent.consent_id for consent in unfinished_consents(state)}
    return frozenset(
        change.case_id
        for slot, equal in _unfinished(state, reused, stored)
        if slot.intent.consent_id in unfinished and slot.intent.at <= sent_before
        for change in equal
    )


def _unfinished(state: State, changes: Iterable[Change], stored: StoredRuns) -> Iterator[tuple[Slot, list[Change]]]:
    """Runs that were sent and are in no finished results, with the changes that make the same calls."""
    wanted: dict[str, list[Change]] = {}
    for change in changes:
        wanted.setdefault(change.call_fingerprint, []).append(change)
    for slot in unfinished_slots(state):
        if slot.confirms:
            continue
        equal = [change for change in wanted.get(slot.call_fingerprint, ()) if _same_call(slot, change, stored.agents)]
        if equal and (slot.intent.session_id, slot.run_id) not in stored.records.ids(slot.call_fingerprint):
            yield slot, equal


def open_launches_of_calls(state: State, change_set: ChangeSet) -> set[str]:
    """Open launches that asked for calls of this change set. They are settled before these are made again, even those
    that do not count as runs of it."""
    wanted = {change.call_fingerprint for change in change_set.with_action(Action.CALL)}
    return {
        launch.launch_id
        for launch in launches_of(state, lambda launch, _: launch.is_open)
        if any(slot.call_fingerprint in wanted for slot in slots_of(launch))
    }


def not_estimated(state: State, change_set: ChangeSet, consent_id: str, resumed: Iterable[Slot]) -> Counter[str]:
    """The calls that are not part of the estimate of what this consent pays for: those of other consents that are
    `resumed`, and those with a bill; by the case that makes these calls."""
    finished = finished_runs(state)
    mine = [slot for slot in slots_of_consent(state, consent_id) if slot.run_id not in finished and not slot.confirms]
    keys = {slot.key for slot in mine}
    known = Counter(slot.case_id for slot in resumed if slot.key not in keys)
    payers = {change.call_fingerprint: change.case_id for change in reversed(change_set.payers)}
    ids = {change.case_id for change in change_set.payers}
    for slot in mine:
        if slot.cost_cents is not None:
            payer = slot.case_id if slot.case_id in ids else payers.get(slot.call_fingerprint, slot.case_id)
            known[payer] += 1
    return known


def _same_call(slot: Slot, change: Change, agents: Agents) -> bool:
    if slot.call_fingerprint != change.call_fingerprint or change.case is None or change.inputs is None:
        return False
    update = {"agent_revision": slot.asked.revision, "configuration": slot.asked.configuration}
    return agents.edit(change.inputs.model_copy(update=update), change.case) is None
