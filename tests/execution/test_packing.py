"""How wanted runs are packed: up to 20 of one line per launch, longest first, none lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.execution.packing import LARGEST_BATCH, Pending


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
