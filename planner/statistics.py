"""How sure a rate or the difference of two rates is.

Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209-212.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

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
