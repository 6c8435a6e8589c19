"""The budget of judge calls: reserved before each request, settled by its answer, under the ceilings shared with phone
calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from planner.changes.votes import whole_cents
from planner.execution.ledger import Ceiling

_PLAUSIBLE: Final = 10
"""Largest plausible cost, as a multiple of the reservation. Endpoints add tokens, but not that many."""


class CeilingReachedError(Exception):
    """The message is the ceiling's label."""


@dataclass(slots=True)
class JudgeBudget:
    """The judge budget of one session, in millionths of a cent. Ceilings count whole cents, so started cents are
    committed.

    Ceilings that the phone service enforces (`by_service`) do not apply: judge calls are paid elsewhere.
    """

    ceilings: Sequence[Ceiling] = ()
    spent: int = 0
    uncertain: int = 0
    """Reserved for requests under way, or without an answer, which may have been charged."""
    _committed: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def reserve(self, plan: str, amount: int) -> None:
        """Raises `CeilingReachedError` if a ceiling has no room."""
        for place, ceiling in self._covering(plan):
            more = whole_cents(self._committed[place] + amount) - whole_cents(self._committed[place])
            if more > ceiling.left_cents:
                raise CeilingReachedError(ceiling.label)
        self.uncertain += amount
        self._commit(plan, amount)

    def settle(self, plan: str, reserved: int, cost: int | None) -> None:
        """Replace a reservation by the cost. An unknown or implausible cost counts as the reservation."""
        paid = cost if is_plausible(cost, reserved) else reserved
        self.uncertain -= reserved
        self.spent += paid
        self._commit(plan, paid - reserved)

    def release(self, plan: str, reserved: int) -> None:
        """Undo a reservation: the request was not charged."""
        self.uncertain -= reserved
        self._commit(plan, -reserved)

    def _covering(self, plan: str) -> Iterator[tuple[int, Ceiling]]:
        for place, ceiling in enumerate(self.ceilings):
            if ceiling.covers(plan) and not ceiling.by_service:
                yield place, ceiling

    def _commit(self, plan: str, amount: int) -> None:
        for place, ceiling in self._covering(plan):
            before = whole_cents(self._committed[place])
            self._committed[place] += amount
            ceiling.committed_cents += whole_cents(self._committed[place]) - before


def is_plausible(cost: int | None, reserved: int) -> TypeGuard[int]:
    return cost is not None and cost <= _PLAUSIBLE * reserved
