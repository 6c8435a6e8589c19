"""What was spent and reserved under a consent: this journal's launches and judge calls, and what other machines shared.

A pure view. Each launch and each session's judge calls count once, however many sources know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from planner.changes.model import ChangeSet, JudgeSpending
from planner.execution.consents import Amount, Spending
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE, LaunchState, Slot
from planner.execution.ledger import Ledger


def spending_of(journal: JournalState, consent_id: str, *, unsent: AbstractSet[str] = frozenset()) -> Spending:
    """`unsent` are launches that were never sent, although the journal does not say so yet."""
    elsewhere = journal.consents.elsewhere(consent_id)
    largest_cents = 0
    months = dict(elsewhere.months)
    launches = {key: amounts for key, amounts in elsewhere.launches.items() if journal.launch(key) is None}
    for launch in journal.launches(LIVE):
        if launch.consent_id == consent_id and launch.launch_id not in unsent:
            slots = journal.slots_of(launch.launch_id)
            launches[launch.launch_id] = amounts_of(slots)
            months[launch.launch_id] = month_of(launch.sent_at)
            largest_cents = max(largest_cents, *(slot.cost_cents or 0 for slot in slots))
    judging = {**elsewhere.judging, **journal.consents.judging_of(consent_id)}
    return Spending(launches, judging, largest_cents, {**months, **journal.consents.judge_months_of(consent_id)})


def month_of(moment: datetime) -> str:
    """`2026-11`, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def amounts_of(slots: Iterable[Slot]) -> dict[str, Amount]:
    """The cents of one launch's calls, by plan."""
    amounts: dict[str, Amount] = {}
    for slot in slots:
        reserved_cents = slot.reserved_cents if slot.cost_cents is None else 0
        is_made = slot.run_id is not None
        amount = Amount(slot.cost_cents or 0, reserved_cents, reserved_cents if is_made else 0)
        amounts[slot.plan] = amounts.get(slot.plan, Amount()) + amount
    return amounts


def judge_spending(spending: Spending) -> JudgeSpending:
    total = spending.of_judge_calls()
    by_plan = {plan: spending.of_judge_calls(plan).committed for plan in spending.plans}
    return JudgeSpending(total.spent, total.reserved, by_plan)


def charged_slots(journal: JournalState, consent_id: str) -> list[Slot]:
    """Slots of this consent, launched in any session."""
    unsent = unsent_launches(journal)
    return [slot for slot in journal.slots_of_consent(consent_id) if slot.launch_id not in unsent]


def unsent_launches(journal: JournalState) -> set[str]:
    """Launches whose process was killed before sending; `run` will settle them."""
    return {launch.launch_id for launch in journal.launches([LaunchState.INTENDED])}


def reservations_of(change_set: ChangeSet, journal: JournalState | None, consent_id: str) -> dict[str, int]:
    """What a call of each case reserves, as the ledger of `run` prices it."""
    ledger = Ledger()
    for target, reserved_cents, billed_cents in journal.bills(consent_id) if journal else ():
        ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    targets = {change.case_id: change.case.target for change in change_set.changes if change.case is not None}
    prices = {case_id: (targets[case_id], price.high_cents) for case_id, price in change_set.prices.items()}
    return {
        case_id: ledger.price((target.kind, target.id), high_cents) or 0
        for case_id, (target, high_cents) in prices.items()
        if high_cents is not None
    }
