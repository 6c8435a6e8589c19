"""Estimate the cost of a change set: a range with its basis, or unknown (never 0).

**Per call.** From the bills of the narrowest group of past runs that has at least three (or else any): the case's runs and its
scenario's runs on the same target, then the target's, then the product's. Without any, from the product's rate and an assumed
length of 2 minutes (1 to 4). Without a rate, unknown.

**Total.** The expected cost is the sum of means. Low and high are an 80 % prediction interval of the sum: mean ± t · √V, where V
sums over the groups priced from

    r · σ² + Σ rᵢ² · τ² + r² · (τ² · Σ wᵢ² + σ² / n)

for r runs, rᵢ of each case: σ² is the variance of the runs of one case, τ² that of the case means (0 if a case is priced by its
own runs), n the number of past runs and wᵢ each past case's share of them. t is Student's, with Welch and Satterthwaite's degrees
of freedom of V (F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110-114). A call that is one started minute longer than all n
runs seen has a probability of about 1/(n+1) (Laplace): V is never below the variance this adds. High also includes one more
reservation, so that a ceiling set to it does not stop the last call, and every retry.

**Reserved.** A call's `high_cents` is the highest bill of its group plus one started minute; from 20 runs on the highest bill
alone, as the next one exceeds it with a probability below 5 %. `low_cents` mirrors this, and is at least one started minute.

`tests/benchmarks/estimate.py` measures the accuracy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import ceil, floor, gcd, sqrt
from typing import Final

from planner.changes.history import PastRun, runs_of
from planner.changes.model import Action, CasePrice, Change, Estimate, Source
from planner.changes.prices import Bills, CasePricing, GroupKey, PriceHistory, Target, billed_basis

_Z: Final = 1.2816
"""Quantile of the normal distribution with 10 % on either side."""


def estimate(
    changes: Sequence[Change],
    *,
    history: Sequence[PastRun],
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    already_made: Mapping[str, int],
) -> tuple[Estimate, dict[str, CasePrice]]:
    """The range for all remaining calls, and the price per call by case id.

    Args:
        history: past runs; the runs of the stored cases are added here.
        products: the product of the agent behind (kind, id); None or absent if unknown.
        rates: cents per started minute by product, before the test multiplier.
        already_made: runs that an interrupted session of this change set made, by case id.
    """
    stored = chain.from_iterable(runs_of(change.prior) for change in changes if change.prior is not None)
    past = PriceHistory([*history, *stored], products, rates)
    priced = {
        change.case_id: past.price(change.case)
        for change in changes
        if change.action is Action.CALL and change.case is not None
    }
    calls = {
        change.case_id: left
        for change in changes
        if change.action is Action.CALL and (left := change.runs - already_made.get(change.case_id, 0)) > 0
    }
    retries = {
        change.case_id: change.case.retries for change in changes if change.case is not None and change.case.retries
    }
    return _total(calls, priced, retries), {case_id: found.price for case_id, found in priced.items()}


def _total(calls: Mapping[str, int], priced: Mapping[str, CasePricing], retries: Mapping[str, int]) -> Estimate:
    """The high end includes every retry at its highest price."""
    count = sum(calls.values())
    if not count:
        return Estimate(0, 0, 0, 0, "nothing to call")
    known = {case_id: cents for case_id in calls if (cents := _known(priced[case_id].price)) is not None}
    coverage = _coverage([priced[case_id].price.source for case_id in calls])
    if len(known) < len(calls):
        unknown = sorted({priced[case_id].price.basis for case_id in calls if case_id not in known})
        return Estimate(count, None, None, None, "; ".join([*unknown, *coverage]))

    expected = low = high = 0.0
    runs_by_group: dict[GroupKey, list[int]] = defaultdict(list)
    groups: dict[GroupKey, Bills] = {}
    assumptions: dict[str, None] = {}
    billed_low = billed_mean = reservation = 0.0
    most_again = 0
    for case_id, runs in calls.items():
        found = priced[case_id]
        case_expected, case_low, case_high = known[case_id]
        expected += runs * case_expected
        again = runs * retries.get(case_id, 0)
        most_again += again
        high += again * case_high
        if found.bills is None:
            low += runs * case_low
            high += runs * case_high
            assumptions.setdefault(found.price.basis)
        else:
            billed_mean += runs * case_expected
            billed_low += runs * case_low
            reservation = max(reservation, case_high - case_expected)
            runs_by_group[found.key].append(runs)
            groups[found.key] = found.bills
    spread = _spread([(groups[key], runs) for key, runs in runs_by_group.items()])
    low += max(billed_low, billed_mean - spread)
    high += billed_mean + spread + reservation
    bases = [_billed_total_basis(groups.values())] if groups else []
    room = [f"with room for {most_again} retr{'y' if most_again == 1 else 'ies'}"] if most_again else []
    return Estimate(count, round(expected), floor(low), ceil(high), "; ".join([*bases, *assumptions, *coverage, *room]))


def _spread(groups: Sequence[tuple[Bills, Sequence[int]]]) -> float:
    """Half the width of the 80 % prediction interval of the sum of these further runs."""
    if not groups:
        return 0.0
    parts = [(bills.variance_of_sum(runs), bills.freedom) for bills, runs in groups]
    whole = sum(part for part, _ in parts)
    seen = len(frozenset[int]().union(*(bills.run_ids for bills, _ in groups)))
    least_freedom = max(1, seen - len(groups))
    uncertainty = sum(part**2 / freedom for part, freedom in parts if freedom)
    freedom = max(1.0, whole**2 / uncertainty) if uncertainty else least_freedom
    runs = sum(sum(runs) for _, runs in groups)
    chance = 1 / (seen + 1)
    unseen = gcd(*(bills.step for bills, _ in groups)) ** 2 * chance * (1 - chance) * (runs + runs**2 / seen)
    return max(_student_t(freedom) * sqrt(whole), _student_t(max(1, seen - 1)) * sqrt(unseen))


def _student_t(freedom: float) -> float:
    """Quantile of Student's t for `_Z` (Abramowitz and Stegun, 26.7.5; at most 2 % low from 2 degrees of freedom on)."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def _known(price: CasePrice) -> tuple[float, float, int] | None:
    """Expected, low and high cents of a call; None if the price is unknown."""
    if price.expected_cents is None or price.low_cents is None or price.high_cents is None:
        return None
    return price.expected_cents, price.low_cents, price.high_cents


def _coverage(sources: Sequence[Source]) -> list[str]:
    """`31 of 34 cases from history`; empty for all or none."""
    known = sum(source.is_history for source in sources)
    return [f"{known:,} of {len(sources):,} cases from history"] if 0 < known < len(sources) else []


def _billed_total_basis(groups: Iterable[Bills]) -> str:
    """The number of distinct runs, and the widest group."""
    found = list(groups)
    return billed_basis(
        len(frozenset[int]().union(*(bills.run_ids for bills in found))), max(bills.width for bills in found)
    )
