"""Packs the runs to launch into requests: each has runs of one line, those expected to take longest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from planner.execution.engine import Job
from planner.providers.base import Line

LARGEST_BATCH: Final = 20
"""Prompts of one request: the service accepts no more."""


class Pending:
    """The runs that may be launched now, by line and case; the longest expected are chosen first."""

    def __init__(self) -> None:
        self._lines: dict[Line, dict[str, tuple[Job, int]]] = {}
        """By case id, longest first except for lines in `_unsorted`."""
        self._unsorted: set[Line] = set()
        self._runs = 0
        self._left = Counter[Line]()
        self._most = Counter[Line]()
        """The most runs that a line had left."""

    def set(self, job: Job, runs: int) -> None:
        """The case has this many runs to launch."""
        wanted = self._lines.get(job.line, {})
        _, before = wanted.get(job.case_id, (job, 0))
        self._runs += runs - before
        self._left[job.line] += runs - before
        self._most[job.line] = max(self._most[job.line], self._left[job.line])
        if runs:
            self._lines.setdefault(job.line, wanted)[job.case_id] = (job, runs)
            if not before:
                self._unsorted.add(job.line)
        elif before:
            del wanted[job.case_id]
            if not wanted:
                del self._lines[job.line]

    def __len__(self) -> int:
        return self._runs

    def jobs(self) -> list[Job]:
        return [job for wanted in self._lines.values() for job, _ in wanted.values()]

    def choose(self, room: int, fits: Callable[[Job], bool]) -> list[Job]:
        """Up to `room` runs of one line, one entry per run. `fits` says whether the budget has room for one more."""
        most = min(room, LARGEST_BATCH)
        self._sort()
        for line in sorted(self._lines, key=self._order):
            chosen: list[Job] = []
            for job, runs in self._lines[line].values():
                for _ in range(min(runs, most - len(chosen))):
                    if not fits(job):
                        break
                    chosen.append(job)
                if len(chosen) == most:
                    break
            if chosen:
                return chosen
        return []

    def _order(self, line: Line) -> tuple[float, float]:
        """Longest first. Lines that take equally long take turns: what is called beside each other is called at the
        same time."""
        return _shortness(next(iter(self._lines[line].values()))), -self._left[line] / self._most[line]

    def _sort(self) -> None:
        for line in self._unsorted & self._lines.keys():
            self._lines[line] = dict(sorted(self._lines[line].items(), key=lambda entry: _shortness(entry[1])))
        self._unsorted.clear()


def _shortness(wanted: tuple[Job, int]) -> float:
    return -(wanted[0].expected_seconds or 0.0)
