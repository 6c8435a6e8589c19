"""Chooses the runs of the next launch: longest expected first, up to 20 on one line, within the available room."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from planner.execution.jobs import Job
from planner.providers.base import Line

LARGEST_BATCH = 20


@dataclass(slots=True)
class _Wanted:
    job: Job
    runs: int


class Pending:
    def __init__(self, jobs: Iterable[tuple[Job, int]]) -> None:
        self._lines: dict[Line, dict[str, _Wanted]] = {}
        """By case id, longest first except for lines in `_unsorted`."""
        self._unsorted: set[Line] = set()
        self._runs = 0
        for job, runs in jobs:
            self.add(job, runs)

    def add(self, job: Job, runs: int) -> None:
        """Add runs, or return runs that were taken and not launched."""
        if runs <= 0:
            return
        self._runs += runs
        wanted = self._lines.setdefault(job.line, {})
        if job.case_id in wanted:
            wanted[job.case_id].runs += runs
        else:
            wanted[job.case_id] = _Wanted(job, runs)
            self._unsorted.add(job.line)

    def drop(self, job: Job) -> int:
        """Remove the case's runs. Returns how many there were."""
        wanted = self._lines.get(job.line, {})
        dropped = wanted.pop(job.case_id, None)
        if dropped is None:
            return 0
        if not wanted:
            del self._lines[job.line]
        self._runs -= dropped.runs
        return dropped.runs

    def __len__(self) -> int:
        return self._runs

    def left(self) -> dict[str, int]:
        """Runs by case id."""
        return {case_id: item.runs for wanted in self._lines.values() for case_id, item in wanted.items()}

    def jobs(self) -> list[Job]:
        return [item.job for wanted in self._lines.values() for item in wanted.values()]

    def take(self, room: int, fits: Callable[[Job], bool]) -> list[Job]:
        """Take up to `room` runs of one line, one entry per run. `fits` reserves budget for a run, or refuses it."""
        most = min(room, LARGEST_BATCH)
        self._sort()
        for line in sorted(self._lines, key=lambda line: _shortness(next(iter(self._lines[line].values())))):
            taken: list[Job] = []
            wanted = self._lines[line]
            for item in list(wanted.values()):
                while item.runs and len(taken) < most and fits(item.job):
                    taken.append(item.job)
                    item.runs -= 1
                if not item.runs:
                    del wanted[item.job.case_id]
                if len(taken) == most:
                    break
            if not wanted:
                del self._lines[line]
            if taken:
                self._runs -= len(taken)
                return taken
        return []

    def _sort(self) -> None:
        for line in self._unsorted & self._lines.keys():
            self._lines[line] = dict(sorted(self._lines[line].items(), key=lambda entry: _shortness(entry[1])))
        self._unsorted.clear()


def _shortness(wanted: _Wanted) -> float:
    return -(wanted.job.expected_seconds or 0.0)
