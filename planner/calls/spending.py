"""What was spent and reserved, as sums over the log. No I/O.

Reserved is what may still be charged: calls and judge calls whose bill is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from planner.calls.budget import MONTHLY, Account, Budget, accounts_of
from planner.calls.slots import Slot, is_live, launches_of, slots_of
from planner.changes.model import JudgeSpending
from planner.log.facts import Consent
from planner.log.fold import State, whole_cents
from planner.values import frozen


@frozen
class Amount:
    """Cents."""

    spent: int = 0
    reserved: int = 0

    @property
    def committed(self) -> int:
        return self.spent + self.reserved


def amount_of(slots: Sequence[Slot]) -> Amount:
    bills = [slot.cost_cents for slot in slots if slot.cost_cents is not None]
    return Amount(sum(bills), sum(slot.reserved_cents for slot in slots if slot.cost_cents is None))


def spent_on_calls(state: State, consent_id: str) -> dict[str, Amount]:
    """What calls of a consent cost, by plan."""
    slots: dict[str, list[Slot]] = {}
    for launch in launches_of(state, lambda launch, intent: is_live(launch) and intent.consent_id == consent_id):
        for slot in slots_of(launch):
            slots.setdefault(slot.asked.plan, []).append(slot)
    return {plan: amount_of(mine) for plan, mine in slots.items()}


def total(amounts: dict[str, Amount]) -> Amount:
    return Amount(sum(each.spent for each in amounts.values()), sum(each.reserved for each in amounts.values()))


def spent_on_judging(state: State, consent_id: str) -> JudgeSpending:
    """What judge calls of a consent cost, in microcents."""
    judged, judging = (
        {plan: amount for (by, plan), amount in sums.items() if by == consent_id}
        for sums in (state.tallies.judged, state.tallies.judging)
    )
    by_plan = {plan: judged.get(plan, 0) + judging.get(plan, 0) for plan in {*judged, *judging}}
    return JudgeSpending(sum(judged.values()), sum(judging.values()), by_plan)


def is_charged(state: State, consent_id: str) -> bool:
    """Whether anything was or may be charged under a consent."""
    launched = launches_of(state, lambda launch, intent: is_live(launch) and intent.consent_id == consent_id)
    return bool(launched) or any(vote.consent_id == consent_id for vote in state.votes.values())


# Months


def month_of(moment: datetime) -> str:
    """`2026-11`, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def account_of_month(state: State, month: str, limit_cents: int) -> Account:
    """What the log knows to count against the month's ceiling. A launch counts in the month (UTC) in which it was sent,
    a judge call in that of its reservation, as if it was charged."""
    live = launches_of(state, lambda launch, intent: is_live(launch) and month_of(intent.at) == month)
    calls = amount_of([slot for launch in live for slot in slots_of(launch)])
    judged = sum(vote.microcents for vote in state.votes.values() if month_of(vote.at) == month)
    return Account(f"{MONTHLY} ({month})", limit_cents, calls.spent + whole_cents(judged), calls.reserved)


# Ceilings


def budget_under(state: State, consent: Consent | None, month: Account | None = None) -> Budget:
    """All ceilings of a session that are ours, and what counts against them now."""
    accounts = [] if consent is None else accounts_of(state, consent)
    return Budget(state, [*accounts, *([] if month is None else [month])], {})
