"""Calls that wait for verdicts: they are made only if those under way leave their case open.

A case whose work `may_settle` has its calls held here, and let go as its pace allows. Nothing of this is written down: after a
crash the verdicts on what was collected give the same pace again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.execution.packing import Pending
from planner.execution.work import CaseWork, Pace


@dataclass(slots=True)
class Holding:
    pending: Pending
    pace: Pace
    not_needed: dict[str, int] = field(default_factory=dict[str, int])
    """By case id; a case with an entry is settled."""
    _held: Counter[str] = field(default_factory=Counter[str])
    _out: Counter[str] = field(default_factory=Counter[str])
    """Calls let go or under way, and without a verdict."""
    _settled: set[str] = field(default_factory=set[str])

    def __len__(self) -> int:
        return self._held.total()

    def want(self, work: CaseWork, runs: int) -> None:
        """`runs` calls more, as far as they turn out to be needed."""
        if runs > 0 and work.may_settle:
            self._held[work.case_id] += runs
        else:
            self.pending.add(work, runs)

    def under_way(self, work: CaseWork, runs: int) -> None:
        """Calls of an earlier invocation, whose verdicts are to come."""
        self._out[work.case_id] += runs

    def put_back(self, work: CaseWork, runs: int) -> None:
        """Let go before and not made after all."""
        if work.case_id in self._settled:
            self._out[work.case_id] -= runs
            self._drop(work.case_id, runs)
        else:
            self.pending.add(work, runs)

    def judged(self, work: CaseWork) -> None:
        """One of the calls under way has its verdict, or will have none."""
        self._out[work.case_id] -= 1

    def is_settled(self, case_id: str) -> bool:
        return case_id in self._settled

    def let_go(self, work: CaseWork, retries: int) -> int:
        """What the case's pace allows now. Returns how many calls turned out not to be needed."""
        case_id = work.case_id
        held, out = self._held[case_id], self._out[case_id]
        if not work.may_settle or case_id in self._settled or not held + out:
            return 0
        at_once = self.pace(case_id, held + out, retries)
        if at_once <= 0:
            self._settled.add(case_id)
            waiting = self.pending.drop(work)
            self._out[case_id] -= waiting
            del self._held[case_id]
            self._drop(case_id, held + waiting)
            return held + waiting
        more = min(held, max(0, at_once - out))
        self._release(work, more)
        return 0

    def let_all_go(self, works: Mapping[str, CaseWork]) -> None:
        """Nothing under way can tell any more whether they are needed."""
        for case_id, held in list(self._held.items()):
            self._release(works[case_id], held)

    def left(self) -> dict[str, int]:
        """Wanted and not made, by case id."""
        return dict(Counter(self.pending.left()) + self._held)

    def _release(self, work: CaseWork, runs: int) -> None:
        self._held[work.case_id] -= runs
        self._out[work.case_id] += runs
        self.pending.add(work, runs)

    def _drop(self, case_id: str, runs: int) -> None:
        if runs:
            self.not_needed[case_id] = self.not_needed.get(case_id, 0) + runs
