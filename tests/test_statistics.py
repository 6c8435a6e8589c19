"""Statistics against SciPy 1.17's figures, against exact enumeration, and by their laws."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import comb
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.statistics import (
    Counts,
    could_differ,
    difference_interval,
    fisher_mid_p,
    holm,
    least_mid_p,
    stratified_p,
    wilson_interval,
)


def middle(values: Sequence[float]) -> float:
    return float(median(values))


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

# scipy.stats.fisher_exact's two-sided p, and that less half of scipy.stats.hypergeom's mass of equally likely tables
SCIPY_FISHER = [
    ((3, 3), (0, 3), 0.05000000000000001),
    ((5, 5), (0, 5), 0.003968253968253969),
    ((5, 5), (5, 5), 0.5),
    ((8, 10), (3, 10), 0.037628006668254346),
    ((10, 10), (5, 10), 0.016253869969040248),
    ((1, 1), (0, 1), 0.5),
    ((2, 3), (4, 7), 0.75),
    ((19, 20), (12, 20), 0.010442260442260442),
    ((50, 100), (35, 100), 0.03338820256545744),
    ((0, 4), (0, 9), 0.5),
    ((480, 500), (455, 500), 0.0013061656810233867),
]

COUNTS = st.integers(1, 12).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
P_VALUES = st.dictionaries(st.text(max_size=3), st.fractions(0, 1), max_size=6)
LEVEL = Fraction(1, 20)


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable, and no secret


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


@pytest.mark.parametrize(("before", "now", "mid_p"), SCIPY_FISHER)
def test_fisher_mid_p_is_scipys(before: Counts, now: Counts, mid_p: float) -> None:
    """Fisher's two-sided test less half of what is as likely as what was seen."""
    assert float(fisher_mid_p(before, now)) == pytest.approx(mid_p, rel=1e-9)


@given(COUNTS, COUNTS)
def test_fisher_mid_p_by_dealing_out_every_run(before: Counts, now: Counts) -> None:
    """Counted over all ways to say which runs passed, with fractions: nothing is approximated."""
    (passed_before, total_before), (passed_now, total_now) = before, now
    passed = passed_before + passed_now
    ways = {
        k: comb(total_before, k) * comb(total_now, passed - k)
        for k in range(passed + 1)
        if k <= total_before and passed - k <= total_now
    }
    all_ways = comb(total_before + total_now, passed)
    seen = ways[passed_before]
    expected = sum(
        (
            Fraction(way, all_ways) if way < seen else Fraction(way, 2 * all_ways)
            for way in ways.values()
            if way <= seen
        ),
        start=Fraction(0),
    )
    assert fisher_mid_p(before, now) == expected == fisher_mid_p(now, before)
    least = min(fisher_mid_p((k, total_before), (passed - k, total_now)) for k in ways)
    assert least_mid_p(before, now) == least


def holm_by_closed_testing(p_values: dict[str, Fraction], level: Fraction) -> frozenset[str]:
    """Holm is the closure of Bonferroni: reject what every intersection that holds it rejects."""
    keys = sorted(p_values)
    subsets = [
        {key for key, taken in zip(keys, mask, strict=True) if taken} for mask in product([0, 1], repeat=len(keys))
    ]
    bonferroni = {frozenset(s): min(p_values[key] for key in s) * len(s) <= level for s in subsets if s}
    return frozenset(key for key in keys if all(rejected for s, rejected in bonferroni.items() if key in s))


@given(P_VALUES, st.sampled_from([LEVEL, Fraction(1, 3), Fraction(4, 5)]))
def test_holm_is_the_closure_of_bonferroni(p_values: dict[str, Fraction], level: Fraction) -> None:
    """Step-down and closed testing agree, ties included."""
    assert holm(p_values, level) == holm_by_closed_testing(p_values, level)


def test_could_differ_leaves_out_what_could_never_differ() -> None:
    """Cases that passed every run before and now do not weaken what is said of the one that did not."""
    steady = {f"steady-{number}": least_mid_p((5, 5), (5, 5)) for number in range(55)}
    assert could_differ({**steady, "broken": least_mid_p((5, 5), (0, 5))}, LEVEL) == {"broken"}
    assert could_differ(steady, LEVEL) == frozenset()


