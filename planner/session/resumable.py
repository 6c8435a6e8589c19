"""Which runs of earlier sessions count as calls of a change set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from planner.changes.configuration import Agents
from planner.changes.model import Change, ChangeSet
from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED, Launch, Slot
from planner.execution.wanted import resumable_slots
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
    journal: Journal, change_set: ChangeSet, consent_id: str, selection: Selection, stored: StoredRuns
) -> dict[str, tuple[Slot, ...]]:
    """Unconsumed runs of the same calls, as `resumable_slots`, by the case that makes these calls now.

    With `--rerun` or `--start-over`, only runs of the same consent. Stored calls are excluded, even if the journal does
    not know that they are stored.
    """
    same_consent_only = selection.rerun != "needed" or selection.start_over is not None
    slots: list[Slot] = []
    for launch, slot, equal in _unconsumed(journal, change_set.payers, stored):
        if launch.consent_id == consent_id or not same_consent_only:
            payer = max(equal, key=lambda change: change.case_id == slot.case_id)
            slots.append(replace(slot, case_id=payer.case_id))
    most_runs = {
        change.case_id: change.calls * (1 + (change.case.retries if change.case else 0)) for change in change_set.payers
    }
    open_launches = {launch.launch_id for launch in journal.launches(UNSETTLED)}
    return resumable_slots(slots, most_runs, open_launches)


def interrupted_cases(
    journal: Journal, changes: Iterable[Change], stored: StoredRuns, *, sent_before: datetime
) -> frozenset[str]:
    """Reused cases with calls that are in no result, because the session that made them once more (such as with
    `--rerun all`) was killed."""
    reused = [change for change in changes if change.action is Action.REUSE]
    unfinished = {consent.consent_id for consent in journal.consents.open()}
    return frozenset(
        change.case_id
        for launch, _, equal in _unconsumed(journal, reused, stored)
        if launch.consent_id in unfinished and launch.sent_at <= sent_before
        for change in equal
    )


def _unconsumed(
    journal: Journal, changes: Iterable[Change], stored: StoredRuns
) -> Iterator[tuple[Launch, Slot, list[Change]]]:
    """Unconsumed runs that were sent, with the changes that make the same calls."""
    wanted: dict[str, list[Change]] = {}
    for change in changes:
        wanted.setdefault(change.call_fingerprint, []).append(change)
    for slot in journal.unconsumed_slots():
        launch = journal.launch(slot.launch_id)
        if launch is None:
            continue
        equal = [change for change in wanted.get(slot.call_fingerprint, ()) if _same_call(slot, change, stored.agents)]
        if equal and (launch.session_id, slot.run_id) not in stored.records.ids(slot.call_fingerprint):
            yield launch, slot, equal


def open_launches_of_calls(journal: Journal, change_set: ChangeSet) -> set[str]:
    """Open launches that asked for calls of this change set. They are settled before these are made again, even those
    that do not count as runs of it."""
    wanted = {change.call_fingerprint for change in change_set.with_action(Action.CALL)}
    return {
        launch.launch_id
        for launch in journal.launches(UNSETTLED)
        if any(slot.call_fingerprint in wanted for slot in journal.slots_of(launch.launch_id))
    }


def not_estimated(journal: Journal, change_set: ChangeSet, consent_id: str, resumed: Iterable[Slot]) -> Counter[str]:
    """The calls that are not part of the estimate of what this consent pays for: those of other consents that are
    `resumed`, and those with a bill; by the case that makes these calls."""
    mine = {slot.key for slot in journal.slots_of_consent(consent_id) if slot.consumed_by is None}
    known = Counter(slot.case_id for slot in resumed if slot.key not in mine)
    payers = {change.call_fingerprint: change.case_id for change in reversed(change_set.payers)}
    ids = {change.case_id for change in change_set.payers}
    for slot in journal.slots_of_consent(consent_id):
        if slot.cost_cents is not None and slot.consumed_by is None:
            payer = slot.case_id if slot.case_id in ids else payers.get(slot.call_fingerprint, slot.case_id)
            known[payer] += 1
    return known


def _same_call(slot: Slot, change: Change, agents: Agents) -> bool:
    if slot.call_fingerprint != change.call_fingerprint or change.case is None or change.inputs is None:
        return False
    update = {"agent_revision": slot.agent_revision, "configuration": slot.configuration}
    return agents.edit(change.inputs.model_copy(update=update), change.case) is None
