"""The money for votes: reserved before a request, settled by its answer, and never over a ceiling that calls stay under too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.changes.votes import whole_cents
from planner.execution.ledger import Ceiling
from planner.judging.journal import Asked, AskedState, VoteJournal


@dataclass(slots=True)
class Purse:
    """Of one change set. A ceiling's whole cents are shared with calls, so that votes commit the cents they begin.

    What earlier, unfinished invocations of the change set asked for is in the `ceilings` from the start (`weigh`). What the
    service that makes the calls limits by itself (`by_service`) is not touched: votes are paid elsewhere.
    """

    journal: VoteJournal
    ceilings: Sequence[Ceiling]
    change_set: str
    invocation_id: str
    new_id: Callable[[], str]
    _committed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Millionths of a cent, by ceiling (its place)."""

    def __post_init__(self) -> None:
        for asked in self.journal.asked_for(self.change_set):
            for place, _ in self._covering(asked.plan):
                self._committed[place] += asked.committed

    def send(self, plan: str, question: str, number: int, reserved: int) -> str:
        """The id of a request that may now leave, written down and paid for.

        Raises:
            CeilingReachedError: there is no room for it under a ceiling.
        """
        for place, ceiling in self._covering(plan):
            more = whole_cents(self._committed[place] + reserved) - whole_cents(self._committed[place])
            if more > ceiling.left_cents:
                raise CeilingReachedError(ceiling.label)
        asked_id = self.new_id()
        self.journal.send(
            asked_id,
            change_set=self.change_set,
            invocation=self.invocation_id,
            plan=plan,
            question=question,
            number=number,
            reserved=reserved,
        )
        self._commit(plan, reserved)
        return asked_id

    def answered(self, plan: str, asked_id: str, reserved: int, cost: int | None) -> None:
        """A cost that was not told is taken to be what was reserved."""
        self.journal.settle(asked_id, AskedState.ANSWERED, cost)
        if cost is not None:
            self._commit(plan, cost - reserved)

    def not_charged(self, plan: str, asked_id: str, reserved: int) -> None:
        self.journal.settle(asked_id, AskedState.FREE, 0)
        self._commit(plan, -reserved)

    def asked(self) -> list[Asked]:
        return self.journal.asked_for(self.change_set)

    def _covering(self, plan: str) -> list[tuple[int, Ceiling]]:
        return [
            (place, ceiling)
            for place, ceiling in enumerate(self.ceilings)
            if ceiling.covers(plan) and not ceiling.by_service
        ]

    def _commit(self, plan: str, microcents: int) -> None:
        for place, ceiling in self._covering(plan):
            before = whole_cents(self._committed[place])
            self._committed[place] += microcents
            ceiling.committed_cents += whole_cents(self._committed[place]) - before


def weigh(ceilings: Sequence[Ceiling], spent: Mapping[str, int]) -> None:
    """Commit what was spent on votes before, by plan, so that calls stay under the ceilings with it."""
    for ceiling in ceilings:
        if not ceiling.by_service:
            ceiling.committed_cents += whole_cents(sum(cost for plan, cost in spent.items() if ceiling.covers(plan)))


class CeilingReachedError(Exception):
    """Carries the ceiling's label."""
