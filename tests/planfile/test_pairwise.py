"""Pairwise matrices: every allowed pair is covered, in few cases."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.planfile import reporter
from planner.planfile.pairwise import TooMuchSearchError, fewest_rows, pairwise

PIGEONS = [{one: hole, other: hole} for one, other in itertools.combinations(range(10), 2) for hole in range(9)]
"""Ten axes of nine values that must all differ: there is no such row, and the proof takes long."""

Pairs = set[tuple[tuple[int, int], ...]]


@st.composite
def shapes(draw: st.DrawFn) -> tuple[list[int], list[dict[int, int]]]:
    """Sizes of axes, and exclusions of one to all of them."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    pattern = st.sets(st.integers(0, len(sizes) - 1), min_size=1).flatmap(
        lambda axes: st.fixed_dictionaries({axis: st.integers(0, sizes[axis] - 1) for axis in sorted(axes)})
    )
    return sizes, draw(st.lists(pattern, max_size=8))


def pairs_of(rows: Any) -> Pairs:
    return {pair for row in rows for pair in itertools.combinations(enumerate(row), 2)}


def allowed_rows(sizes: list[int], exclusions: list[dict[int, int]]) -> set[tuple[int, ...]]:
    """By brute force."""
    return {
        row
        for row in itertools.product(*map(range, sizes))
        if not any(all(row[axis] == value for axis, value in pattern.items()) for pattern in exclusions)
    }


@settings(deadline=None, max_examples=40)
@given(shapes())
@example(([2, 2, 3], [{0: 0, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 1}]))  # leaves one row for a pair
@example(([3, 3, 3], [{0: 2, 1: 2, 2: 0}, {0: 2, 1: 2, 2: 1}, {0: 2, 1: 2, 2: 2}]))  # excludes a pair by three rows
@example(([2, 2, 2, 2], [{0: 0, 1: 1}, {1: 0, 2: 1}, {2: 0, 3: 1}]))  # excludes 0=0 with 3=1 by a chain
def test_every_allowed_pair_is_covered(shape: tuple[list[int], list[dict[int, int]]]) -> None:
    """The rows are allowed and different, and have each pair that any allowed row has."""
    sizes, exclusions = shape
    allowed = allowed_rows(sizes, exclusions)
    rows = pairwise(sizes, exclusions).rows
    assert set(rows) <= allowed
    assert pairs_of(rows) == pairs_of(allowed)
    assert sorted(set(rows)) == list(rows)


@pytest.mark.parametrize(
    ("sizes", "fewest", "made"),
    [
        ([3] * 4, 9, 9),
        ([4] * 5, 16, 16),
        ([3] * 13, 15, 15),
        ([10] * 4, 100, 106),
        ([6, 5, 4, 3, 3, 2, 2, 2], 30, 30),
        ([3, 4, 5, 2, 2], 20, 20),
    ],
)
def test_how_many_cases_pairwise_makes(sizes: list[int], fewest: int, made: int) -> None:
    """Near the fewest that are known (orthogonal arrays; Torres-Jimenez and Izquierdo-Marquez 2018 for 13 axes of 3; allpairspy 2.5
    makes 9, 22, 17, 111, 30 and 20)."""
    rows = pairwise(sizes, ()).rows
    assert len(rows) == made
    assert len(pairs_of(rows)) == sum(one * other for one, other in itertools.combinations(sizes, 2))
    assert fewest_rows(sizes) <= fewest <= made


def test_the_table_is_the_same_everywhere() -> None:
    """Case ids depend on it."""
    made = [pairwise(sizes, excluded).rows for sizes, excluded in (([3, 2, 3, 4], [{0: 0, 1: 0}]), ([3, 3, 3, 3], ()))]
    assert [" ".join("".join(map(str, row)) for row in table) for table in made] == snapshot(
        [
            "0101 0102 0113 0120 1003 1010 1021 1112 2022 2100 2111 2123",
            "0012 0100 0221 1001 1122 1210 2020 2111 2202",
        ]
    )


def test_exclusions_that_follow_from_each_other_need_no_search() -> None:
    """In a chain of 60 axes, one value decides all that follow."""
    rows = pairwise([2] * 60, [{axis: 0, axis + 1: 1} for axis in range(59)]).rows
    assert len(rows) == 61
    assert all(list(row) == sorted(row, reverse=True) for row in rows)


