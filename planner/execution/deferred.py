"""Runs that early stopping may make unnecessary.

The runs of a job that `may_settle` wait here and are released as its pace allows. Nothing is persisted: after a crash,
the stored verdicts give the same pace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.execution.jobs import Job, Pace
from planner.execution.packing import Pending


@dataclass(slots=True)
class DeferredRuns:
    pending: Pending
    pace: Pace
    not_needed: dict[str, int] = field(default_factory=dict[str, int])
    """By case id; a case with an entry is decided."""
    _deferred: Counter[str] = field(default_factory=Counter[str])
    _started: Counter[str] = field(default_factory=Counter[str])
    """Runs released or under way, without a verdict."""
    _settled: set[str] = field(default_factory=set[str])

    def __len__(self) -> int:
        return self._deferred.total()

    def want(self, job: Job, runs: int) -> None:
        """Add `runs`, deferred if the job may settle early."""
        if runs > 0 and job.may_stop_early:
            self._deferred[job.case_id] += runs
        else:
            self.pending.add(job, runs)

    def add_started(self, job: Job, runs: int) -> None:
        """Add runs of an earlier session whose verdicts are still to come."""
        self._started[job.case_id] += runs

    def requeue(self, job: Job, runs: int) -> None:
        if job.case_id in self._settled:
            self._started[job.case_id] -= runs
            self._drop(job.case_id, runs)
        else:
            self.pending.add(job, runs)

    def judged(self, job: Job) -> None:
        """One run has its verdict, or will never have one."""
        self._started[job.case_id] -= 1

    def is_settled(self, case_id: str) -> bool:
        return case_id in self._settled

    def release(self, job: Job, retries: int) -> int:
        """Release what the pace of the case allows. Returns how many runs turned out unnecessary."""
        case_id = job.case_id
        deferred, started = self._deferred[case_id], self._started[case_id]
        if not job.may_stop_early or case_id in self._settled or not deferred + started:
            return 0
        at_once = self.pace(case_id, deferred + started, retries)
        if at_once <= 0:
            self._settled.add(case_id)
            waiting = self.pending.drop(job)
            self._started[case_id] -= waiting
            del self._deferred[case_id]
            self._drop(case_id, deferred + waiting)
            return deferred + waiting
        more = min(deferred, max(0, at_once - started))
        self._release(job, more)
        return 0

    def release_all(self, jobs: Mapping[str, Job]) -> None:
        """Release everything: no verdict is to come that could make it unnecessary."""
        for case_id, deferred in list(self._deferred.items()):
            self._release(jobs[case_id], deferred)

    def left(self) -> dict[str, int]:
        return dict(Counter(self.pending.left()) + self._deferred)

    def _release(self, job: Job, runs: int) -> None:
        self._deferred[job.case_id] -= runs
        self._started[job.case_id] += runs
        self.pending.add(job, runs)

    def _drop(self, case_id: str, runs: int) -> None:
        if runs:
            self.not_needed[case_id] = self.not_needed.get(case_id, 0) + runs
