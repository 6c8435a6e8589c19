"""What new calls are compared with, over several sessions; quarantined cases are compared apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from planner.planfile.model import Case, Quarantine
from planner.results.model import CaseResult, JudgedRun
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.history import compare_with_history
from tests.support.heard_calls import EMPTY
from tests.support.stored_calls import Session, Store, mix, play, runs_after
from tests.support.stored_cases import Says, make_case

CASE = make_case()
PASSED = mix(3, 0)


def played(case: Case, store: Store, made: list[str | None], **known: Any) -> CaseResult:
    return play(case, store, made, **known).case


EIGHT = make_case(runs=8, min_pass_rate=0.8)


def test_new_calls_are_compared_with_the_stored_ones() -> None:
    """8 of 8 before and 0 of 8 now: regressed, and the suite counts each call once."""
    more = replace(EIGHT, runs=16)
    stored = play(EIGHT, EMPTY, mix(8, 0)).store
    found = play(more, stored, mix(0, 8))
    assert (found.pool, found.sides, found.case.compared) == (("failed", 8, 16), ((8, 8), (0, 8)), "regressed")
    assert sum(run.pooled for run in found.case.runs) == 8
    _, suite = compare_with_history([found.case], stored.records().of_newest_sessions)
    assert suite is not None
    assert (suite.passed_before, suite.runs_before, suite.passed_now, suite.runs_now) == (8, 8, 0, 8)


def test_stored_calls_alone_are_nothing_new() -> None:
    """If none of the additional calls could be made, they may still change the outcome, but nothing got worse."""
    four = make_case(runs=4)
    stored = play(four, EMPTY, mix(4, 0)).store
    found = play(replace(four, runs=8), stored)
    assert (found.pool, found.case.compared, found.case.baseline) == (("unknown", 4, 4), "not_comparable", None)
    assert compare_with_history([found.case], stored.records().of_newest_sessions)[1] is None


def test_a_regression_stays_one_until_the_case_is_called_again() -> None:
    """The kept case is compared as when its calls were made; the new calls are compared with those."""
    worse = play(EIGHT, play(EIGHT, EMPTY, mix(8, 0)).store, mix(0, 8), rerun="all")
    kept = play(EIGHT, worse.store)
    for found in (worse, kept):
        assert (found.pool, found.sides, found.case.compared) == (("failed", 0, 8), ((8, 8), (0, 8)), "regressed")
    assert kept.case.probability_regressed == worse.case.probability_regressed
    again = play(EIGHT, kept.store, mix(8, 0), rerun="failed")
    assert (again.pool, again.sides) == (("failed", 8, 16), ((0, 8), (8, 8)))


def test_a_case_left_open_is_compared_as_one_sample() -> None:
    """All of 20, then 5 of 9 and open; with the others it fails.
    The comparison survives sessions without calls, but not other expectations."""
    case = make_case(runs=20, min_pass_rate=0.8)
    spoiled: list[str | None] = ["platform"] * 11
    left_open = play(case, play(case, EMPTY, mix(20, 0)).store, mix(5, 4) + spoiled, rerun="all")
    assert (left_open.pool, left_open.case.compared) == (("unknown", 5, 20), "suspected")
    assert left_open.case.open_against == left_open.case.baseline
    still_open = play(case, left_open.store)
    assert (still_open.pool, still_open.sides[0]) == (("unknown", 5, 9), (20, 20))
    assert still_open.case.open_against == left_open.case.baseline
    found = play(case, still_open.store, mix(0, 11))
    assert (found.pool, found.sides) == (("failed", 5, 20), ((20, 20), (5, 20)))
    assert (found.case.compared, found.case.open_against) == ("regressed", None)
    other = replace(case, expectations=(Says(id="says", any_of=("60 days",)),))
    assert played(other, left_open.store, []).open_against is None


def test_raised_runs_join_pools_that_no_longer_pass() -> None:
    """Whether a pool passed is decided by today's number: with 3 needed of 5, 2 of 2 passes no more, so that the calls
    after it count with it. With the old number, they are apart again."""
    two, five = make_case(runs=2), make_case(runs=5)
    store = play(two, play(two, EMPTY, mix(2, 0)).store, mix(1, 1), rerun="all").store
    assert play(two, store).pool == ("failed", 1, 2)
    assert Session([five]).prior(store).runs_total == 4


def test_an_unknown_case_is_compared_with_the_last_known_result() -> None:
    """After a night of platform failures, the baseline is unchanged."""
    store = play(EIGHT, play(EIGHT, EMPTY, mix(8, 0)).store, ["platform"] * 8, rerun="all").store
    found = play(EIGHT, store, mix(0, 8))
    assert (found.case.compared, found.sides[0]) == ("regressed", (8, 8))


def test_known_calls_that_are_made_again_are_the_baseline() -> None:
    """The runs of an open case are the baseline once all of its calls are made again."""
    three = replace(CASE)
    store = play(three, play(three, EMPTY, PASSED).store, [None, "agent", "caller"], rerun="all").store
    found = play(three, store, mix(0, 3), rerun="all")
    assert found.sides[0] == (1, 2)


@pytest.mark.parametrize(
    ("today", "found"),
    [(date(2026, 11, 30), ["same", "regressed"]), (date(2026, 12, 1), ["regressed", "regressed"])],
)
def test_a_quarantine_is_valid_until_its_last_day(today: date, found: list[str]) -> None:
    """Both cases fall. After its last day, the quarantined one counts again."""
    cases = [
        make_case("apart", prompt="Hello.", runs=8, quarantine=Quarantine(date(2026, 11, 30), "ticket VOX-41")),
        make_case("one", runs=8),
    ]
    ways = [mix(8, 0), mix(8, 0)]

    def made(store: Store, first: int, ways: list[list[str | None]]) -> dict[str, list[JudgedRun]]:
        return {
            case.case_id: runs_after(store, *way, first=first + 100 * number)
            for number, (case, way) in enumerate(zip(cases, ways, strict=True))
        }

    _, store = Session(cases).finish(EMPTY, made(EMPTY, 101, ways))
    changes = Session(cases, asked={"rerun": "all"}).changes(store)
    assert [change.reason.value for change in changes] == ["rerun", "rerun"]
    new = made(store, 301, [mix(0, 8), mix(0, 8)])
    assembled = assemble_cases(changes, new, lambda _: None, MissingRuns(), today=today)
    compared, _ = compare_with_history(assembled, store.records().of_newest_sessions)
    assert [case.compared for case in compared] == found
