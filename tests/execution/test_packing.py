"""Packing: up to 20 runs of one line, longest first, nothing lost."""

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
def test_everything_wanted_is_taken_once(
    job: Callable[..., Any], cases: list[tuple[int, int, int | None]], rooms: list[int], data: st.DataObject
) -> None:
    """Never more than there is room for, nor than 20, nor of two lines; runs that are not launched are returned: in the end all are taken."""
    jobs = [job(f"c{n}", target=target, expected_seconds=seconds) for n, (_, target, seconds) in enumerate(cases)]
    pending = Pending(zip(jobs, (runs for runs, _, _ in cases), strict=True))
    wanted = {item.case_id: runs for item, (runs, _, _) in zip(jobs, cases, strict=True)}
    launched: Counter[str] = Counter()
    turn = 0
    while len(pending):
        assert len(pending) == sum(pending.left().values())
        room = rooms[turn % len(rooms)]
        taken = pending.take(room, always)
        assert 0 < len(taken) <= min(room, LARGEST_BATCH)
        assert len({item.line for item in taken}) == 1
        seconds = [item.expected_seconds or 0 for item in taken]
        assert seconds == sorted(seconds, reverse=True)
        left = [item for item in pending.jobs() if item.line == taken[0].line]
        assert all((item.expected_seconds or 0) <= seconds[-1] for item in left)
        turn += 1
        if turn < 40 and data.draw(st.booleans(), "refused"):
            for item in taken:
                pending.add(item, 1)
        else:
            launched.update(item.case_id for item in taken)
    assert launched == wanted
    assert pending.left() == {}
    assert pending.jobs() == []


def test_the_line_with_the_longest_call_goes_first(job: Callable[..., Any]) -> None:
    """Across lines too, the call that takes longest starts earliest; unknown durations come last."""
    jobs = [
        job("short", expected_seconds=10.0),
        job("unknown", target=17, expected_seconds=None),
        job("long", target=14, expected_seconds=90.0),
        job("middle", expected_seconds=60.0),
    ]
    pending = Pending((item, 1) for item in jobs)
    order = [[item.case_id for item in pending.take(20, always)] for _ in range(3)]
    assert order == [["p/long@t"], ["p/middle@t", "p/short@t"], ["p/unknown@t"]]


def test_what_the_budget_lets_through_goes_before_what_it_does_not(job: Callable[..., Any]) -> None:
    """A case that does not fit is passed over, within its line and across lines, and stays wanted."""
    pending = Pending([(job("dear", expected_seconds=90.0), 2), (job("cheap"), 2), (job("far", target=17), 1)])
    taken = pending.take(20, lambda item: item.case_id != "p/dear@t")
    assert [item.case_id for item in taken] == ["p/cheap@t", "p/cheap@t"]
    taken = pending.take(20, lambda item: item.case_id != "p/dear@t")
    assert [item.case_id for item in taken] == ["p/far@t"]
    assert pending.take(20, lambda item: item.case_id != "p/dear@t") == []
    assert pending.left() == {"p/dear@t": 2}


def test_fits_is_asked_once_for_each_run_taken(job: Callable[..., Any]) -> None:
    """It reserves money: asked for a run that is then not taken, it would reserve too much."""
    pending = Pending([(job("ana"), 30)])
    asked: list[Any] = []
    taken = pending.take(7, lambda item: asked.append(item) is None)
    assert len(asked) == len(taken) == 7


def test_no_room_and_nothing_wanted_take_nothing(job: Callable[..., Any]) -> None:
    """Neither is an error; wanting no runs is wanting nothing."""
    pending = Pending([(job("ana"), 1)])
    assert pending.take(0, always) == []
    assert pending.take(-3, always) == []
    pending.add(job("bob"), 0)
    pending.add(job("cleo"), -1)
    assert pending.left() == {"p/ana@t": 1}
