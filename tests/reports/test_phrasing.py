"""Strings that all formats share."""

from __future__ import annotations

import pytest

from planner.reports import case_phrasing, phrasing
from planner.results.model import JudgedRun, RunResult
from tests.support.samples import changed


def test_unknown_parts_of_the_bill(canonical: RunResult) -> None:
    """Unreadable calls are not in progress, and earlier payments are not estimates."""
    cost = {
        "unconfirmed_cents": 96,
        "calls_under_way": 2,
        "unread_calls": 1,
        "unbilled_calls": 0,
        "paid_before_cents": 500,
    }
    texts = phrasing.cost_details(changed(canonical, open_launches=[], cost=canonical.cost.model_copy(update=cost)))
    assert texts[1:3] == [
        "up to $0.96 more for 2 calls in progress and 1 ended call that cannot be read",
        "expected: $5.00 paid before, plus $9.20 for the remaining calls",
    ]


@pytest.mark.parametrize(
    ("spent", "expected", "launches", "text"),
    [
        (0, None, 0, "nothing called"),
        (0, 1420, 0, "nothing called, $14.20 expected"),
        (0, 1420, 1, "$0.00 (estimate was $14.20)"),
        (1502, None, 5, "$15.02, expected cost unknown"),
        (1420, 1420, 5, "$14.20 (as estimated)"),
        (1502, 1420, 5, "$15.02 (estimate was $14.20)"),
    ],
)
def test_cost(all_passed: RunResult, spent: int, expected: int | None, launches: int, text: str) -> None:
    """Spent and expected cost; “nothing called” is not $0.00."""
    cost = changed(all_passed.cost, actual_cents=spent, estimated_cents=expected)
    stats = changed(all_passed.stats, launches=launches)
    assert phrasing.cost(changed(all_passed, cost=cost, stats=stats)) == text


@pytest.mark.parametrize(
    ("bills", "text"),
    [((), "–"), ((None,), "unknown"), ((16, None), "at least $0.16"), ((16, 0), "$0.16")],
    ids=["none", "unknown", "some", "all"],
)
def test_case_cost(canonical: RunResult, bills: tuple[int | None, ...], text: str) -> None:
    """A missing bill makes the sum a lower bound; without any bill it is unknown."""
    run: JudgedRun = canonical.cases[0].runs[0]
    runs = [changed(run, cost_cents=cents) for cents in bills]
    assert case_phrasing.case_cost(changed(canonical.cases[0], runs=runs)) == text