@pytest.mark.parametrize(("sizes", "exclusions"), [([9] * 10, PIGEONS), ([200, 200, 200], []), ([2] * 2000, [])])
def test_work_is_bounded(sizes: list[int], exclusions: list[dict[int, int]]) -> None:
    """Very large sizes and exclusions are refused within about a second."""
    with pytest.raises(TooMuchSearchError):
        pairwise(sizes, exclusions)


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.data())
def test_cases_of_a_plan_cover_every_allowed_pair(workspace: Any, data: st.DataObject) -> None:
    """With `exclude` and `include`: included cases are additional, and only they may have values outside the axes."""
    sizes, exclusions = data.draw(shapes())
    if len(sizes) < 3 or not allowed_rows(sizes, exclusions):
        return
    rows = data.draw(st.lists(st.tuples(*[st.integers(0, size) for size in sizes]), max_size=3, unique=True))
    whole = [pattern for pattern in exclusions if len(pattern) == len(sizes)]
    includes = [row for row in rows if dict(enumerate(row)) not in whole]
    names = "abcde"[: len(sizes)]
    matrix = {
        "axes": {name: list(range(size)) for name, size in zip(names, sizes, strict=True)},
        "exclude": [{names[axis]: value for axis, value in pattern.items()} for pattern in exclusions],
        "include": [dict(zip(names, row, strict=True)) for row in includes],
        "strategy": "pairwise",
    }
    workspace.write("plan.yaml", plan(matrix))
    plans, diagnostics = workspace.load()
    assert {item.code for item in diagnostics} <= {"same-call"}
    cases = [case for loaded in plans for case in loaded.cases]
    made = [tuple(map(int, re.findall(r"=(\d+)", case.case_id))) for case in cases]
    allowed = allowed_rows(sizes, exclusions)
    assert len(set(made)) == len(made)
    assert set(includes) <= set(made)
    assert set(made) <= allowed | set(includes)
    assert pairs_of(made) == pairs_of(allowed) | pairs_of(includes)


def test_pairs_of_a_plan(workspace: Any) -> None:
    """Mappings are written as their id in exclude and include; including an existing case adds none."""
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
            "mood=calm,language=English,caller=ana,order=18",
            "mood=calm,language=English,caller=bob,order=17",
            "mood=calm,language=English,caller=eve,order=18",
            "mood=furious,language=English,caller=eve,order=18",
            "mood=furious,language=Spanish,caller=ana,order=17",
            "mood=furious,language=Spanish,caller=bob,order=18",
            "mood=sad,language=English,caller=ana,order=17",
            "mood=sad,language=English,caller=bob,order=18",
            "mood=sad,language=Spanish,caller=eve,order=18",
            "mood=confused,language=English,caller=ana,order=17",
        ]
    )


def test_pairs_of_two_axes_are_all_combinations(workspace: Any) -> None:
    """Two axes, or one, leave nothing out."""
    for axes in ({"a": [1, 2, 3], "b": [4, 5]}, {"a": [1, 2, 3]}):
        full = [case.case_id for case in workspace.cases(plan({"axes": axes}))]
        assert [case.case_id for case in workspace.cases(plan({"axes": axes, "strategy": "pairwise"}))] == full


def test_the_work_for_all_tables_of_a_plan_is_bounded(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table counts once for all scenarios that use it. Too many different tables are refused."""
    monkeypatch.setattr(reporter, "TABLE_WORK", 400_000)

    def codes(exclusions: list[dict[str, int]]) -> set[str]:
        axes = {f"a{axis}": [0, 1, 2] for axis in range(7)}
        prompt = "".join(f"{{{{ {name} }}}}" for name in axes)
        scenarios = {
            f"s{number}": {
                "prompt": f"{number} {prompt}",
                "matrix": {"axes": axes, "exclude": [pattern], "strategy": "pairwise"},
                "expect": [{"check": "duration", "max_seconds": 9}],
            }
            for number, pattern in enumerate(exclusions)
        }
        document = {"version": 1, "plan": "p", "targets": {"t": {"agent": 1}}, "scenarios": scenarios}
        workspace.write("plan.yaml", json.dumps(document))
        return {item.code for item in workspace.load()[1]}

    different = [{f"a{one}": 0, f"a{other}": 1} for one, other in itertools.permutations(range(7), 2)]
    assert codes([different[0]] * 9) == set()
    assert codes(different[:9]) == {"too-many-cases"}
