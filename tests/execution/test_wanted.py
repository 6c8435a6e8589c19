"""How many runs each case still needs, and which may be launched now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.execution.wanted import Judged, WantedRuns, resumable_slots


def numbers(wanted: WantedRuns) -> tuple[int, int, int]:
    """Runs that may be launched now, deferred ones, and all that are made or wanted."""
    return len(wanted.pending), wanted.deferred, wanted.total


def wanted_of(item: Any, pace: Callable[[str, int, int], int] = lambda *_: 0, resumed: Any = ()) -> WantedRuns:
    wanted = WantedRuns({item.case_id: item})
    wanted.resume(resumed)
    for question in wanted.first_questions():
        wanted.set_pace(question.case_id, pace(*question))
    return wanted


def judged(
    wanted: WantedRuns, case_id: str, pace: Callable[[str, int, int], int] = lambda *_: 0, *, failed: bool = False
) -> Judged:
    """A verdict, as a driver gives it."""
    question = wanted.question_after(case_id, platform_failed=failed)
    at_once = None if question is None else pace(*question)
    return wanted.judged(case_id, platform_failed=failed, at_once=at_once)


def test_a_platform_failure_is_retried_as_often_as_allowed(job: Callable[..., Any]) -> None:
    """Two runs with one retry each: three failures are two more runs. Three runs with two are nine."""
    twice = job("bob", runs=3, retries=2)
    most = wanted_of(twice)
    for number in range(9):
        most.launched(twice.case_id, ("l", number))
        most.judged(twice.case_id, platform_failed=True)
    assert numbers(most) == (0, 0, 9)
    ana = job("ana", runs=2, retries=1)
    wanted = wanted_of(ana)
    found: list[Any] = [numbers(wanted)]
    for number in range(4):
        wanted.launched(ana.case_id, ("l", number))
        judged = wanted.judged(ana.case_id, platform_failed=number < 3)
        found.append((*numbers(wanted), judged))
    assert found == [
        (2, 0, 2),
        (2, 0, 3, Judged(True, 0)),
        (2, 0, 4, Judged(True, 0)),
        (1, 0, 4, Judged(False, 0)),
        (0, 0, 4, Judged(False, 0)),
    ]
    assert (wanted.left(), wanted.not_needed()) == ({}, {})


def test_retries_of_earlier_sessions_count(job: Callable[..., Any], slot: Callable[..., Any]) -> None:
    """Three runs were made for two: one retry of two is left. Early stopping counts that one."""
    asked: list[tuple[str, int, int]] = []
    ana = job("ana", runs=2, retries=1, may_stop_early=True)

    def pace(*question: Any) -> int:
        asked.append(question)
        return 1

    wanted = wanted_of(ana, pace, [slot(ana.case_id, number) for number in range(3)])
    assert numbers(wanted) == (0, 0, 3)
    for failed in (True, True, False):
        judged(wanted, ana.case_id, pace, failed=failed)
    assert asked == [(ana.case_id, 3, 1), (ana.case_id, 2, 1), (ana.case_id, 2, 0), (ana.case_id, 1, 0)]
    assert numbers(wanted) == (1, 0, 4)
    assert wanted.left() == {ana.case_id: 1}


@pytest.mark.parametrize(
    ("at_once", "before", "after", "left", "not_needed"),
    [
        (2, (2, 3, 5), (1, 2, 5), 3, None),
        (9, (5, 0, 5), (3, 0, 5), 3, None),
        (0, (0, 0, 0), (0, 0, 2), None, 3),
        (-1, (0, 0, 0), (0, 0, 2), None, 3),
    ],
)
def test_the_pace_defers_runs(
    job: Callable[..., Any],
    at_once: int,
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    left: int | None,
    not_needed: int | None,
) -> None:
    """`after` two launches and one verdict. At a pace of 0 or less, no run is needed, and those under way end."""
    ana = job("ana", runs=5, may_stop_early=True)
    wanted = wanted_of(ana, lambda *_: at_once)
    assert numbers(wanted) == before
    for number in range(2):
        wanted.launched(ana.case_id, ("l", number))
    assert judged(wanted, ana.case_id, lambda *_: at_once) == Judged(False, 0)
    assert numbers(wanted) == after
    assert (wanted.left().get(ana.case_id), wanted.not_needed().get(ana.case_id)) == (left, not_needed)


def test_deferred_runs_are_released_together(job: Callable[..., Any]) -> None:
    ana = job("ana", runs=5, may_stop_early=True)
    wanted = wanted_of(ana, lambda *_: 2)
    wanted.release_all()
    assert numbers(wanted) == (5, 0, 5)


def test_a_case_becomes_decided_by_a_verdict(job: Callable[..., Any]) -> None:
    """The rest is not needed, and a platform failure is not retried any more. Pace is not asked when all have verdicts."""
    ana = job("ana", runs=3, retries=1, may_stop_early=True)
    answers = iter([2, 0])
    wanted = wanted_of(ana, lambda *_: next(answers))
    for number in range(2):
        wanted.launched(ana.case_id, ("l", number))
    assert judged(wanted, ana.case_id, lambda *_: next(answers)) == Judged(False, 1)
    assert numbers(wanted) == (0, 0, 2)
    assert judged(wanted, ana.case_id, lambda *_: next(answers), failed=True) == Judged(False, 0)
    assert (numbers(wanted), wanted.not_needed()) == ((0, 0, 2), {ana.case_id: 1})


def test_a_launch_that_never_happened_is_wanted_again(job: Callable[..., Any]) -> None:
    """Once, and only for cases of this session."""
    ana = job("ana", runs=2)
    wanted = wanted_of(ana)
    wanted.launched(ana.case_id, ("l", 0))
    assert numbers(wanted) == (1, 0, 2)
    wanted.not_launched(ana.case_id, ("l", 0))
    wanted.not_launched(ana.case_id, ("l", 0))
    wanted.not_launched("p/other@t", ("l", 0))
    assert numbers(wanted) == (2, 0, 2)


def test_every_slot_of_an_open_launch_counts(slot: Callable[..., Any]) -> None:
    """Nobody knows which of them arrived. They take no place of known runs, of which there are as many as may be."""

    def of(launch_id: str, ordinal: int, run_id: int | None) -> Any:
        return replace(slot("p/ana@t", ordinal), launch_id=launch_id, run_id=run_id)

    slots = [of("open", n, None) for n in range(3)]
    slots += [of("unbound", 0, None), *(of("known", n, 7000 + n) for n in range(4))]
    found = resumable_slots(slots, {"p/ana@t": 5}, {"open"})["p/ana@t"]
    assert sorted(each.key for each in found) == sorted(each.key for each in slots)
    found = resumable_slots(slots, {"p/ana@t": 2}, {"open"})["p/ana@t"]
    assert [each.key for each in found] == [("known", 0), ("known", 1), *(("open", n) for n in range(3))]


def test_open_launches_that_never_arrived_are_no_retries(job: Callable[..., Any], slot: Callable[..., Any]) -> None:
    """Eight runs may have been launched for six, and four were: two are missing, whatever retries are allowed. A run that
    the platform failed is retried, even if an open launch could have been its retry."""
    ana = job("ana", runs=6, retries=1)
    runs = WantedRuns({ana.case_id: ana})
    runs.resume([slot(ana.case_id, number) for number in range(8)])
    assert numbers(runs) == (0, 0, 8)
    runs.judged(ana.case_id, platform_failed=True)
    for number in range(4, 8):
        runs.not_launched(ana.case_id, ("l0", number))
    assert numbers(runs) == (3, 0, 7)
