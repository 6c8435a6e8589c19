"""Which runs go into the next launch: longest expected first, up to 20 of one line, no more than there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from planner.execution.work import CaseWork, Line

LARGEST_BATCH = 20
"""The API's own limit."""


@dataclass(slots=True)
class _Wanted:
    work: CaseWork
    runs: int


class Pending:
    """Runs still to be launched."""

    def __init__(self, works: Iterable[tuple[CaseWork, int]]) -> None:
        self._lines: dict[Line, dict[str, _Wanted]] = {}
        """By case id, longest first but for those in `_unsorted`."""
        self._unsorted: set[Line] = set()
        self._runs = 0
        for work, runs in works:
            self.add(work, runs)

    def add(self, work: CaseWork, runs: int) -> None:
        """Also puts back what was taken and not launched."""
        if runs <= 0:
            return
        self._runs += runs
        wanted = self._lines.setdefault(work.line, {})
        if work.case_id in wanted:
            wanted[work.case_id].runs += runs
        else:
            wanted[work.case_id] = _Wanted(work, runs)
            self._unsorted.add(work.line)

    def drop(self, work: CaseWork) -> int:
        """None of the case's runs is wanted any more. Returns how many were."""
        wanted = self._lines.get(work.line, {})
        dropped = wanted.pop(work.case_id, None)
        if dropped is None:
            return 0
        if not wanted:
            del self._lines[work.line]
        self._runs -= dropped.runs
        return dropped.runs

    def __len__(self) -> int:
        return self._runs

    def left(self) -> dict[str, int]:
        """Runs by case id."""
        return {case_id: item.runs for wanted in self._lines.values() for case_id, item in wanted.items()}

    def works(self) -> list[CaseWork]:
        return [item.work for wanted in self._lines.values() for item in wanted.values()]

    def take(self, room: int, fits: Callable[[CaseWork], bool]) -> list[CaseWork]:
        """Up to `room` runs of one line, one entry a run; `fits` says of each whether the budget lets it go (and reserves it)."""
        most = min(room, LARGEST_BATCH)
        self._sort()
        for line in sorted(self._lines, key=lambda line: _shortness(next(iter(self._lines[line].values())))):
            taken: list[CaseWork] = []
            wanted = self._lines[line]
            for item in list(wanted.values()):
                while item.runs and len(taken) < most and fits(item.work):
                    taken.append(item.work)
                    item.runs -= 1
                if not item.runs:
                    del wanted[item.work.case_id]
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
    return -(wanted.work.expected_seconds or 0.0)
