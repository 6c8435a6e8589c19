"""Estimate the cost of a change set: a range with its basis, or unknown (never 0).

**Per call.** From the bills of the narrowest group of past runs that has at least three (or else any): the case's runs
and its scenario's runs on the same target, then the target's, then the product's. Without any, from the product's rate
and an assumed length of 2 minutes (1 to 4). Without a rate, unknown.

**Total.** The expected cost is the sum of means. Low and high are an 80 % prediction interval of the sum: mean ± t ·
√V, where V sums over the groups priced from

    σ² · (Σ rᵢ² + r² / k)

for r runs, rᵢ of each case: σ² is the variance of the group's bills, k the number of its cases, and t is Student's. The
runs of a case are taken to cost the same, unless it is priced by its own runs: then the sum is r, and k the number of
these. A call that is one started minute longer than all n runs seen has a probability of about 1/(n+1) (Laplace): σ² is
never below the variance this adds. High also includes one more reservation, so that a ceiling set to it does not stop
the last call, and every retry.

**Reserved.** A call's `high_cents` is the highest bill of its group plus one started minute; from 20 runs on the
highest bill alone, as the next one exceeds it with a probability below 5 %. `low_cents` mirrors this, and is at least
one started minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil, floor, gcd, sqrt
from statistics import fmean, variance
from types import MappingProxyType
from typing import Final, TypeAlias

from planner.changes.consented_calls import change_set_digest, made_before
from planner.changes.history import PastRun, runs_of
from planner.changes.model import CasePrice, Change, ChangeSet, Estimate, Source, calls_left
from planner.planfile.model import CHARGE_MULTIPLIER, DEFAULT_RATES, Case, Policy
from planner.quantities import count
from planner.results.outcomes import Action

MOST_CONFIRMATIONS: Final = 100
"""Calls that may be added to confirm regressions, in a suite of at most 1,250 calls."""
_ASSUMED_MINUTES: Final = (1, 2, 4)
_ASSUMED_SECONDS: Final = 120.0
"""The length of a call without past runs."""
AT_ONCE: Final = 10
"""Calls at the same time, if the policy sets no limit."""
_ENOUGH_RUNS: Final = 3
_MANY_RUNS: Final = 20

_BASES: Final = ("transaction", "call")
"""Sources of bills, most reliable first."""

Target: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Bills:
    """The bills of a group of past runs, in cents. `cases` is the number of its cases."""

    source: Source
    run_ids: frozenset[int]
    cents: Sequence[int]
    cases: int

    @property
    def variance(self) -> float:
        """At least that of a call that is one started minute longer than all seen."""
        chance = 1 / (len(self.cents) + 1)
        minute = gcd(*self.cents)  # bills are per started minute
        return max(variance(self.cents) if len(self.cents) > 1 else 0.0, minute**2 * chance * (1 - chance))

    def variance_of_sum(self, runs_by_case: Sequence[int]) -> float:
        """Variance of the sum of further runs: of the runs, and of the group's mean."""
        runs = sum(runs_by_case)
        if self.source is Source.CASE:
            return self.variance * (runs + runs**2 / len(self.cents))
        return self.variance * (sum(number**2 for number in runs_by_case) + runs**2 / self.cases)

    def bounds(self, minute_cents: float | None) -> tuple[float, int]:
        """Low and high price of a call. Without a known price of a minute, the highest bill replaces it."""
        cheapest, dearest = min(self.cents), max(self.cents)
        if len(self.run_ids) >= _MANY_RUNS:
            return cheapest, dearest
        minute = dearest if minute_cents is None else minute_cents
        return max(min(minute, cheapest), cheapest - minute), ceil(dearest + minute)


