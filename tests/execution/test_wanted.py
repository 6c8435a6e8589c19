"""Which runs are wanted, and how they are packed: up to 20 of one line per launch, longest first, none lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.execution.wanted import LARGEST_BATCH, Judged, Pending, WantedRuns


def always(_: Any) -> bool:
    return True


@given(
    cases=st.lists(
        st.tuples(st.integers(1, 25), st.sampled_from([12, 14, 17]), st.none() | st.integers(1, 300)), max_size=12
    ),
    rooms=st.lists(st.integers(1, 60), min_size=1),
    data=st.data(),
)
def test_every_wanted_run_is_chosen_once(
    job: Callable[..., Any], cases: list[tuple[int, int, int | None]], rooms: list[int], data: st.DataObject
) -> None:
    """Never more than there is room for, than 20, or of two lines. In the end all are launched."""
    jobs = [job(f"c{n}", target=target, expected_seconds=seconds) for n, (_, target, seconds) in enumerate(cases)]
    pending, left = Pending(), Counter[str]()
    for item, (runs, _, _) in zip(jobs, cases, strict=True):
        pending.set(item, runs)
        left[item.case_id] = runs
    wanted = {item.case_id: runs for item, (runs, _, _) in zip(jobs, cases, strict=True)}
    launched: Counter[str] = Counter()
    turn = 0
    while len(pending):
        assert len(pending) == left.total()
        room = rooms[turn % len(rooms)]
        taken = pending.choose(room, always)
        assert 0 < len(taken) <= min(room, LARGEST_BATCH)
        assert len({item.line for item in taken}) == 1
        seconds = [item.expected_seconds or 0 for item in taken]
        assert seconds == sorted(seconds, reverse=True)
        for item in taken:
            left[item.case_id] -= 1
            pending.set(item, left[item.case_id])
        others = [item for item in pending.jobs() if item.line == taken[0].line]
        assert all((item.expected_seconds or 0) <= seconds[-1] for item in others)
        turn += 1
        if turn < 40 and data.draw(st.booleans(), "refused"):
            for item in taken:
                left[item.case_id] += 1
                pending.set(item, left[item.case_id])
        else:
            launched.update(item.case_id for item in taken)
    assert launched == wanted
    assert pending.jobs() == []


def test_the_line_with_the_longest_call_goes_first(job: Callable[..., Any]) -> None:
    """Across lines too, the longest call starts first; unknown durations come last."""
    jobs = [
        job("short", expected_seconds=10.0),
        job("unknown", target=17, expected_seconds=None),
        job("long", target=14, expected_seconds=90.0),
        job("middle", expected_seconds=60.0),
    ]
    pending = Pending()
    for item in jobs:
        pending.set(item, 1)
    order: list[list[str]] = []
    while len(pending):
        chosen = pending.choose(20, always)
        order.append([item.case_id for item in chosen])
        for item in chosen:
            pending.set(item, 0)
    assert order == [["p/long@t"], ["p/middle@t", "p/short@t"], ["p/unknown@t"]]


def test_cases_that_do_not_fit_are_skipped(job: Callable[..., Any]) -> None:
    """They are skipped, within their line and across lines, and stay wanted."""
    pending, cheap = Pending(), job("cheap")
    pending.set(job("dear", expected_seconds=90.0), 2)
    pending.set(cheap, 2)
    pending.set(job("far", target=17), 1)
    chosen = pending.choose(20, lambda item: item.case_id != "p/dear@t")
    assert [item.case_id for item in chosen] == ["p/cheap@t", "p/cheap@t"]
    pending.set(cheap, 0)
    chosen = pending.choose(20, lambda item: item.case_id != "p/dear@t")
    assert [item.case_id for item in chosen] == ["p/far@t"]
    assert pending.choose(20, lambda _: False) == []
    assert len(pending) == 3


def test_fits_is_asked_once_for_each_chosen_run(job: Callable[..., Any]) -> None:
    """`fits` reserves money: asked for a run that is then not chosen, it would reserve too much."""
    pending = Pending()
    pending.set(job("ana"), 30)
    asked: list[Any] = []
    chosen = pending.choose(7, lambda item: asked.append(item) is None)
    assert len(asked) == len(chosen) == 7


def test_no_room_and_nothing_wanted(job: Callable[..., Any]) -> None:
    pending = Pending()
    pending.set(job("ana"), 1)
    assert pending.choose(0, always) == []
    assert pending.choose(-3, always) == []
    pending.set(job("bob"), 0)
    assert [item.case_id for item in pending.jobs()] == ["p/ana@t"]


# How many runs a case still needs


def numbers(wanted: WantedRuns) -> tuple[int, int, int]:
    """Runs that may be launched now, deferred ones, and all that are made or wanted."""
    return len(wanted.pending), wanted.deferred, wanted.total


def wanted_of(item: Any, pace: Callable[[str, int, int], int] = lambda *_: 0) -> WantedRuns:
    wanted = WantedRuns({item.case_id: item}, pace)
    wanted.resume([])
    return wanted


def test_a_platform_failure_is_retried_as_often_as_allowed(job: Callable[..., Any]) -> None:
    """Two runs with one retry each: three failures are two more runs."""
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

    wanted = WantedRuns({ana.case_id: ana}, pace)
    wanted.resume([slot(ana.case_id, number) for number in range(3)])
    assert numbers(wanted) == (0, 0, 3)
    for failed in (True, True, False):
        wanted.judged(ana.case_id, platform_failed=failed)
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
    wanted.judged(ana.case_id, platform_failed=False)
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
    assert wanted.judged(ana.case_id, platform_failed=False) == Judged(False, 1)
    assert wanted.judged(ana.case_id, platform_failed=True) == Judged(False, 0)
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
