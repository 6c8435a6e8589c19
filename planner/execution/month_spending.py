"""What was spent and reserved in one month, under all consents of the log.

A launch counts in the month (UTC) in which it was sent, a judge call in that of its reservation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Final

from planner.changes.model import whole_cents
from planner.execution.consents import Amount
from planner.execution.journal import Journal
from planner.execution.launches import LIVE
from planner.execution.ledger import Ceiling
from planner.execution.spending import amounts_of, month_of
from planner.planfile.model import Policy
from planner.quantities import money
from planner.values import frozen

MONTHLY: Final = "policy.max_cost_cents_per_month"


def next_month(moment: datetime) -> str:
    return month_of(moment.astimezone(UTC).replace(day=1) + timedelta(days=31))


@frozen
class MonthSpending:
    """`launches` in cents, by launch id. `judging` in microcents, by session id."""

    month: str
    launches: Mapping[str, Amount] = field(default_factory=dict[str, Amount])
    judging: Mapping[str, Amount] = field(default_factory=dict[str, Amount])

    @property
    def spent_cents(self) -> int:
        """Billed, and judge calls that were or may have been charged."""
        judged = sum(amount.committed for amount in self.judging.values())
        return sum(amount.spent for amount in self.launches.values()) + whole_cents(judged)

    @property
    def reserved_cents(self) -> int:
        """Of calls without a bill."""
        return sum(amount.reserved for amount in self.launches.values())

    @property
    def committed_cents(self) -> int:
        return self.spent_cents + self.reserved_cents


def spent_here(journal: Journal | None, month: str) -> MonthSpending:
    """What this journal knows."""
    if journal is None:
        return MonthSpending(month)
    launches = {
        launch.launch_id: sum(amounts_of(journal.slots_of(launch.launch_id)).values(), Amount())
        for launch in journal.launches(LIVE)
        if month_of(launch.sent_at) == month
    }
    return MonthSpending(month, launches, journal.consents.judging_in(month))


def months_of(policy: Policy, now: datetime, journal: Journal | None) -> tuple[MonthSpending, ...]:
    """What was spent in this month, and in the next one, which may begin during the session; () without a ceiling."""
    if policy.max_cost_cents_per_month is None:
        return ()
    return tuple(spent_here(journal, month) for month in (month_of(now), next_month(now)))


def month_ceilings(policy: Policy, months: tuple[MonthSpending, ...]) -> list[Ceiling]:
    if policy.max_cost_cents_per_month is None:
        return []
    return [
        Ceiling(
            f"{MONTHLY} ({each.month})",
            policy.max_cost_cents_per_month,
            committed_cents=each.committed_cents,
            pending_cents=each.reserved_cents,
            month=each.month,
        )
        for each in months
    ]


def month_line(policy: Policy, spent: MonthSpending) -> str:
    """For people, with a ceiling."""
    return (
        f"{MONTHLY} allows {money(policy.max_cost_cents_per_month or 0)} in {spent.month}: {money(spent.spent_cents)} "
        f"spent, {money(spent.reserved_cents)} reserved"
    )
