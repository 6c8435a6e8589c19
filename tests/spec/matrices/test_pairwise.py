"""Matrices of pairs: which cases there are, and that they stay when an axis grows."""

from __future__ import annotations

import itertools
import json
from math import prod
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.spec.matrices.pairs_allowed import TooMuchSearchError
from planner.spec.matrices.pairwise import (
    Growth,
    TooManyRowsError,
    growth,
    pairwise,
)

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5)


@st.composite
def excluded(draw: st.DrawFn) -> tuple[list[int], list[dict[int, int]]]:
    """Sizes, and combinations of one to all axes that are excluded."""
    found = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    pattern = st.sets(st.integers(0, len(found) - 1), min_size=1).flatmap(
        lambda axes: st.fixed_dictionaries({axis: st.integers(0, found[axis] - 1) for axis in sorted(axes)})
    )
    return found, draw(st.lists(pattern, max_size=6))


def pairs(row: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(itertools.combinations(enumerate(row), 2))


def pairs_of(rows: Any) -> set[tuple[tuple[int, int], ...]]:
    return set[Any]().union(*map(pairs, rows))


@settings(deadline=None)
@given(sizes, st.integers(2, 5))
def test_every_pair_is_in_a_row(found: list[int], stable_from: int) -> None:
    """Any two values of two axes meet, no row is there twice, and there are as many as arithmetic says."""
    rows = pairwise(found, (), stable_from)
    assert pairs_of(rows) == pairs_of(itertools.product(*map(range, found)))
    assert len(set(rows)) == len(rows) == growth(found, stable_from).total <= prod(found)
    assert rows == sorted(rows)


@settings(deadline=None)
@given(sizes, st.integers(2, 5), st.data())
def test_rows_stay_when_axes_grow(found: list[int], stable_from: int, data: st.DataObject) -> None:
    """Values appended to axes that have `stable_from` of them add rows and change none, in whatever order they come."""
    grown = list(found)
    before = set(pairwise(grown, (), stable_from))
    able = [axis for axis, size in enumerate(found) if size >= stable_from]
    for axis in data.draw(st.lists(st.sampled_from(able), max_size=4)) if able else ():
        grown[axis] += 1
        after = set(pairwise(grown, (), stable_from))
        assert before < after
        before = after


@settings(deadline=None)
@given(excluded(), st.integers(2, 3))
def test_exclusions_are_kept(matrix: tuple[list[int], list[dict[int, int]]], stable_from: int) -> None:
    """No row is excluded, and every pair that an allowed combination has is in one."""
    found, exclusions = matrix
    allowed = [
        row
        for row in itertools.product(*map(range, found))
        if not any(all(row[axis] == value for axis, value in pattern.items()) for pattern in exclusions)
    ]
    rows = pairwise(found, exclusions, stable_from)
    assert set(rows) <= set(allowed)
    assert pairs_of(rows) == pairs_of(allowed)


def test_exclusions_of_new_values_leave_old_rows() -> None:
    """What is excluded of a value that comes later changes nothing before."""
    before = pairwise([3, 3, 3], [{0: 1, 1: 1}], 2)
    after = pairwise([4, 3, 3], [{0: 1, 1: 1}, {0: 3, 1: 0}], 2)
    assert set(before) < set(after)


def test_pairs_without_first_values_beside_them_get_rows() -> None:
    """Where exclusions leave a pair no row of first values, a later value stands in."""
    rows = pairwise([2, 2, 3], [{0: 0, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 1}], 2)
    assert (0, 0, 2) in rows
    rows = pairwise([3, 3, 3], [{0: 2, 1: 2, 2: 0}, {0: 2, 1: 2, 2: 1}], 2)
    assert (2, 2, 2) in rows


def test_the_table_is_the_same_for_ever() -> None:
    """Case ids hang on it: these rows may not change with any version of planner."""
    assert pairwise([3, 2, 3, 4], (), 2) == snapshot(
        [
            (0, 0, 0, 2),
            (0, 0, 0, 3),
            (0, 0, 1, 1),
            (0, 0, 2, 0),
            (0, 0, 2, 2),
            (0, 1, 0, 1),
            (0, 1, 1, 0),
            (1, 0, 0, 0),
            (1, 1, 1, 1),
            (1, 1, 1, 2),
            (1, 1, 1, 3),
            (1, 1, 2, 1),
            (1, 1, 2, 3),
            (2, 0, 0, 0),
            (2, 0, 0, 2),
            (2, 0, 2, 0),
            (2, 1, 1, 1),
            (2, 1, 1, 3),
        ]
    )
    assert pairwise([3, 3, 3, 3], (), 3) == snapshot(
        [
            (0, 0, 0, 1),
            (0, 1, 1, 0),
            (0, 2, 2, 2),
            (1, 0, 2, 0),
            (1, 1, 0, 2),
            (1, 2, 1, 1),
            (2, 0, 1, 2),
            (2, 1, 2, 1),
            (2, 2, 0, 0),
        ]
    )


def test_tables_are_small() -> None:
    """Near the best that is known, and less than every combination by far."""
    assert {
        axes: (growth(axes, 2).total, growth(axes, 10).total, prod(axes))
        for axes in [(2, 2, 3, 4), (3, 3, 3), (4, 4, 4, 4), (5, 5, 5, 5, 5), (2,) * 10, (3,) * 10]
    } == snapshot(
        {
            (2, 2, 3, 4): (13, 12, 48),
            (3, 3, 3): (13, 9, 27),
            (4, 4, 4, 4): (45, 19, 256),
            (5, 5, 5, 5, 5): (126, 32, 3125),
            (2, 2, 2, 2, 2, 2, 2, 2, 2, 2): (8, 8, 1024),
            (3, 3, 3, 3, 3, 3, 3, 3, 3, 3): (73, 18, 59049),
        }
    )


def test_growth_is_known_before_rows_are_made() -> None:
    """Millions of rows are counted, not made."""
    found = growth([100] * 20, 2)
    assert (found.first, found.added[:3], found.total) == snapshot((11, (196, 9800, 19404), 1828691))
    assert growth([2, 3], 2) == Growth(4, (0, 2))


def test_exclusions_that_follow_from_each_other_are_seen_at_once() -> None:
    """A value that leaves a chain of axes one value each decides them all: no search, and few rows."""
    chain = [{axis: 0, axis + 1: 1} for axis in range(59)]
    rows = pairwise([2] * 60, chain, 2)
    assert len(rows) == 61
    assert all(list(row) == sorted(row, reverse=True) for row in rows)


def test_rows_are_made_up_to_a_bound() -> None:
    """More rows than are wanted, and a search that exclusions make endless, end."""
    with pytest.raises(TooManyRowsError):
        pairwise([4, 4, 4], (), 2, max_rows=10)
    with pytest.raises(TooMuchSearchError):
        pairwise([9] * 10, PIGEONS, 2)


PIGEONS = [{one: hole, other: hole} for one, other in itertools.combinations(range(10), 2) for hole in range(9)]
"""Ten axes of nine values that must all differ: there is no such row, and to be sure of that takes long."""


def plan(matrix: dict[str, Any], targets: int = 1) -> str:
    """A plan, as JSON, whose one scenario uses all axes of the matrix."""
    used = " ".join(f"{{{{ {name}.id if {name} is mapping else {name} }}}}" for name in matrix["axes"])
    scenario = {"prompt": f"Hello {used}", "matrix": matrix, "expect": [{"check": "duration", "max_seconds": 9}]}
    aliases = {f"t{number}": {"agent": number + 1} for number in range(targets)}
    return json.dumps({"version": 1, "plan": "p", "targets": aliases, "scenarios": {"s": scenario}})


AXES: dict[str, list[Any]] = {
    "mood": ["calm", "furious", "sad"],
    "language": ["English", "Spanish"],
    "caller": [{"id": "ana", "name": "Ana"}, {"id": "bob", "name": "Bob"}, {"id": "eve", "name": "Eve"}],
    "order": [17, 18],
}


@quick
@given(st.data())
def test_case_ids_stay_when_a_value_is_appended(workspace: Any, data: st.DataObject) -> None:
    """The cases of a plan with one more value at the end of an axis are the old ones and some more."""
    names = data.draw(st.lists(st.sampled_from("abcdef"), min_size=3, max_size=4, unique=True))
    axes: dict[str, list[Any]] = {
        name: data.draw(st.lists(st.integers(0, 99), min_size=2, max_size=4, unique=True)) for name in names
    }
    grown = dict(axes)
    name = data.draw(st.sampled_from(names))
    grown[name] = [*axes[name], {"id": "brand-new"}]
    before, after = (
        {case.case_id for case in workspace.cases(plan({"axes": found, "strategy": "pairwise", "stable_from": 2}, 2))}
        for found in (axes, grown)
    )
    assert before < after


def test_pairs_of_a_plan(workspace: Any) -> None:
    """Mappings stand for their id in exclude and include; an include of a case that is there adds none."""
    matrix = {
        "axes": AXES,
        "strategy": "pairwise",
        "exclude": [{"mood": "calm", "language": "Spanish"}, {"caller": "eve", "order": 17}],
        "include": [
            {"mood": "confused", "language": "English", "caller": "ana", "order": 17},
            {"mood": "calm", "language": "English", "caller": "eve", "order": 18},
        ],
    }
    assert [case.case_id.split("[")[1].split("]")[0] for case in workspace.cases(plan(matrix))] == snapshot(
        [
            "mood=calm,language=English,caller=ana,order=17",
            "mood=calm,language=English,caller=bob,order=18",
            "mood=calm,language=English,caller=eve,order=18",
            "mood=furious,language=English,caller=bob,order=18",
            "mood=furious,language=Spanish,caller=ana,order=18",
            "mood=furious,language=Spanish,caller=bob,order=17",
            "mood=furious,language=Spanish,caller=eve,order=18",
            "mood=sad,language=English,caller=ana,order=17",
            "mood=sad,language=English,caller=eve,order=18",
            "mood=sad,language=Spanish,caller=bob,order=18",
            "mood=confused,language=English,caller=ana,order=17",
        ]
    )


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (
            {"axes": AXES, "max_cases": 12},
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 5 + mood 2 + caller 3) × 2 targets = 20 cases, more than 12; exclude some, or raise `max_cases`",
                    )
                ]
            ),
        ),
        (
            {"axes": AXES, "max_cases": 12, "stable_from": 3},
            snapshot(
                [
                    (
                        "too-many-cases",
                        "first 3 values of each axis 9 × 2 targets = 18 cases, more than 12; exclude some, or raise `max_cases`",
                    )
                ]
            ),
        ),
        (
            {"axes": AXES, "max_cases": 12, "exclude": [{"mood": "sad", "language": "Spanish"}]},
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 5 + mood 2 + caller 3) × 2 targets = 20 cases, more than 12; exclude some, or raise `max_cases`",
                    )
                ]
            ),
        ),
        (
            {
                "axes": AXES,
                "max_cases": 21,
                "include": [{"mood": "x", "language": "y", "caller": "ana", "order": 17}],
            },
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 5 + mood 2 + caller 3 + 1 included) × 2 targets = 22 cases, more than 21; exclude some, or raise `max_cases`",
                    )
                ]
            ),
        ),
        (
            {"axes": {name: list(range(100)) for name in "abcdefghijklmnopqrst"}},
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 11 + a 196 + b 9,800 + c 19,404 + d 29,008 + e 38,612 + f 48,216 + g 57,820 + h 67,424 + i 77,028 + j 86,632 + k 96,236 + l 105,840 + m 115,444 + n 125,048 + o 134,652 + p 144,256 + q 153,860 + r 163,464 + s 173,068 + t 182,672) × 2 targets = 3,657,382 cases, more than 500; exclude some, or make several scenarios of it",
                    )
                ]
            ),
        ),
        (
            {"axes": {name: list(range(100)) for name in "abcdefghijklmnopqrst"}, "exclude": [{"a": 1}]},
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 11 + a 196 + b 9,800 + c 19,404 + d 29,008 + e 38,612 + f 48,216 + g 57,820 + h 67,424 + i 77,028 + j 86,632 + k 96,236 + l 105,840 + m 115,444 + n 125,048 + o 134,652 + p 144,256 + q 153,860 + r 163,464 + s 173,068 + t 182,672) × 2 targets = 3,657,382 cases, more than 500; exclude some, or make several scenarios of it",
                    )
                ]
            ),
        ),
        (
            {
                "axes": {f"a{axis}": list(range(9)) for axis in range(10)},
                "max_cases": 10_000,
                "exclude": [{f"a{axis}": hole for axis, hole in pattern.items()} for pattern in PIGEONS],
            },
            snapshot(
                [
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 8 + a0 14 + a1 63 + a2 112 + a3 161 + a4 210 + a5 259 + a6 308 + a7 357 + a8 406 + a9 455) × 2 targets = 4,706 cases, too many to exclude so many of; write fewer",
                    )
                ]
            ),
        ),
        (
            {
                "axes": {f"a{number}": [0, 1] for number in range(20)},
                "exclude": [{"a18": one, "a19": other} for one in (0, 1) for other in (0, 1)],
            },
            snapshot([("no-cases", "everything is excluded")]),
        ),
        (
            {
                "axes": AXES,
                "max_cases": 18,
                "exclude": [{"caller": "eve", "order": 17}, {"caller": "eve", "order": 18}],
                "include": [{"mood": number, "language": "y", "caller": "ana", "order": 17} for number in range(3)],
            },
            snapshot(
                [
                    ("unused-value", "every case with this value of `caller` is excluded; remove it from the axis"),
                    (
                        "too-many-cases",
                        "(first 2 values of each axis 5 + mood 2 + caller 3 − 3 excluded + 3 included) × 2 targets = 20 cases, more than 18; exclude some, or raise `max_cases`",
                    ),
                ]
            ),
        ),
        ({"axes": AXES, "exclude": [{"order": 17}, {"order": 18}]}, snapshot([("no-cases", "everything is excluded")])),
        (
            {"axes": AXES, "exclude": [{"order": 18, "mood": "sad"}, {"mood": "sad"}]},
            snapshot(
                [
                    ("unused-value", "every case with this value of `mood` is excluded; remove it from the axis"),
                    ("matches-nothing", "what this excludes is excluded already"),
                ]
            ),
        ),
        (
            {
                "axes": AXES,
                "exclude": [{"mood": "calm", "language": "Spanish", "caller": "ana", "order": 17}],
                "include": [{"mood": "calm", "language": "Spanish", "caller": "ana", "order": 17}],
            },
            snapshot([("contradiction", "this case is included and excluded; remove one")]),
        ),
        (
            {
                "axes": AXES,
                "include": [{"mood": "x", "language": "English", "caller": "ana", "order": 17}] * 2,
            },
            snapshot([("colliding-case-id", "this case is in the matrix already")]),
        ),
    ],
)
def test_fault_of_a_matrix_of_pairs(workspace: Any, matrix: dict[str, Any], said: Any) -> None:
    """Too many cases are a sum, axis by axis; what exclusions and inclusions get wrong is told."""
    workspace.write("plan.yaml", plan({**matrix, "strategy": "pairwise"}, 2))
    _, diagnostics = workspace.load()
    assert [(item.code, item.detail) for item in diagnostics] == said


