"""Intervals against SciPy 1.17's figures, against published ones, and by their laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.statistics import Counts, difference_interval, wilson_interval

# Both by the proportion_ci of scipy.stats.binomtest, methods wilson and exact.
SCIPY_INTERVALS = [
    (0, 1, 0.95, (0.0, 0.7934506856227626)),
    (1, 1, 0.95, (0.20654931437723745, 1.0)),
    (4, 5, 0.95, (0.3755346297625253, 0.9637758913675698)),
    (5, 5, 0.95, (0.5655175352168251, 1.0)),
    (0, 20, 0.95, (0.0, 0.16112515805281935)),
    (7, 20, 0.95, (0.1811918241010821, 0.5671457233147637)),
    (13, 20, 0.9, (0.46651268884847175, 0.797739959943239)),
    (998, 1000, 0.95, (0.9927371921365078, 0.9994513564118792)),
    (500, 1000, 0.99, (0.45940700521208483, 0.5405929947879151)),
    (1, 3, 0.8, (0.10577563612172286, 0.6788173521696517)),
]

COUNTS = st.integers(1, 12).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(("passed", "total", "confidence", "wilson"), SCIPY_INTERVALS)
def test_intervals_are_scipys(passed: int, total: int, confidence: float, wilson: tuple[float, float]) -> None:
    """Wilson's interval agrees with SciPy's to 9 digits."""
    assert wilson_interval(passed, total, confidence) == pytest.approx(wilson, rel=1e-9)


@given(COUNTS, st.floats(0.5, 0.999))
def test_an_interval_holds_the_rate_and_widens_with_confidence(counts: Counts, confidence: float) -> None:
    """0 ≤ low ≤ rate ≤ high ≤ 1, mirrored for failures; more confidence is never narrower."""
    passed, total = counts
    low, high = wilson_interval(passed, total, confidence)
    assert 0 <= low <= passed / total <= high <= 1
    assert wilson_interval(total - passed, total, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    wider_low, wider_high = wilson_interval(passed, total, (1 + confidence) / 2)
    assert wider_low <= low
    assert high <= wider_high


@pytest.mark.parametrize(
    ("before", "now", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.2775, 0.1611),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_difference_of_two_rates(before: tuple[int, int], now: tuple[int, int], low: float, high: float) -> None:
    """As Newcombe's method 10 gives it in the paper's table II (now less before)."""
    assert difference_interval(before, now) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
