"""Number and cost of the judge calls that a change set needs (`check: judge`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlanVotes:
    """Judge calls of one plan. Costs are in millionths of a cent."""

    votes: int = 0
    expected: int = 0
    high: int = 0


MICROCENTS = 1_000_000
"""Microcents per cent."""


@dataclass(frozen=True, slots=True)
class VoteEstimate:
    """`votes` judge calls are needed; `stored` earlier answers are reused. A self-hosted model may be free."""

    model: str
    votes: int
    stored: int
    free: bool
    by_plan: Mapping[str, PlanVotes] = field(default_factory=dict[str, PlanVotes])

    @property
    def charged(self) -> bool:
        """Whether these judge calls cost money."""
        return self.votes > 0 and not self.free

    @property
    def expected_cents(self) -> int:
        return whole_cents(sum(plan.expected for plan in self.by_plan.values()))

    @property
    def high_cents(self) -> int:
        return whole_cents(sum(plan.high for plan in self.by_plan.values()))

    def weight_cents(self, plan: str | None) -> int:
        """Expected cost for one plan, or for all (None)."""
        plans = self.by_plan.values() if plan is None else [self.by_plan.get(plan, PlanVotes())]
        return whole_cents(sum(votes.expected for votes in plans))


def whole_cents(microcents: int) -> int:
    """Rounded up."""
    return -(-microcents // MICROCENTS)