def test_pairs_of_two_axes_are_all_combinations(workspace: Any) -> None:
    """There is nothing to leave out of two axes, or of one."""
    for axes in ({"a": [1, 2, 3], "b": [4, 5]}, {"a": [1, 2, 3]}):
        full = [case.case_id for case in workspace.cases(plan({"axes": axes}))]
        assert [case.case_id for case in workspace.cases(plan({"axes": axes, "strategy": "pairwise"}))] == full


def test_what_it_costs_that_cases_stay_is_told(workspace: Any) -> None:
    """Twice the cases that would do, and more, are a choice that is written, whichever it is."""
    axes = {name: list(range(4)) for name in "abcde"}

    def told(**fields: Any) -> list[tuple[str, str]]:
        workspace.write("plan.yaml", plan({"axes": axes, "strategy": "pairwise", **fields}, 2))
        return [(item.code, item.detail) for item in workspace.load()[1]]

    assert told() == snapshot(
        [
            (
                "costly-pairs",
                "132 cases, which all stay when values are appended to any axis; `stable_from: 4` makes 32, of which some change when an axis of fewer than 4 values grows; write it, or `stable_from: 2` to have these on purpose",
            )
        ]
    )
    assert told(exclude=[{"a": 0, "b": 0}]) == snapshot(
        [
            (
                "costly-pairs",
                "132 cases, which all stay when values are appended to any axis; `stable_from: 4` makes about 32, of which some change when an axis of fewer than 4 values grows; write it, or `stable_from: 2` to have these on purpose",
            )
        ]
    )
    assert told(stable_from=2) == told(stable_from=4) == []
    assert told(max_cases=100) == snapshot(
        [
            (
                "too-many-cases",
                "(first 2 values of each axis 6 + a 4 + b 8 + c 12 + d 16 + e 20) × 2 targets = 132 cases, more than 100; write `stable_from: 4` for 32 or so, exclude some, or raise `max_cases`",
            )
        ]
    )
    axes = {"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, 2, 3]}
    assert told() == []
