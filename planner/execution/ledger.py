"""The budget ledger: no launch may exceed a ceiling by its reservation.

Committed money is all bills plus the reservations of runs without a bill. Unconfirmed launches stay reserved, so they
count as spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from planner.errors import StoreError
from planner.providers.base import Target
from planner.quantities import money
from planner.values import frozen


class OverCeilingError(StoreError):
    """What all machines reserved would be above a ceiling, so nothing may be sent."""

    def __init__(self, label: str, limit_cents: int, committed_cents: int) -> None:
        super().__init__(
            f"{label} allows {money(limit_cents)}: with the calls of other sessions, {money(committed_cents)} would be "
            "spent or reserved",
            "Run the same command again when they have ended.",
        )
        self.label = label


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

    def copy(self) -> Ledger:
        """For trying what fits: reservations in the copy do not change the original."""
        return replace(self, ceilings=[replace(ceiling) for ceiling in self.ceilings])

    def price(self, target: Target, estimate_cents: int | None) -> int | None:
        """The price to reserve for one call: its estimate, or the highest bill of its target if a bill was above its
        reservation.

        A call of unknown price counts as the highest bill so far plus a quarter; None before any bill.
        """
        if estimate_cents is not None:
            return max(estimate_cents, self.highest_bills[target] if target in self.underestimated else 0)
        return -(-self.largest_bill_cents * 5 // 4) or None

    def is_untested(self, purpose: Purpose, target: Target) -> bool:
        """Whether one of our ceilings covers calls whose estimate no bill of their target has confirmed."""
        ours = any(ceiling.covers(purpose) and not ceiling.by_service for ceiling in self.ceilings)
        return ours and not self.highest_bills.get(target)

    def learn(self, target: Target, *, reserved_cents: int, billed_cents: int) -> None:
        """Learn from a bill. A bill above its reservation raises later reservations of its target."""
        self.highest_bills[target] = max(billed_cents, self.highest_bills.get(target, 0))
        if billed_cents > reserved_cents:
            self.underestimated.add(target)

    def reservation_for(self, purpose: Purpose, target: Target, estimate_cents: int | None) -> int | None:
        """The reservation of one more call; None if it must wait.

        A call of unknown price before any bill reserves everything left under the tightest ceiling, so that such calls
        run one at a time. Without a ceiling it reserves nothing.
        """
        covering = [ceiling for ceiling in self.ceilings if ceiling.covers(purpose)]
        known = self.price(target, estimate_cents)
        if known is not None:
            return known if all(known <= ceiling.left_cents for ceiling in covering) else None
        left = min((ceiling.left_cents for ceiling in covering if not ceiling.by_service), default=None)
        if left is None:
            return 0
        return left if left > 0 and self.reserved_cents == 0 else None

    def explain(self, purpose: Purpose, target: Target, estimate_cents: int | None) -> str:
        """Why one more call cannot be launched: its tightest ceiling and its price."""
        tightest = min(
            (ceiling for ceiling in self.ceilings if ceiling.covers(purpose)),
            key=lambda ceiling: ceiling.left_cents,
            default=None,
        )
        known = self.price(target, estimate_cents)
        price = "has no known price" if known is None else f"may cost up to {money(known)}"
        return f"the next call {price}" if tightest is None else f"{tightest.summary()}; the next call {price}"

    def blocking(self, purpose: Purpose, target: Target, estimate_cents: int | None) -> Ceiling | None:
        """The ceiling that one more call would exceed even if nothing were in flight; None if waiting may help."""
        known = self.price(target, estimate_cents)
        for ceiling in self.ceilings:
            if ceiling.covers(purpose):
                left_when_free = ceiling.left_cents + ceiling.pending_cents
                if left_when_free <= 0 or (known is not None and known > left_when_free):
                    return ceiling
        return None

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

    def reserve(self, purpose: Purpose, cents: int) -> None:
        self._commit(purpose, cents, cents)

    def release(self, purpose: Purpose, cents: int) -> None:
        self._commit(purpose, -cents, -cents)

    def bill(self, purpose: Purpose, *, reserved_cents: int, billed_cents: int) -> None:
        self.spent_cents += billed_cents
        self.largest_bill_cents = max(self.largest_bill_cents, billed_cents)
        self._commit(purpose, billed_cents - reserved_cents, -reserved_cents)

    def revise(self, purpose: Purpose, reserved_cents: int, expected_cents: int) -> None:
        """Replace the reservation of a call of unknown price by the bill expected for it."""
        self.release(purpose, reserved_cents)
        self.reserve(purpose, expected_cents)
        self.largest_bill_cents = max(self.largest_bill_cents, expected_cents)

    def _commit(self, purpose: Purpose, cents: int, pending_cents: int) -> None:
        self.reserved_cents += pending_cents
        for ceiling in self.ceilings:
            if ceiling.covers(purpose):
                ceiling.committed_cents += cents
                ceiling.pending_cents += pending_cents
