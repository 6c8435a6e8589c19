"""How sure a rate or a difference is: exact where possible, without clocks or hidden randomness.

Sources: E. B. Wilson, JASA 22 (1927) 209-212. R. A. Fisher, Statistical Methods for Research Workers (1934), section
21.02; its mid-p: H. O. Lancaster, JASA 56 (1961) 223-234. N. Mantel and W. Haenszel, J. Nat. Cancer Inst. 22 (1959)
719-748. S. Holm, Scand. J. Statist. 6 (1979) 65-70. R. E. Tarone, Biometrics 46 (1990) 515-522. B. Efron, Ann. Statist.
7 (1979) 1-26.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb, sqrt
from statistics import NormalDist
from typing import TypeAlias

Counts = tuple[int, int]
"""(passed, total) of one sample."""


def wilson_interval(passed: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate, without continuity correction. `total` is at least 1."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = passed / total
    centre = rate + z * z / (2 * total)
    spread = z * sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At the ends the bounds are exactly 0 and 1; in floating point they would miss by an ulp.
    low = 0.0 if passed == 0 else (centre - spread) / scale
    high = 1.0 if passed == total else (centre + spread) / scale
    return low, high


def difference_interval(before: Counts, now: Counts, confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval of the difference of two rates, now less before, from their Wilson intervals.

    Source: R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17 (1998), method 10. Both totals are at least 1.
    """
    old, new = before[0] / before[1], now[0] / now[1]
    old_low, old_high = wilson_interval(*before, confidence)
    new_low, new_high = wilson_interval(*now, confidence)
    difference = new - old
    return (
        difference - sqrt((new - new_low) ** 2 + (old_high - old) ** 2),
        difference + sqrt((new_high - new) ** 2 + (old - old_low) ** 2),
    )


def fisher_mid_p(before: Counts, now: Counts) -> Fraction:
    """Two-sided mid-p of Fisher's exact test that both samples have the same rate; exact.

    The probability, given all totals, of tables less likely than the observed one, plus half of that of equally likely
    tables. 1/2 if the totals allow only one table.
    """
    weights, seen = _tables(before, now)
    mine = weights[seen]
    doubled = sum(2 * weight if weight < mine else weight for weight in weights if weight <= mine)
    return Fraction(doubled, 2 * sum(weights))


def least_mid_p(before: Counts, now: Counts) -> Fraction:
    """The least mid-p of any samples with these sizes and this total of passed runs."""
    weights, _ = _tables(before, now)
    least = min(weights)
    return Fraction(least * weights.count(least), 2 * sum(weights))


def _tables(before: Counts, now: Counts) -> tuple[list[int], int]:
    """Weights (relative to their sum: probabilities) of all 2x2 tables with these totals, and the index of the observed
    one."""
    (passed_before, total_before), (passed_now, total_now) = before, now
    passed = passed_before + passed_now
    first, last = max(0, passed - total_now), min(passed, total_before)
    weights = [comb(total_before, k) * comb(total_now, passed - k) for k in range(first, last + 1)]
    return weights, passed_before - first


def holm(p_values: Mapping[str, Fraction], level: Fraction) -> frozenset[str]:
    """The hypotheses that Holm's step-down procedure rejects: the chance of any false rejection is at most `level`."""
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    rejected: set[str] = set()
    for index, (key, p_value) in enumerate(ordered):
        if p_value * (len(ordered) - index) > level:
            break
        rejected.add(key)
    return frozenset(rejected)


def could_differ(least_p_values: Mapping[str, Fraction], level: Fraction) -> frozenset[str]:
    """Tarone's reduction: the hypotheses that could be rejected at all, given the number of others.

    Depends on totals only, not on the observed tables, so that a correction over the remaining hypotheses is valid.
    """
    ordered = sorted(least_p_values, key=lambda key: least_p_values[key])
    within = len(ordered)
    for allowed in range(1, len(ordered) + 1):
        while within and least_p_values[ordered[within - 1]] * allowed > level:
            within -= 1
        if within <= allowed:
            break
    return frozenset(ordered[:within])


def stratified_p(pairs: Sequence[tuple[Counts, Counts]]) -> float:
    """Two-sided p that no rate of a suite has changed, against a change of all in the same direction; 1 if nothing
    could differ.

    The exact form of the test by Cochran, Mantel and Haenszel: given each case's totals, the probability of a sum of
    passed runs at least as extreme as the observed one. Not a mid-p.
    """
    rows: list[_Row] = []
    seen = 0
    for before, now in pairs:
        tables, index = _tables(before, now)
        if len(tables) > 1:
            total = sum(tables)
            rows.append(([table / total for table in tables], 0, 0.0))
            seen += index
    if not rows:
        return 1.0
    while len(rows) > 1:  # pairwise, which is much faster than one after another
        merged = [_added(one, other) for one, other in zip(rows[::2], rows[1::2], strict=False)]
        rows = merged + rows[2 * len(merged) :]
    ((weights, first, lost),) = rows
    at = min(max(seen - first, -1), len(weights))
    less, same, more = sum(weights[: max(at, 0)]), sum(weights[max(at, 0) : at + 1]), sum(weights[at + 1 :])
    return min(1.0, 2 * (min(less, more) + same + lost))


_Row: TypeAlias = tuple[list[float], int, float]
"""Probabilities of counts, the first count, and the total probability of counts that were left out."""

_NEGLIGIBLE = 1e-20
"""Less likely counts at the ends of a row are left out, and treated as if they were extreme."""


def _added(one: _Row, other: _Row) -> _Row:
    """The distribution of the sum of two counts."""
    weights = [0.0] * (len(one[0]) + len(other[0]) - 1)
    for shift, weight in enumerate(other[0]):
        for index, value in enumerate(one[0], start=shift):
            weights[index] += value * weight
    kept = [index for index, weight in enumerate(weights) if weight >= _NEGLIGIBLE]
    low, high = kept[0], kept[-1] + 1
    lost = one[2] + other[2] + sum(weights[:low]) + sum(weights[high:])
    return weights[low:high], one[1] + other[1] + low, lost
