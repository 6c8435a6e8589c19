"""What was spent and reserved under a consent: this journal's launches and judge calls, and what other machines shared.

A pure view. Each launch and each session's judge calls count once, however many sources know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from planner.execution.consents import Amount, Spending
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE, Slot


def spending_of(journal: JournalState, consent_id: str, *, unsent: AbstractSet[str] = frozenset()) -> Spending:
    """`unsent` are launches that were never sent, although the journal does not say so yet."""
    elsewhere = journal.consents.elsewhere(consent_id)
    largest_cents = 0
    launches = {key: amounts for key, amounts in elsewhere.launches.items() if journal.launch(key) is None}
    for launch in journal.launches(LIVE):
        if launch.consent_id == consent_id and launch.launch_id not in unsent:
            slots = journal.slots_of(launch.launch_id)
            launches[launch.launch_id] = amounts_of(slots)
            largest_cents = max(largest_cents, *(slot.cost_cents or 0 for slot in slots))
    judging = {**elsewhere.judging, **journal.consents.judging_of(consent_id)}
    return Spending(launches, judging, largest_cents)


def amounts_of(slots: Iterable[Slot]) -> dict[str, Amount]:
    """The cents of one launch's calls, by plan."""
    amounts: dict[str, Amount] = {}
    for slot in slots:
        is_billed = slot.cost_cents is not None
        amount = Amount(slot.cost_cents or 0, 0 if is_billed else slot.reserved_cents)
        amounts[slot.plan] = amounts.get(slot.plan, Amount()) + amount
    return amounts