def test_could_differ_keeps_what_could_differ_even_when_it_does_not() -> None:
    """The family is chosen by totals, never by which table was seen: else it would be picking winners."""
    shaky = {f"shaky-{number}": least_mid_p((5, 10), (5, 10)) for number in range(3)}
    assert could_differ(shaky, LEVEL) == shaky.keys()


@given(st.dictionaries(st.text(max_size=3), st.fractions(0, 1), max_size=8))
def test_could_differ_is_tarones_least_family(least: dict[str, Fraction]) -> None:
    """Some allowance k is met by at most k hypotheses, no smaller one is, and those that meet it are the family."""
    family = could_differ(least, LEVEL)
    sizes = {k: sum(p * k <= LEVEL for p in least.values()) for k in range(1, len(least) + 1)}
    fitting = [k for k, size in sizes.items() if size <= k]
    assert family == ({key for key, p in least.items() if p * fitting[0] <= LEVEL} if fitting else set())


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


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=4))
def test_the_stratified_test_by_dealing_out_every_case(pairs: list[tuple[Counts, Counts]]) -> None:
    """Over all tables of all cases: twice the smaller tail of the sum, the sum seen included."""
    sums: dict[int, Fraction] = {0: Fraction(1)}
    for (passed_before, total_before), (passed_now, total_now) in pairs:
        passed = passed_before + passed_now
        ways = {k: comb(total_before, k) * comb(total_now, passed - k) for k in range(passed + 1) if k <= total_before}
        whole = comb(total_before + total_now, passed)
        dealt: dict[int, Fraction] = {}
        for total, chance in sums.items():
            for k, way in ways.items():
                dealt[total + k] = dealt.get(total + k, Fraction(0)) + chance * Fraction(way, whole)
        sums = dealt
    seen = sum(before[0] for before, _ in pairs)
    less = sum((chance for total, chance in sums.items() if total < seen), start=Fraction(0))
    more = sum((chance for total, chance in sums.items() if total > seen), start=Fraction(0))
    expected = min(Fraction(1), 2 * (min(less, more) + sums[seen]))
    assert stratified_p(pairs) == pytest.approx(float(expected), abs=1e-12)


def test_many_small_losses_are_significant_together() -> None:
    """3 of 3 against 2 of 3 says nothing in one case and a lot in ten; cases that could not differ do not weaken it."""
    loss: tuple[Counts, Counts] = ((3, 3), (2, 3))
    assert stratified_p([loss]) == 1
    assert stratified_p([loss] * 10) < 0.002
    steady: tuple[Counts, Counts] = ((3, 3), (3, 3))
    assert stratified_p([loss] * 10 + [steady] * 100) == stratified_p([loss] * 10)
    assert stratified_p([steady]) == 1
    assert stratified_p([]) == 1


@pytest.mark.parametrize("rate", [0.5, 0.97])
def test_the_stratified_test_of_a_large_suite(rate: float) -> None:
    """Of 400 cases the sum is what NumPy's convolution of SciPy's distributions makes it; what is left out at its ends is not
    missed."""
    # It takes a second to import: each process that collects tests would.
    from scipy.stats import hypergeom  # pyright: ignore[reportMissingTypeStubs] - it ships few

    random = seeded(3)

    def counts(total: int) -> Counts:
        return sum(random.random() < rate for _ in range(total)), total

    pairs = [(counts(total), counts(total)) for total in (3, 5, 11, 20) * 100]
    weights, seen = np.ones(1), 0
    for (passed_before, before), (passed_now, now) in pairs:
        passed = passed_before + passed_now
        least = max(0, passed - now)
        weights = np.convolve(
            weights, hypergeom.pmf(range(least, min(passed, before) + 1), before + now, passed, before)
        )
        seen += passed_before - least
    tail = min(weights[: seen + 1].sum(), weights[seen:].sum())
    assert stratified_p(pairs) == pytest.approx(min(1.0, 2 * tail), abs=1e-10)


def test_a_nearly_impossible_result_has_a_tiny_p_value() -> None:
    """Of 2,000 cases that all turned, beyond any count that is kept: more than nothing, and less than any suite is asked for."""
    assert 0 < stratified_p([((3, 3), (0, 3))] * 2000) < 1e-12


def test_could_differ_of_ten_thousand_cases_is_the_least_family() -> None:
    """Where many least p-values lie close together, as where all runs of a large suite are shaky."""
    least = {str(number): Fraction(number + 1, 200_000) for number in range(10_000)}
    assert could_differ(least, LEVEL) == {str(number) for number in range(100)}
