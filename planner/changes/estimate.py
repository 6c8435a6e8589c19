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
from collections.abc import Mapping, Sequence
from itertools import chain
from math import ceil, floor, gcd, sqrt
from typing import Final

from planner.changes.fingerprint import change_set_digest
from planner.changes.history import PastRun, runs_of
from planner.changes.model import Action, CasePrice, Change, ChangeSet, Estimate, Source
from planner.changes.prices import Bills, PriceHistory, Target, billed_basis
from planner.planfile.project.prices import DEFAULT_RATES

_Z: Final = 1.2816
"""Quantile of the normal distribution with 10 % on either side."""
_WIDEST_LAST: Final = (Source.CASE, Source.SCENARIO, Source.TARGET, Source.PRODUCT)


def build_change_set(
    changes: tuple[Change, ...],
    *,
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    history: Sequence[PastRun],
    already_made: Mapping[str, int],
) -> ChangeSet:
    """Price `changes` (of all selected cases).

    Args:
        products: the product of the agent behind (kind, id); None or absent if unknown.
        rates: the project's cents per started minute by product, in addition to the published ones.
        history: past runs; the runs of the stored cases are added here.
        already_made: runs that an interrupted session of this change set made, by case id. They only lower the estimate.
    """
    stored = chain.from_iterable(runs_of(change.prior) for change in changes if change.prior is not None)
    past = PriceHistory([*history, *stored], products, {**DEFAULT_RATES, **rates})
    calls: list[tuple[int, int, CasePrice, Bills | None]] = []
    prices: dict[str, CasePrice] = {}
    for change in changes:
        if change.action is Action.CALL and change.case is not None:
            prices[change.case_id], bills = past.price(change.case)
            runs = change.runs - already_made.get(change.case_id, 0)
            if runs > 0:
                calls.append((runs, change.case.retries, prices[change.case_id], bills))
    return ChangeSet(change_set_digest(changes), changes, _total(calls), prices)


def _total(calls: Sequence[tuple[int, int, CasePrice, Bills | None]]) -> Estimate:
    """Of (runs, retries of each, price of one, its bills) by case. The high end includes every retry at its highest price."""
    count = sum(runs for runs, *_ in calls)
    if not count:
        return Estimate(0, 0, 0, 0, "nothing to call")
    known = sum(price.source.is_history for _, _, price, _ in calls)
    coverage = [f"{known:,} of {len(calls):,} cases from history"] if 0 < known < len(calls) else []
    expected = low = high = billed_low = billed_mean = reservation = 0.0
    most_again = 0
    runs_by_group: dict[Bills, list[int]] = defaultdict(list)
    assumptions: dict[str, None] = {}
    unknown: set[str] = set()
    for runs, retries, price, bills in calls:
        if price.expected_cents is None or price.low_cents is None or price.high_cents is None:
            unknown.add(price.basis)
            continue
        expected += runs * price.expected_cents
        most_again += runs * retries
        high += runs * retries * price.high_cents
        if bills is None:
            low += runs * price.low_cents
            high += runs * price.high_cents
            assumptions.setdefault(price.basis)
        else:
            billed_mean += runs * price.expected_cents
            billed_low += runs * price.low_cents
            reservation = max(reservation, price.high_cents - price.expected_cents)
            runs_by_group[bills].append(runs)
    if unknown:
        return Estimate(count, None, None, None, "; ".join([*sorted(unknown), *coverage]))
    bases: list[str] = []
    if runs_by_group:
        seen = len(frozenset[int]().union(*(bills.run_ids for bills in runs_by_group)))
        spread = _spread(runs_by_group, seen)
        low += max(billed_low, billed_mean - spread)
        high += billed_mean + spread + reservation
        bases.append(billed_basis(seen, max((bills.source for bills in runs_by_group), key=_WIDEST_LAST.index)))
    room = [f"with room for {most_again} retr{'y' if most_again == 1 else 'ies'}"] if most_again else []
    return Estimate(count, round(expected), floor(low), ceil(high), "; ".join([*bases, *assumptions, *coverage, *room]))


def _spread(groups: Mapping[Bills, Sequence[int]], seen: int) -> float:
    """Half the width of the 80 % prediction interval of the sum of these further runs; `seen` is the number of past runs."""
    parts = [(bills.variance_of_sum(runs), bills.freedom) for bills, runs in groups.items()]
    whole = sum(part for part, _ in parts)
    uncertainty = sum(part**2 / freedom for part, freedom in parts if freedom)
    freedom = max(1.0, whole**2 / uncertainty) if uncertainty else max(1, seen - len(groups))
    runs = sum(map(sum, groups.values()))
    chance = 1 / (seen + 1)
    minute = gcd(*chain.from_iterable(bills.all for bills in groups))  # bills are per started minute
    unseen = minute**2 * chance * (1 - chance) * (runs + runs**2 / seen)
    return max(_student_t(freedom) * sqrt(whole), _student_t(max(1, seen - 1)) * sqrt(unseen))


def _student_t(freedom: float) -> float:
    """Quantile of Student's t for `_Z` (Abramowitz and Stegun, 26.7.5; at most 2 % low from 2 degrees of freedom on)."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
