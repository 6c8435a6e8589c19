"""Price and budget of judge calls in millionths of a cent, as integers, since one call costs less than a cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from planner.calls.budget import Account
from planner.changes.model import MICROCENTS, NOTHING_JUDGED, JudgeSpending, whole_cents
from planner.planfile.model import JudgePrice
from planner.values import frozen

INSTRUCTION_BYTES: Final = 2_700
"""Approximate size of a prompt without rubric and transcript."""
_BYTES_A_TOKEN: Final = 4
_FRAME_TOKENS: Final = 300
"""Tokens that an endpoint may add, including the schema of the answer."""
_TYPICAL_ANSWER_TOKENS: Final = 250
_PLAUSIBLE: Final = 10
"""Largest plausible cost, as a multiple of the reservation. Endpoints add tokens, but not that many."""


@frozen
class Pricing:
    """Prices of requests. `max_output_tokens` limits an answer."""

    price: JudgePrice
    max_output_tokens: int

    def reserve(self, size_bytes: int) -> int:
        """The highest possible cost of a request with a prompt of this size: a token has at least one byte."""
        return self._cost(size_bytes + _FRAME_TOKENS, self.max_output_tokens)

    def expected(self, size_bytes: int) -> int:
        read = size_bytes // _BYTES_A_TOKEN + _FRAME_TOKENS
        return self._cost(read, min(_TYPICAL_ANSWER_TOKENS, self.max_output_tokens))

    def billed(self, read_tokens: int | None, written_tokens: int | None) -> int | None:
        """The cost of an answer; None if it depends on tokens that were not reported."""
        if not self.price.per_million_read and not self.price.per_million_written:
            return self._cost(0, 0)
        if read_tokens is None or written_tokens is None:
            return None
        return self._cost(read_tokens, written_tokens)

    def _cost(self, read_tokens: int, written_tokens: int) -> int:
        price = self.price
        # Cents per million tokens are millionths of a cent per token.
        by_length = price.per_million_read * read_tokens + price.per_million_written * written_tokens
        return ceil(price.per_vote * MICROCENTS + by_length)


class CeilingReachedError(Exception):
    """The message is the ceiling's label."""


@dataclass(slots=True)
class JudgeBudget:
    """The judge budget of one session: reserved before each request, settled by its answer.

    It shares the ceilings of phone calls. They count whole cents, so started cents are spent. `before` is what earlier
    sessions spent; the ceilings include it.
    """

    accounts: Sequence[Account] = ()
    before: JudgeSpending = NOTHING_JUDGED
    spent: int = 0
    by_plan: Counter[str] = field(default_factory=Counter[str])
    """Spent, and reserved for requests under way, or without an answer, which may have been charged."""
    _committed: list[int] = field(init=False)
    """By ceiling."""

    def __post_init__(self) -> None:
        self._committed = [self.before.committed(account.plan) for account in self.accounts]

    def reserve(self, plan: str, amount: int) -> None:
        """Raises `CeilingReachedError` if a ceiling has no room."""
        for place, account in self._covering(plan):
            more = whole_cents(self._committed[place] + amount) - whole_cents(self._committed[place])
            if more > account.left:
                raise CeilingReachedError(account.label)
        self._commit(plan, amount)

    def settle(self, plan: str, reserved: int, cost: int | None) -> None:
        """Replace a reservation by the cost. An unknown or implausible cost counts as the reservation."""
        paid = reserved if cost is None or not is_plausible(cost, reserved) else cost
        self.spent += paid
        self._commit(plan, paid - reserved)

    def release(self, plan: str, reserved: int) -> None:
        """Undo a reservation: the request was not charged."""
        self._commit(plan, -reserved)

    def _covering(self, plan: str) -> Iterator[tuple[int, Account]]:
        return ((place, account) for place, account in enumerate(self.accounts) if account.covers(plan))

    def _commit(self, plan: str, amount: int) -> None:
        self.by_plan[plan] += amount
        for place, account in self._covering(plan):
            before = whole_cents(self._committed[place])
            self._committed[place] += amount
            account.spent += whole_cents(self._committed[place]) - before


def is_plausible(cost: int, reserved: int) -> bool:
    return cost <= _PLAUSIBLE * reserved
