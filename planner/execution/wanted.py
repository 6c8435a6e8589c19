"""How many runs each case still needs: what it asks for, less its live slots. Derived, never counted up and down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from planner.execution.engine import Job
from planner.execution.launches import Slot, SlotKey
from planner.execution.packing import Pending


def resumable_slots(
    slots: Iterable[Slot], most_runs: Mapping[str, int], open_launches: Container[str]
) -> dict[str, tuple[Slot, ...]]:
    """The slots that count as runs of their cases, by case id: known runs, collected ones first and at most `most_runs`
    of a case, and every slot of an open launch.

    Nobody knows which of the open launches arrived, so none can be left out: they may be more than the case needs.
    """
    found: dict[str, list[Slot]] = {}
    known = Counter[str]()
    for slot in sorted(slots, key=lambda slot: (slot.evidence is None, slot.run_id is None)):
        is_known = slot.launch_id not in open_launches
        if is_known and known[slot.case_id] >= most_runs.get(slot.case_id, 0):
            continue
        known[slot.case_id] += is_known
        found.setdefault(slot.case_id, []).append(slot)
    return {case_id: tuple(mine) for case_id, mine in found.items()}


@dataclass(slots=True)
class _Case:
    job: Job
    live: set[SlotKey] = field(default_factory=set[SlotKey])
    """Slots that cost, or may cost, money."""
    resumed: set[SlotKey] = field(default_factory=set[SlotKey])
    """Live slots of earlier sessions."""
    platform_failures: int = 0
    """Runs that the platform failed and that may be retried."""

    @property
    def _retries(self) -> int:
        """Runs beyond those that the case asks for: retries that earlier sessions launched are among its live slots."""
        surplus = len(self.resumed) - self.job.runs
        return min(self.job.retries * self.job.runs, max(surplus, self.platform_failures))

    @property
    def to_launch(self) -> int:
        return max(0, self.job.runs + self._retries - len(self.live))


class WantedRuns:
    """`pending` holds the runs to launch. Nothing is stored: after a crash, the journal and the stored verdicts give
    the same numbers."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self.pending = Pending()
        self._cases = {case_id: _Case(job) for case_id, job in jobs.items()}
        self._live = 0

    @property
    def total(self) -> int:
        """Runs of all cases that are made or wanted."""
        return self._live + len(self.pending)

    def resume(self, slots: Iterable[Slot]) -> None:
        """Start with the slots of earlier sessions."""
        for slot in slots:
            case = self._cases[slot.case_id]
            case.live.add(slot.key)
            case.resumed.add(slot.key)
        self._live = sum(len(case.live) for case in self._cases.values())
        for case_id in self._cases:
            self._refresh(case_id)

    def launched(self, case_id: str, key: SlotKey) -> None:
        self._cases[case_id].live.add(key)
        self._live += 1
        self._refresh(case_id)

    def not_launched(self, case_id: str, key: SlotKey) -> None:
        """The slot's launch provably never happened."""
        if case_id in self._cases and key in self._cases[case_id].live:
            self._cases[case_id].live.remove(key)
            self._live -= 1
            self._cases[case_id].resumed.discard(key)
            self._refresh(case_id)

    def platform_failed(self, case_id: str) -> bool:
        """The platform failed a run, which may be retried. Returns whether it is."""
        case = self._cases[case_id]
        before = case.to_launch
        case.platform_failures += 1
        self._refresh(case_id)
        return case.to_launch > before

    def left(self) -> dict[str, int]:
        """Runs wanted and not launched, by case id."""
        return {case_id: case.to_launch for case_id, case in self._cases.items() if case.to_launch}

    def _refresh(self, case_id: str) -> None:
        case = self._cases[case_id]
        self.pending.set(case.job, case.to_launch)
