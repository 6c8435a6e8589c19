"""Which cases are called in waves (`calls: adaptive`), and what that may cost.

All cases in waves share their calls: each adds `runs` calls, and gets its first calls and then those that the waves
give it, at most `most_runs`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from planner.changes.model import Change
from planner.planfile.waves import most_calls
from planner.results.outcomes import Action

_LEAST_CASES: Final = 2


def with_waves(changes: Sequence[Change], has_history: Callable[[Change], bool]) -> tuple[Change, ...]:
    """The changes, of which those are called in waves that can be: all calls are made for the first time or again, no
    other case shares them, no judge is asked (which answers later), and `has_history`.

    Args:
        has_history: whether there are calls of earlier sessions to compare with.
    """
    found = {change.case_id for change in changes if _may_adapt(change) and has_history(change)}
    if len(found) < _LEAST_CASES:
        return tuple(changes)
    return tuple(_in_wave(change, changes, found) if change.case_id in found else change for change in changes)


def _may_adapt(change: Change) -> bool:
    case = change.case
    if change.action is not Action.CALL or case is None or case.calls != "adaptive":
        return False
    is_whole = not change.kept_run_ids and change.runs == case.runs
    return (
        is_whole
        and not change.shared_runs
        and case.quarantine is None
        and not any(each.asks_model for each in case.expectations)
    )


def _in_wave(change: Change, changes: Iterable[Change], found: set[str]) -> Change:
    case = change.case
    assert case is not None
    others = [each.case for each in changes if each.case_id in found and each.case_id != change.case_id]
    shares = sum(other.runs - other.first_calls for other in others if other is not None)
    return replace(change, most_runs=min(most_calls(case.runs, case.first_calls), case.runs + shares))


def calls_left(changes: Iterable[Change], made: Mapping[str, int]) -> dict[str, int]:
    """The calls that are left to make, by case id. Those in waves are counted with the cases that have not had their
    share, as nobody knows yet which cases will get them."""
    called = [change for change in changes if change.action is Action.CALL]
    left = {change.case_id: max(0, change.calls - made.get(change.case_id, 0)) for change in called}
    shared = [change for change in called if change.most_runs]
    rest = max(0, sum(change.runs - made.get(change.case_id, 0) for change in shared))
    for change in shared:
        left[change.case_id] = min(left[change.case_id], rest)
        rest -= left[change.case_id]
    return {case_id: runs for case_id, runs in left.items() if runs}


def extreme_calls(
    changes: Iterable[Change], made: Mapping[str, int], price: Callable[[Change], float], *, dearest: bool
) -> dict[str, int]:
    """The calls left if the waves go to the dearest (or cheapest) cases within their limits, by case id."""
    changes = [change for change in changes if change.action is Action.CALL]
    left = calls_left(changes, made)
    shared = [change for change in changes if change.most_runs]
    rest = sum(left.get(change.case_id, 0) for change in shared)
    for change in shared:
        assert change.case is not None
        first = min(rest, max(0, change.case.first_calls - made.get(change.case_id, 0)))
        left[change.case_id] = first
        rest -= first
    for change in sorted(shared, key=price, reverse=dearest):
        more = min(rest, max(0, change.most_runs - made.get(change.case_id, 0) - left[change.case_id]))
        left[change.case_id] += more
        rest -= more
    return {case_id: runs for case_id, runs in left.items() if runs}