class PriceHistory:
    """Past runs by the groups that a case may be priced from.

    Only bills of one basis are compared: transactions if there are any, else bills of calls. A run
    without such a bill is priced by its length and the product's rate, or else by the service's estimate.
    """

    def __init__(
        self, runs: Iterable[PastRun], products: Mapping[Target, str | None], rates: Mapping[str, float]
    ) -> None:
        self._products = products
        self._rates = rates
        self._groups: dict[tuple[str | int, ...], list[PastRun]] = defaultdict(list)
        self._bills: dict[tuple[str | int, ...], Bills | None] = {}
        past = {run.run_id: run for run in runs}.values()
        bases = {run.cost_basis for run in past if run.cost_cents is not None}
        self._basis = next((basis for basis in _BASES if basis in bases), None)
        for run in past:
            for key in self._keys(run.case_id, run.plan, run.scenario, run.target):
                self._groups[key].append(run)

    def price(self, case: Case) -> tuple[CasePrice, Bills | None]:
        """The price of one call, and the bills it is based on, if any."""
        target = (case.target.kind, case.target.id)
        product, minute = self._products.get(target), self._minute_cents(target)
        keys = self._keys(case.case_id, case.plan, case.scenario, target)
        seconds = next((fmean(known) for key in keys if (known := self._seconds(key))), None)
        found = [bills for key in keys if (bills := self._billed(key)) is not None]
        enough = (bills for bills in found if len(bills.run_ids) >= _ENOUGH_RUNS)
        if (bills := next(chain(enough, found), None)) is not None:
            basis = billed_basis(len(bills.run_ids), bills.source)
            return CasePrice(fmean(bills.cents), *bills.bounds(minute), seconds, basis, bills.source), bills
        if product is None or minute is None:
            missing = "the product is unknown" if product is None else f"no rate for product {product}"
            basis = f"unknown: no past runs and {missing}"
            return CasePrice(None, None, None, seconds, basis, Source.UNKNOWN), None
        low, expected, high = (minute * minutes for minutes in _ASSUMED_MINUTES)
        basis = f"assumed {_ASSUMED_MINUTES[0]}–{_ASSUMED_MINUTES[-1]} minutes at {minute:g} ¢/min ({product})"
        return CasePrice(expected, low, ceil(high), seconds, basis, Source.RATE), None

    def _minute_cents(self, target: Target) -> float | None:
        """Price of a minute of a test call; None if the product or its rate is unknown."""
        product = self._products.get(target)
        rate = None if product is None else self._rates.get(product)
        return None if rate is None else rate * CHARGE_MULTIPLIER

    def _keys(self, case_id: str, plan: str, scenario: str, target: Target) -> list[tuple[str | int, ...]]:
        """The narrowest group first. A key begins with its `Source`."""
        product = self._products.get(target)
        return [
            (Source.CASE.value, case_id, *target),
            (Source.SCENARIO.value, plan, scenario, *target),
            (Source.TARGET.value, *target),
            *([(Source.PRODUCT.value, product)] if product is not None else []),
        ]

    def _billed(self, key: tuple[str | int, ...]) -> Bills | None:
        if key not in self._bills:
            runs = self._groups.get(key, ())
            costs = {run.run_id: (run.case_id, cents) for run in runs if (cents := self._cents(run)) is not None}
            cases, cents = {case_id for case_id, _ in costs.values()}, [cents for _, cents in costs.values()]
            self._bills[key] = Bills(Source(key[0]), frozenset(costs), cents, len(cases)) if costs else None
        return self._bills[key]

    def _cents(self, run: PastRun) -> int | None:
        """The bill, or the price of its started minutes, or the service's estimate."""
        if run.cost_cents is not None and run.cost_basis == self._basis:
            return run.cost_cents
        minute = self._minute_cents(run.target)
        if run.duration_seconds is None or minute is None:
            return run.service_estimate_cents
        return ceil(max(1, ceil(run.duration_seconds / 60)) * minute)

    def _seconds(self, key: tuple[str | int, ...]) -> list[float]:
        return [run.duration_seconds for run in self._groups.get(key, ()) if run.duration_seconds is not None]


def billed_basis(runs: int, source: Source) -> str:
    return f"{count(runs, 'past run')} of {source.phrase}"


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
    new_products: Mapping[Target, str | None] = MappingProxyType({}),
    at_once: int = AT_ONCE,
) -> ChangeSet:
    """Price `changes` (of all selected cases).

    Args: products: the product of the agent behind (kind, id); None or absent if unknown. rates: the project's cents
        per started minute by product, in addition to the published ones. history: past runs; the runs of the stored
        cases are added here. new_products: the product of agents whose file changes it. Their past runs say nothing of
        the price. already_made: runs that an interrupted session of this change set made, by case id. They only lower
        the estimate. at_once: how many calls are made at the same time, for the duration.
    """
    stored = chain.from_iterable(runs_of(change.prior) for change in changes if change.prior is not None)
    known = [run for run in [*history, *stored] if run.target not in new_products]
    past = PriceHistory(known, {**products, **new_products}, {**DEFAULT_RATES, **rates})
    prices: dict[str, CasePrice] = {}
    bills: dict[str, Bills | None] = {}
    for change in changes:
        if change.action is Action.CALL and change.case is not None:
            prices[change.case_id], bills[change.case_id] = past.price(change.case)

    left = calls_left(changes, already_made)
    calls = [
        (left[change.case_id], change.case.retries, prices[change.case_id], bills[change.case_id])
        for change in changes
        if change.case is not None and change.case_id in left
    ]
    estimate = _with_duration(_total(calls), calls, at_once)
    return ChangeSet(change_set_digest(changes), changes, estimate, prices)


