"""Ceilings as sums over the log: no launch may exceed one by its reservation. No I/O.

What is unconfirmed counts as spent, and so does a call without a bill: as its reservation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from planner.calls.model import CeilingNeed, Limit, Now, Want
from planner.log.facts import Ceiling, Consent, Scope
from planner.log.fold import Stage, State, whole_cents
from planner.providers.base import Target
from planner.quantities import money

BALANCE: Final = "the organization's balance"
MONTHLY: Final = "policy.max_cost_cents_per_month"
BILL_WAIT_SECONDS: Final = 120.0
"""How long the first bill of a target is waited for."""


@dataclass(slots=True)
class Account:
    """One ceiling and what counts against it, in cents."""

    label: str
    limit: int
    spent: int
    reserved: int
    plan: str | None = None
    """None: of any plan."""
    is_ours: bool = True
    """The service enforces others (402), so they do not hold back calls of unknown price."""

    def covers(self, plan: str) -> bool:
        return self.plan in (None, plan)

    @property
    def left(self) -> int:
        return self.limit - self.spent - self.reserved

    def __str__(self) -> str:
        """`--max-cost allows $1.61: $1.20 spent, $0.16 reserved`."""
        return f"{self.label} allows {money(self.limit)}: {money(self.spent)} spent, {money(self.reserved)} reserved"


@dataclass(slots=True)
class Budget:
    """All ceilings of a session, as of one moment. Reservations are made in it while a launch is put together."""

    state: State
    accounts: list[Account]
    target_bills: dict[Target, int]
    """The highest bill of each target; of a copy, also that of its agent and of other copies of it."""

    def price(self, want: Want) -> int | None:
        """What to reserve for a call: its estimate, or the highest bill of its target if that is more. A call without
        an estimate counts as the highest bill of any target plus a quarter; None before any bill."""
        return self.price_on(want.line.target, want.reserve_cents)

    def price_on(self, target: Target, estimate_cents: int | None) -> int | None:
        if target not in self.target_bills:
            self.target_bills[target] = max(map(self.state.highest_bill, self._priced_alike(target)))
        if estimate_cents is not None:
            return max(estimate_cents, self.target_bills[target])
        return -(-self.state.highest_bill(None) * 5 // 4) or None

    def _priced_alike(self, target: Target) -> list[Target]:
        preview = self.state.preview_of(target)
        if preview is None:
            return [target]
        copies = [each.copy_id for each in self.state.previews.values() if each.agent_id == preview.agent_id]
        return [("agent", agent_id) for agent_id in (preview.agent_id, *copies) if agent_id is not None]

    def reservation(self, want: Want, plan: str) -> int | None:
        """The reservation of one more call; None if it must wait. Before any bill, a call of unknown price reserves
        all that is left, so that such calls are made one at a time."""
        covering = [account for account in self.accounts if account.covers(plan)]
        price = self.price(want)
        if price is not None:
            return price if all(price <= account.left for account in covering) else None
        ours = [account for account in covering if account.is_ours]
        if not ours:
            return 0
        left = min(account.left for account in ours)
        return left if left > 0 and not any(account.reserved for account in ours) else None

    def reserve(self, plan: str, cents: int) -> None:
        for account in self.accounts:
            if account.covers(plan):
                account.reserved += cents

    def blocking(self, want: Want, plan: str) -> Account | None:
        """The ceiling that one more call would exceed even if nothing were reserved; None if waiting may help."""
        price = self.price(want)
        for account in self.accounts:
            left_when_free = account.left + account.reserved
            if account.covers(plan) and (left_when_free <= 0 or (price is not None and price > left_when_free)):
                return account
        return None

    def need(self, account: Account, left: list[tuple[Want, str, int]]) -> CeilingNeed:
        """What a ceiling would have to be for the calls that are `left` (want, plan, calls)."""
        needed: int | None = account.spent + account.reserved
        for want, plan, calls in left:
            price = self.price(want)
            if account.covers(plan):
                needed = None if needed is None or price is None else needed + price * calls
        return CeilingNeed(account.label, account.limit, account.spent, account.reserved, needed)

    def is_waiting_for_first_bill(self, want: Want, now: Now) -> bool:
        """Once calls of a target have ended, its next ones wait for its first bill: only calls that are already under
        way may cost more than their reservation."""
        target = want.line.target
        if not any(account.is_ours for account in self.accounts) or self.state.highest_bill(target):
            return False
        for launch, intent in self.state.at_stage(Stage.UNREAD, Stage.INCOMPLETE):
            if intent.line.target != target:
                continue
            for call in launch.live_calls.values():
                is_late = call.completed_at is not None and now.seconds_since(call.completed_at) > BILL_WAIT_SECONDS
                if call.has_ended and call.cents is None and "bill" in call.missing and not is_late:
                    return True
        return False


def spending_under(state: State, consent_id: str, ceiling: Ceiling) -> tuple[int, int]:
    """What counts against a ceiling of a consent: cents spent and reserved, votes of the judge included."""
    tallies = state.tallies
    spent, reserved, judged, judging = (
        sum(amount for (by, plan), amount in sums.items() if by == consent_id and ceiling.covers(plan))
        for sums in (tallies.spent, tallies.reserved, tallies.judged, tallies.judging)
    )
    judged_cents = whole_cents(judged)
    return spent + judged_cents, reserved + whole_cents(judged + judging) - judged_cents


def accounts_of(state: State, consent: Consent) -> list[Account]:
    """The ceilings of a consent."""
    accounts: list[Account] = []
    for ceiling in consent.ceilings:
        spent, reserved = spending_under(state, consent.consent_id, ceiling)
        plan = None if ceiling.scope is Scope.CONSENT else ceiling.plan
        accounts.append(Account(ceiling.label, ceiling.cents, spent, reserved, plan))
    return accounts


def budget_of(state: State, consent: Consent, limit: Limit, now: Now) -> Budget:
    accounts = accounts_of(state, consent)
    if limit.month is not None and limit.month.month == now.month:
        month = limit.month
        more = state.tallies.committed_cents - month.committed_cents + len(month.others) * month.dearest_cents
        committed = month.cents + more
        reserved = min(committed, state.tallies.reserved.total())
        label = f"{MONTHLY} ({month.month})"
        accounts.append(Account(label, month.limit_cents, committed - reserved, reserved))
    if limit.available_cents is not None:
        spent = state.tallies.spent.total() - limit.spent_before_cents
        reserved = state.tallies.reserved.total()
        accounts.append(Account(BALANCE, limit.available_cents, spent, reserved, is_ours=False))
    return Budget(state, accounts, {})
