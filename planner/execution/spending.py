"""What was spent and reserved under a consent: a view of the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from planner.changes.model import ChangeSet, JudgeSpending
from planner.execution.consents import Amount, Spending
from planner.execution.journal import Journal
from planner.execution.launches import LIVE, Slot
from planner.execution.ledger import Ledger


def spending_of(journal: Journal, consent_id: str) -> Spending:
    largest_cents = 0
    launches: dict[str, dict[str, Amount]] = {}
    for launch in journal.launches(LIVE):
        if launch.consent_id == consent_id:
            slots = journal.slots_of(launch.launch_id)
            launches[launch.launch_id] = amounts_of(slots)
            largest_cents = max(largest_cents, *(slot.cost_cents or 0 for slot in slots))
    return Spending(launches, journal.consents.judging_of(consent_id), largest_cents)


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


def reservations_of(change_set: ChangeSet, journal: Journal | None, consent_id: str) -> dict[str, int]:
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
