"""Which cases are called in waves, how many calls are left, and what these may cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.estimate import build_change_set
from planner.changes.model import Change
from planner.changes.waves import calls_left, extreme_calls, with_waves
from planner.checks import CHECKS
from planner.planfile.model import Case, Quarantine, Target
from planner.planfile.waves import most_calls, wave_calls
from planner.results.outcomes import Action
from tests.support.stored_cases import changes_of, make_case, make_runs, store_case


def adaptive(name: str, runs: int = 5, **fields: Any) -> Case:
    made = {"prompt": f"You are {name}.", "runs": runs, "calls": "adaptive", "min_runs": 2, **fields}
    return make_case(name, **made)


def in_waves(*cases: Case, without: tuple[str, ...] = ()) -> tuple[Change, ...]:
    return with_waves(changes_of(cases), lambda change: change.case_id.split("/")[1].split("@")[0] not in without)


def most_of(changes: tuple[Change, ...]) -> list[int]:
    return [change.most_runs for change in changes]


@pytest.mark.parametrize(
    ("runs", "first", "waves", "most"),
    [(3, 2, (1, 1, 2, 3), 9), (5, 2, (3, 4, 7, 10), 26), (5, 3, (2, 3, 5, 7), 20), (5, 5, (0, 0, 0, 0), 5)],
)
def test_the_sizes_of_waves(runs: int, first: int, waves: tuple[int, ...], most: int) -> None:
    assert (wave_calls(runs, first), most_calls(runs, first)) == (waves, most)


def test_cases_with_a_history_share_their_calls() -> None:
    """The most for one is what all others leave; in a large suite, what the waves can give it."""
    assert most_of(in_waves(adaptive("ana"), adaptive("bob"))) == [8, 8]
    assert most_of(in_waves(adaptive("ana"), adaptive("bob"), adaptive("cem"), without=("bob",))) == [8, 0, 8]
    assert most_of(in_waves(*(adaptive(f"case-{number}") for number in range(20)))) == [26] * 20
    assert most_of(in_waves(adaptive("ana"), adaptive("bob"), without=("bob",))) == [0, 0]  # nothing to share


@pytest.mark.parametrize(
    "fields",
    [
        {"calls": "equal"},
        {"quarantine": Quarantine(date(2027, 1, 1), "flaky")},
        {"expectations": (CHECKS["judge"].model_validate({"check": "judge", "id": "j", "rubric": "It is polite."}),)},
    ],
)
def test_cases_that_are_called_equally(fields: dict[str, Any]) -> None:
    changes = in_waves(adaptive("ana"), adaptive("bob"), adaptive("cem", **fields))
    assert most_of(changes) == [8, 8, 0]


def test_calls_in_addition_to_earlier_ones_are_not_in_waves() -> None:
    """Nor is a case that is not called."""
    cases = [adaptive("ana"), adaptive("bob"), adaptive("cem"), adaptive("dora")]
    fewer = replace(cases[2], runs=3)
    stored = [
        store_case(fewer, runs=make_runs(None, None, None)),
        store_case(cases[3], runs=make_runs(*[None] * 5, first=201)),
    ]
    changes = with_waves(changes_of(cases, stored), lambda _: True)
    assert [(change.action, change.runs, change.most_runs) for change in changes] == [
        (Action.CALL, 5, 8),
        (Action.CALL, 5, 8),
        (Action.CALL, 2, 0),
        (Action.REUSE, 0, 0),
    ]


@given(st.lists(st.tuples(st.integers(3, 9), st.integers(0, 30)), min_size=2, max_size=6), st.integers(0, 3))
def test_calls_left_are_never_more_than_were_agreed_to(cases: list[tuple[int, int]], equal: int) -> None:
    """Whatever was made of each case, and wherever the waves go."""
    waved = [adaptive(f"case-{number}", runs) for number, (runs, _) in enumerate(cases)]
    others = [make_case(f"equal-{number}") for number in range(equal)]
    changes = in_waves(*waved, *others)
    shared = sum(runs for runs, _ in cases)
    made = {change.case_id: min(number, change.most_runs) for change, (_, number) in zip(changes, cases, strict=False)}
    while sum(made.values()) > shared:
        made[max(made, key=lambda case_id: made[case_id])] -= 1
    expected = shared - sum(made.values())
    left = calls_left(changes, made)
    assert sum(left.values()) == expected + 3 * equal
    for dearest in (False, True):
        extreme = extreme_calls(changes, made, lambda change: len(change.case_id), dearest=dearest)
        assert sum(extreme.values()) <= expected + 3 * equal
        for change in changes:
            assert made.get(change.case_id, 0) + extreme.get(change.case_id, 0) <= max(change.runs, change.most_runs)


def test_the_price_covers_every_way_the_waves_may_go() -> None:
    """A call of one agent costs 160 to 640 cents, of the other 16 to 64. The waves may give its case 11 of the 15 calls, or 2."""
    cases = [adaptive("ana", target=Target("premium", "agent", 14)), adaptive("bob"), adaptive("cem")]
    known: dict[str, Any] = {
        "products": {("agent", 12): "spark", ("agent", 14): "premium"},
        "rates": {"spark": 8, "premium": 80},
        "history": [],
    }
    changes = with_waves(changes_of(cases), lambda _: True)
    assert most_of(changes) == [11] * 3
    estimate = build_change_set(changes, already_made={}, **known).estimate
    assert (estimate.calls, estimate.low_cents, estimate.high_cents) == (15, 2 * 160 + 13 * 16, 11 * 640 + 4 * 64)
    made = {changes[0].case_id: 4, changes[1].case_id: 2}
    rest = build_change_set(changes, already_made=made, **known).estimate
    assert (rest.calls, rest.low_cents, rest.high_cents) == (9, 9 * 16, 7 * 640 + 2 * 64)
