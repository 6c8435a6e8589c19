"""The calls of several cases, which may share them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import Action


def each_call(cases: Iterable[CaseResult]) -> Iterator[tuple[CaseResult, JudgedRun]]:
    """Each call once, with the first case that has it, which paid for it."""
    seen: set[tuple[str, int]] = set()
    for case in cases:
        for run in case.all_runs:
            key = run.session_id, run.run_id
            if key not in seen:
                seen.add(key)
                yield case, run


def own_calls(cases: Iterable[CaseResult]) -> Iterator[JudgedRun]:
    """The calls that the session of these results made or resumed, each once."""
    return (run for case, run in each_call(cases) if case.action is Action.CALL and not run.pooled)
