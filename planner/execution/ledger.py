"""The budget ledger: no launch may exceed a ceiling by its reservation.

Committed money is all bills plus the reservations of runs without a bill. Unconfirmed launches stay reserved, so they
count as spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from planner.providers.base import Target
from planner.quantities import money
from planner.values import frozen


@frozen
class Purpose:
    """What money is spent for. "" where nobody asks for it."""

    plan: str
    month: str = ""
    """Of the launch: `2026-11`."""


@dataclass(slots=True)
class Ceiling:
    """A limit for what is spent for one plan or in one month; None: for any. `committed_cents` starts at what was spent
    before."""

    label: str
    limit_cents: int
    plan: str | None = None
    committed_cents: int = 0
    pending_cents: int = 0
    """The reserved part of `committed_cents`."""
    by_service: bool = False
    """The service enforces it (402), so it does not hold back calls of unknown price."""
    month: str | None = None

    def covers(self, purpose: Purpose) -> bool:
        return self.plan in (None, purpose.plan) and self.month in (None, purpose.month)

    @property
    def left_cents(self) -> int:
        return self.limit_cents - self.committed_cents

    def summary(self) -> str:
        """`--max-cost allows $1.61: $1.20 spent, $0.16 reserved`."""
        spent = money(self.committed_cents - self.pending_cents)
        return f"{self.label} allows {money(self.limit_cents)}: {spent} spent, {money(self.pending_cents)} reserved"


@dataclass(slots=True)
class Ledger:
    """What was spent and reserved, including earlier sessions."""

    ceilings: Sequence[Ceiling] = ()
    spent_cents: int = 0
    reserved_cents: int = 0
    largest_bill_cents: int = 0
    highest_bills: dict[Target, int] = field(default_factory=dict[Target, int])
    underestimated: set[Target] = field(default_factory=set[Target])
    """Targets with a bill above its reservation."""

    def price(self, target: Target, estimate_cents: int | None) -> int | None:
        """The price to reserve for one call: its estimate, or the highest bill of its target if a bill was above its
        reservation.

        A call of unknown price counts as the highest bill so far plus a quarter; None before any bill.
        """
        if estimate_cents is not None:
            return max(estimate_cents, self.highest_bills[target] if target in self.underestimated else 0)
        return -(-self.largest_bill_cents * 5 // 4) or None

    def learn(self, target: Target, *, reserved_cents: int, billed_cents: int) -> None:
        """Learn from a bill. A bill above its reservation raises later reservations of its target."""
        self.highest_bills[target] = max(billed_cents, self.highest_bills.get(target, 0))
        if billed_cents > reserved_cents:
            self.underestimated.add(target)

    def enough(
        self,
        labels: AbstractSet[str],
        left: Sequence[tuple[Purpose, Target, int | None, int]],
        judging: Mapping[Purpose, int] = MappingProxyType({}),
    ) -> str:
        """`--max-cost $3.20`: the value of each of these ceilings that would cover the calls `left` (purpose, target,
        estimate of a call, calls) and `judging` (cents); empty if a price is unknown."""
        lines: list[str] = []
        # The next session prices them by these bills plus a quarter, like unknown prices.
        least = -(-self.largest_bill_cents * 5 // 4)
        for ceiling in self.ceilings:
            covered = [
                (self.price(target, cents), calls) for purpose, target, cents, calls in left if ceiling.covers(purpose)
            ]
            if ceiling.label not in labels or ceiling.by_service or any(cents is None for cents, _ in covered):
                continue
            cents = ceiling.committed_cents + sum(max(cents or 0, least) * calls for cents, calls in covered)
            cents += sum(more for purpose, more in judging.items() if ceiling.covers(purpose))
            lines.append(f"{ceiling.label} {money(cents)}")
        return " and ".join(lines)

    def broken(self) -> str:
        """`--max-cost allows $20.00, and $24.00 was billed`: our ceilings that the bills exceed; empty if none."""
        lines = [
            f"{ceiling.label} allows {money(ceiling.limit_cents)}, and {money(billed)} was billed"
            for ceiling in self.ceilings
            if not ceiling.by_service
            and (billed := ceiling.committed_cents - ceiling.pending_cents) > ceiling.limit_cents
        ]
        return " and ".join(lines)

    def count(self, purpose: Purpose, *, spent_cents: int, reserved_cents: int) -> None:
        """Add what was spent and reserved before this session."""
        self.spent_cents += spent_cents
        self._commit(purpose, spent_cents + reserved_cents, reserved_cents)

    def _commit(self, purpose: Purpose, cents: int, pending_cents: int) -> None:
        self.reserved_cents += pending_cents
        for ceiling in self.ceilings:
            if ceiling.covers(purpose):
                ceiling.committed_cents += cents
                ceiling.pending_cents += pending_cents
