"""Votes of a language model that the change set would ask for (`check: judge`), apart from its calls: how many, what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlanVotes:
    """Of one plan, in millionths of a cent."""

    votes: int = 0
    expected: int = 0
    high: int = 0


MICROCENTS = 1_000_000
"""In a cent."""


@dataclass(frozen=True, slots=True)
class VoteEstimate:
    """`votes` are to be asked for; `stored` were given before, and are used as they are. A model of one's own may be free."""

    model: str
    votes: int
    stored: int
    free: bool
    by_plan: Mapping[str, PlanVotes] = field(default_factory=dict[str, PlanVotes])

    @property
    def charged(self) -> bool:
        """Whether asking for them spends money."""
        return self.votes > 0 and not self.free

    @property
    def expected_cents(self) -> int:
        return whole_cents(sum(plan.expected for plan in self.by_plan.values()))

    @property
    def high_cents(self) -> int:
        return whole_cents(sum(plan.high for plan in self.by_plan.values()))

    def weight_cents(self, plan: str | None) -> int:
        """What they are expected to cost: of one plan, or (None) of all."""
        plans = self.by_plan.values() if plan is None else [self.by_plan.get(plan, PlanVotes())]
        return whole_cents(sum(votes.expected for votes in plans))


def whole_cents(microcents: int) -> int:
    """Rounded up: what was spent is never told as less."""
    return -(-microcents // MICROCENTS)