def confirmable(change_set: ChangeSet, judged: Collection[str]) -> list[Change]:
    """The changes whose calls may be repeated to confirm a regression: there is something to compare them with, and
    they need no judge calls. `judged` are the cases that do."""
    return [
        change
        for change in change_set.payers
        if (change.compared_with or change.prior) is not None
        and change.start_over is None
        and not any(each.case_id in judged for each in change_set.sharing(change))
    ]


def most_confirmations(calls: int) -> int:
    """How many calls may be added to so many planned ones."""
    return min(calls * 2 // 5, max(MOST_CONFIRMATIONS, calls * 2 // 25))


def with_confirmations(change_set: ChangeSet, policy: Policy, judged: Collection[str]) -> ChangeSet:
    """With the calls that may be added to confirm regressions."""
    if not policy.confirms:
        return change_set
    most = sum(change.calls * (1 + (change.case.retries if change.case else 0)) for change in change_set.payers)
    to_compare = confirmable(change_set, judged)
    added = max(0, min(most_confirmations(sum(change.calls for change in to_compare)), policy.max_calls - most))
    high_cents = change_set.estimate.high_cents
    if high_cents is not None and added:
        high_cents += added * max(change_set.prices[change.case_id].high_cents or 0 for change in to_compare)
    estimate = replace(change_set.estimate, high_cents=high_cents)
    return made_before(replace(change_set, confirmations=added, estimate=estimate), change_set.times_made)


def _with_duration(
    estimate: Estimate, calls: Sequence[tuple[int, int, CasePrice, Bills | None]], at_once: int
) -> Estimate:
    """All lanes are busy until the end, and no call is cut."""
    each = [(price.expected_seconds or _ASSUMED_SECONDS, runs) for runs, _, price, _ in calls]
    lanes = min(at_once, sum(runs for _, runs in each))
    if not lanes:
        return estimate
    total, longest = sum(seconds * runs for seconds, runs in each), max(seconds for seconds, _ in each)
    return replace(estimate, expected_seconds=max(total / lanes, longest), at_once=lanes)


def _total(calls: Sequence[tuple[int, int, CasePrice, Bills | None]]) -> Estimate:
    """Of (runs, retries of each, price of one, its bills) by case. The high end includes every retry at its highest
    price."""
    number = sum(runs for runs, *_ in calls)
    if not number:
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
        return Estimate(number, None, None, None, "; ".join([*sorted(unknown), *coverage]))
    bases: list[str] = []
    if runs_by_group:
        seen = len(frozenset[int]().union(*(bills.run_ids for bills in runs_by_group)))
        spread = _spread(runs_by_group, seen)
        low += max(billed_low, billed_mean - spread)
        high += billed_mean + spread + reservation
        bases.append(billed_basis(seen, max((bills.source for bills in runs_by_group), key=_WIDEST_LAST.index)))
    room = [f"with room for {count(most_again, 'retry', 'retries')}"] if most_again else []
    return Estimate(
        number, round(expected), floor(low), ceil(high), "; ".join([*bases, *assumptions, *coverage, *room])
    )


def _spread(groups: Mapping[Bills, Sequence[int]], seen: int) -> float:
    """Half the width of the 80 % prediction interval of the sum of these further runs; `seen` is the number of past
    runs."""
    whole = sum(bills.variance_of_sum(runs) for bills, runs in groups.items())
    return _student_t(max(1, seen - len(groups))) * sqrt(whole)


def _student_t(freedom: float) -> float:
    """Quantile of Student's t for `_Z` (Abramowitz and Stegun, 26.7.5; at most 2 % low from 2 degrees of freedom
    on)."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
