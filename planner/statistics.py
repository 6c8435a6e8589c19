"""How sure a rate or a difference is. Small, exact where it can be, and free of clocks and hidden randomness.

Sources: E. B. Wilson, JASA 22 (1927) 209-212. C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413. R. A. Fisher,
Statistical Methods for Research Workers (1934), section 21.02; its mid-p: H. O. Lancaster, JASA 56 (1961) 223-234.
S. Holm, Scand. J. Statist. 6 (1979) 65-70. R. E. Tarone, Biometrics 46 (1990) 515-522. B. Efron, Ann. Statist. 7 (1979) 1-26.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import comb, exp, lgamma, log, sqrt
from statistics import NormalDist
from statistics import median as exact_median
from typing import Protocol

__all__ = [
    "Counts",
    "RandomSource",
    "bootstrap_interval",
    "clopper_pearson_interval",
    "could_differ",
    "fisher_mid_p",
    "holm",
    "least_mid_p",
    "median",
    "wilson_interval",
]


class RandomSource(Protocol):
    """What we use of a `random.Random`, which the caller makes and seeds."""

    def choices(self, population: Sequence[float], *, k: int) -> list[float]: ...


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


def clopper_pearson_interval(passed: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a rate: never covers less often than `confidence`. `total` is at least 1."""
    tail = (1 - confidence) / 2
    low = 0.0 if passed == 0 else _bisect(lambda rate: _at_least(passed, total, rate) < tail)
    high = 1.0 if passed == total else _bisect(lambda rate: 1 - _at_least(passed + 1, total, rate) > tail)
    return low, high


def _bisect(is_below: Callable[[float], bool]) -> float:
    """Where a condition on 0..1 turns from true to false."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _at_least(passed: int, total: int, rate: float) -> float:
    """P(X >= passed) of a binomial with 0 < rate < 1."""
    log_pass, log_fail = log(rate), log(1 - rate)
    terms = (
        lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1) + k * log_pass + (total - k) * log_fail
        for k in range(passed, total + 1)
    )
    return min(1.0, sum(map(exp, terms)))


def difference_interval(before: Counts, now: Counts, confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval of the difference of two rates, now less before, from their Wilson intervals.

    Source: R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17
    (1998), method 10. Both totals are at least 1.
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

    The probability, given all totals, of tables less likely than the one seen, plus half of that of tables just as likely.
    1/2 where the totals allow but one table.
    """
    weights, seen = _tables(before, now)
    mine = weights[seen]
    doubled = sum(2 * weight if weight < mine else weight for weight in weights if weight <= mine)
    return Fraction(doubled, 2 * sum(weights))


def least_mid_p(before: Counts, now: Counts) -> Fraction:
    """The least mid-p that any samples of these sizes with this many passed in all could give."""
    weights, _ = _tables(before, now)
    least = min(weights)
    return Fraction(least * weights.count(least), 2 * sum(weights))


def _tables(before: Counts, now: Counts) -> tuple[list[int], int]:
    """Weights (over their sum: probabilities) of all 2x2 tables with these totals, and the index of the one seen."""
    (passed_before, total_before), (passed_now, total_now) = before, now
    passed = passed_before + passed_now
    first, last = max(0, passed - total_now), min(passed, total_before)
    weights = [comb(total_before, k) * comb(total_now, passed - k) for k in range(first, last + 1)]
    return weights, passed_before - first


def holm(p_values: Mapping[str, Fraction], level: Fraction) -> frozenset[str]:
    """Which hypotheses Holm's step-down rejects: the chance of any false one is at most `level`."""
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    rejected: set[str] = set()
    for index, (key, p_value) in enumerate(ordered):
        if p_value * (len(ordered) - index) > level:
            break
        rejected.add(key)
    return frozenset(rejected)


def could_differ(least_p_values: Mapping[str, Fraction], level: Fraction) -> frozenset[str]:
    """Tarone's reduction: hypotheses that could be rejected at all once the others are allowed for.

    Samples that all passed, before and now, could not differ whatever was seen, so they need not weaken what is said of
    others. Depends on totals only, not on which table was seen, so a correction over what remains is still honest.
    """
    ordered = sorted(least_p_values.values())
    for allowed in range(1, len(ordered) + 1):
        within = {key for key, least in least_p_values.items() if least * allowed <= level}
        if len(within) <= allowed:
            return frozenset(within)
    return frozenset(least_p_values)


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two; of at least one value."""
    return exact_median(values)


def bootstrap_interval(
    samples: Sequence[Sequence[float]],
    statistic: Callable[..., float],
    random: RandomSource,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `statistic(*samples)`, each sample drawn again on its own; none is empty.

    For one median: `bootstrap_interval([seconds], median, random)`. For the change of one:
    `bootstrap_interval([before, now], lambda before, now: median(now) - median(before), random)`.
    """
    drawn = sorted(statistic(*(random.choices(sample, k=len(sample)) for sample in samples)) for _ in range(resamples))
    cut = (1 - confidence) / 2
    return _quantile(drawn, cut), _quantile(drawn, 1 - cut)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between the order statistics."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
