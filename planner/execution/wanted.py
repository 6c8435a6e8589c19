"""How many runs each case still needs: what it asks for, less its live slots. Derived, never counted up and down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from planner.execution.consents import Wave
from planner.execution.engine import Job, PaceQuestion
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
    runs: int
    """The calls that it may have, without retries; of a case in waves, so far."""
    live: set[SlotKey] = field(default_factory=set[SlotKey])
    """Slots that cost, or may cost, money."""
    judged: int = 0
    """Live slots with a verdict, or that will never have one."""
    resumed: set[SlotKey] = field(default_factory=set[SlotKey])
    """Live slots of earlier sessions."""
    platform_failures: int = 0
    """Runs that the platform failed before the case was decided."""
    at_once: int | None = None
    """How many runs without a verdict may be under way; None if all."""
    is_decided: bool = False
    """Its outcome no longer depends on further runs."""
    to_launch: int = 0
    pending: int = 0
    """Of `to_launch`, what may be launched now."""
    deferred: int = 0
    total: int = 0

    @property
    def is_in_waves(self) -> bool:
        return self.job.place is not None

    @property
    def made(self) -> int:
        """Its calls without retries."""
        return max(0, len(self.live) - self._retries)

    @property
    def retries_left(self) -> int:
        return 0 if self.is_decided else self._most_retries - self._retries

    @property
    def _most_retries(self) -> int:
        return self.job.retries * self.job.runs

    @property
    def _retries(self) -> int:
        """Runs beyond those that the case asks for: retries that earlier sessions launched are among its live slots."""
        surplus = len(self.resumed) - self.runs
        return min(self._most_retries, max(surplus, self.platform_failures))

    def question(self) -> PaceQuestion | None:
        to_come = self.to_launch + len(self.live) - self.judged
        if not self.job.may_stop_early or self.is_decided or not to_come:
            return None
        return PaceQuestion(self.job.case_id, to_come, self.retries_left)

    def note_verdict(self, *, platform_failed: bool) -> None:
        self.judged += 1
        self.platform_failures += platform_failed and not self.is_decided

    def update(self, *, release_all: bool) -> None:
        self.to_launch = max(0, self.runs + self._retries - len(self.live))
        if self.is_decided:
            self.pending = 0
        elif self.at_once is None or release_all:
            self.pending = self.to_launch
        else:
            self.pending = min(self.to_launch, max(0, self.at_once - len(self.live) + self.judged))
        self.deferred = 0 if self.is_decided else self.to_launch - self.pending
        self.total = len(self.live) + (0 if self.is_decided else self.to_launch)


class Judged(NamedTuple):
    """What a verdict changed: whether the run is retried, and how many runs of its case became unnecessary."""

    is_retried: bool
    unneeded: int


class WantedRuns:
    """`pending` holds the runs that may be launched now; early stopping defers others, which it may make unnecessary.
    Nothing is stored: after a crash, the journal and the stored verdicts give the same numbers."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self.pending = Pending()
        self._wave: Wave | None = None
        self._cases = {case_id: _Case(job, _runs_of(job, None)) for case_id, job in jobs.items()}
        self._released = False
        self._total = 0
        self.deferred = 0

    @property
    def total(self) -> int:
        """Runs of all cases that are made or wanted."""
        return self._total + sum(self._left_for_waves().values())

    def resume(self, slots: Iterable[Slot]) -> None:
        """Start with the slots of earlier sessions."""
        for slot in slots:
            case = self._cases[slot.case_id]
            case.live.add(slot.key)
            case.resumed.add(slot.key)
        for case_id in self._cases:
            self._refresh(case_id)

    # Waves

    @property
    def next_wave(self) -> int | None:
        """The number of the wave that is to be chosen; None if no case waits for one."""
        if not any(case.is_in_waves for case in self._cases.values()):
            return None
        if self._wave is None:
            return 0
        return None if self._wave.is_last else self._wave.number + 1

    def calls_in_waves(self) -> dict[str, int]:
        """The calls of each case that is called in waves, without retries."""
        return {case_id: case.made for case_id, case in self._cases.items() if case.is_in_waves}

    def begin_wave(self, wave: Wave) -> None:
        """Apply a choice, of this session or an earlier one."""
        self._wave = wave
        for case_id, case in self._cases.items():
            case.runs = _runs_of(case.job, wave)
            self._refresh(case_id)

    def _left_for_waves(self) -> dict[str, int]:
        """The shares of cases whose calls no wave has given to any case yet, by case id."""
        if self.next_wave is None:
            return {}
        own = [case for case in self._cases.values() if case.is_in_waves]
        left = sum(case.job.runs - max(case.runs, case.made) for case in own)
        shares: dict[str, int] = {}
        for case in own:
            share = min(left, case.job.runs - max(case.runs, case.made))
            if share > 0:
                shares[case.job.case_id] = share
                left -= share
        return shares

    # Runs

    def launched(self, case_id: str, key: SlotKey) -> None:
        self._cases[case_id].live.add(key)
        self._refresh(case_id)

    def not_launched(self, case_id: str, key: SlotKey) -> None:
        """The slot's launch provably never happened."""
        if case_id in self._cases and key in self._cases[case_id].live:
            self._cases[case_id].live.remove(key)
            self._cases[case_id].resumed.discard(key)
            self._refresh(case_id)

    # Verdicts

    def first_questions(self) -> list[PaceQuestion]:
        """Those of the cases that may stop early, before any verdict of this session."""
        return [question for case in self._cases.values() if (question := case.question()) is not None]

    def question_after(self, case_id: str, *, platform_failed: bool) -> PaceQuestion | None:
        """What to ask before `judged`; None if there is nothing to ask."""
        if not self._cases[case_id].job.may_stop_early:
            return None
        case = replace(self._cases[case_id])
        case.note_verdict(platform_failed=platform_failed)
        case.update(release_all=self._released)
        return case.question()

    def judged(self, case_id: str, *, platform_failed: bool, at_once: int | None = None) -> Judged:
        """A run has its verdict, or will never have one. `platform_failed`: it may be retried. `at_once` is the answer
        to `question_after`."""
        case = self._cases[case_id]
        before = case.to_launch
        case.note_verdict(platform_failed=platform_failed)
        self._refresh(case_id)
        is_retried = case.to_launch > before
        unneeded = 0 if at_once is None else self.set_pace(case_id, at_once)
        return Judged(is_retried and not case.is_decided, unneeded)

    def set_pace(self, case_id: str, at_once: int) -> int:
        """Apply the answer to a question. Returns how many runs became unnecessary."""
        case = self._cases[case_id]
        case.at_once, case.is_decided = at_once, at_once <= 0
        unneeded = case.to_launch if case.is_decided else 0
        self._refresh(case_id)
        return unneeded

    def release_all(self) -> None:
        """No verdict is to come that could make a deferred run unnecessary."""
        self._released = True
        for case_id in self._cases:
            self._refresh(case_id)

    def left(self) -> dict[str, int]:
        """Runs wanted and not launched, by case id."""
        left = Counter(self._left_for_waves())
        for case_id, case in self._cases.items():
            left[case_id] += 0 if case.is_decided else case.to_launch
        return dict(+left)

    def not_needed(self) -> dict[str, int]:
        """Runs not launched because their case is decided, or because waves gave them to other cases, by case id."""
        found = {case_id: case.to_launch for case_id, case in self._cases.items() if case.is_decided}
        if self._wave is not None and self._wave.is_last:
            found |= {case_id: case.job.runs - case.runs for case_id, case in self._cases.items() if case.is_in_waves}
        return {case_id: runs for case_id, runs in found.items() if runs > 0}

    def _refresh(self, case_id: str) -> None:
        case = self._cases[case_id]
        deferred, total = case.deferred, case.total
        case.update(release_all=self._released)
        self.deferred += case.deferred - deferred
        self._total += case.total - total
        self.pending.set(case.job, case.pending)


def _runs_of(job: Job, wave: Wave | None) -> int:
    if job.place is None:
        return job.runs
    return 0 if wave is None else wave.calls[job.place]
