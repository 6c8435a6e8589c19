"""What the calls of a change set would cost: a range with its basis, or "unknown"; never 0 for unknown.

**Per call.** From the bills of the narrowest group of past runs that has at least three (or else the narrowest that has any): the
case's own and its scenario's on the same target, the target's, the product's. With none, from the product's rate and an assumed length of
2 minutes (1 to 4). With no rate either, unknown.

**In all.** The expected cost is the sum of means. Low and high bound 80 % of what the sum may come to. For few past runs that takes
more than a normal approximation: their mean and spread are themselves uncertain (Student's t), and what n runs never showed (a call of
a started minute more) happens with a chance of about 1/(n+1). High also leaves room for one more reservation, so that a ceiling
set to it does not stop the last call.

**Reserved.** A call's `high_cents` is the dearest of its group plus one started minute; the dearest alone from 20 runs on, when the
next call is dearer with a chance under 5 %. `low_cents` is the same at the other end, and never under a started minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil, floor, gcd, sqrt
from statistics import fmean, variance
from typing import Final, TypeAlias

from planner.changes.history import PastRun, runs_of
from planner.changes.model import Action, CasePrice, Change, Estimate
from planner.spec.model import Case

DEFAULT_RATES: Final[Mapping[str, float]] = {"spark": 8.0}
"""Cents per started minute by product, as far as the service publishes them; a project's own rates take precedence."""

CHARGE_MULTIPLIER: Final = 2
"""A test call is billed at twice the product's rate."""

_ASSUMED_MINUTES: Final = (1, 2, 4)
_ENOUGH_RUNS: Final = 3
_MANY_RUNS: Final = 20
_Z: Final = 1.2816
"""Normal quantile that leaves 10 % above and 10 % below."""

Target: TypeAlias = tuple[str, int]
_GroupKey: TypeAlias = tuple[str | int, ...]

_GROUP_PHRASES: Final = ("these cases", "these scenarios", "these targets", "the same product")


@dataclass(frozen=True, slots=True)
class _Bills:
    """A group of past runs with known bills (cents), and how widely it was drawn (index into `_GROUP_PHRASES`)."""

    width: int
    run_ids: frozenset[int]
    count: int
    mean: float
    variance: float
    cheapest: int
    dearest: int


@dataclass(frozen=True, slots=True)
class _Priced:
    """The price of one case's calls: from bills, by an assumption, or (neither) unknown."""

    price: CasePrice
    key: _GroupKey = ()
    bills: _Bills | None = None


def estimate(
    changes: Sequence[Change],
    *,
    history: Sequence[PastRun],
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    already_made: Mapping[str, int],
) -> tuple[Estimate, dict[str, CasePrice]]:
    """The range for all calls still to be made, and the price per call of every case to call, by case id.

    Args:
        history: past runs; those of the stored cases compared with are added here.
        products: what the agent behind (kind, id) runs on; None or absent: not known.
        rates: cents per started minute by product, before the test multiplier.
        already_made: runs of this change set that an interrupted invocation has made, by case id.
    """
    stored = chain.from_iterable(runs_of(change.prior) for change in changes if change.prior is not None)
    past = _Past([*history, *stored], products, rates)
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


class _Past:
    """Past runs by the groups that a case may be priced from."""

    def __init__(
        self, runs: Iterable[PastRun], products: Mapping[Target, str | None], rates: Mapping[str, float]
    ) -> None:
        self._products = products
        self._rates = rates
        self._groups: dict[_GroupKey, list[PastRun]] = defaultdict(list)
        self._bills: dict[_GroupKey, _Bills | None] = {}
        self._seconds: dict[_GroupKey, float | None] = {}
        for run in {run.run_id: run for run in runs}.values():
            for key in self._keys(run.case_id, run.plan, run.scenario, run.target):
                self._groups[key].append(run)

    def price(self, case: Case) -> _Priced:
        target = (case.target.kind, case.target.id)
        product = self._products.get(target)
        rate = None if product is None else self._rates.get(product)
        keys = self._keys(case.case_id, case.plan, case.scenario, target)
        seconds = self._expected_seconds(keys)
        key, bills = self._narrowest(keys)
        if bills is not None:
            low_cents, high_cents = _bounds(bills, None if rate is None else rate * CHARGE_MULTIPLIER)
            price = CasePrice(bills.mean, low_cents, high_cents, seconds, _billed_basis(bills.count, bills.width))
            return _Priced(price, key, bills)
        if product is None or rate is None:
            missing = "the product is not known" if product is None else f"no rate for product {product}"
            return _Priced(CasePrice(None, None, None, seconds, f"unknown: no past runs and {missing}"))
        low, expected, high = (rate * CHARGE_MULTIPLIER * minutes for minutes in _ASSUMED_MINUTES)
        basis = f"assumed {_ASSUMED_MINUTES[0]}–{_ASSUMED_MINUTES[-1]} minutes at {rate * CHARGE_MULTIPLIER:g} ¢/min ({product})"
        return _Priced(CasePrice(expected, low, ceil(high), seconds, basis))

    def _keys(self, case_id: str, plan: str, scenario: str, target: Target) -> list[_GroupKey]:
        """Narrowest first; the product's group only where it is known."""
        keys: list[_GroupKey] = [("case", case_id, *target), ("scenario", plan, scenario, *target), ("target", *target)]
        product = self._products.get(target)
        return keys if product is None else [*keys, ("product", product)]

    def _narrowest(self, keys: Sequence[_GroupKey]) -> tuple[_GroupKey, _Bills | None]:
        found = [(key, bills) for width, key in enumerate(keys) if (bills := self._billed(key, width)) is not None]
        enough = [(key, bills) for key, bills in found if bills.count >= _ENOUGH_RUNS]
        return next(chain(enough, found), ((), None))

    def _billed(self, key: _GroupKey, width: int) -> _Bills | None:
        if key not in self._bills:
            bills = [(run.run_id, run.cost_cents) for run in self._groups.get(key, ()) if run.cost_cents is not None]
            self._bills[key] = _summary(width, dict(bills)) if bills else None
        return self._bills[key]

    def _expected_seconds(self, keys: Sequence[_GroupKey]) -> float | None:
        """Of the narrowest group that tells any."""
        return next((seconds for key in keys if (seconds := self._mean_seconds(key)) is not None), None)

    def _mean_seconds(self, key: _GroupKey) -> float | None:
        if key not in self._seconds:
            known = [run.duration_seconds for run in self._groups.get(key, ()) if run.duration_seconds is not None]
            self._seconds[key] = fmean(known) if known else None
        return self._seconds[key]


def _summary(width: int, cost_by_run: Mapping[int, int]) -> _Bills:
    costs = list(cost_by_run.values())
    count = len(costs)
    # Bills come in whole minutes, so their common divisor is a minute's price, or a multiple of it.
    unseen_chance = 1 / (count + 1)
    unseen_variance = gcd(*costs) ** 2 * unseen_chance * (1 - unseen_chance)
    return _Bills(
        width,
        frozenset(cost_by_run),
        count,
        fmean(costs),
        max(unseen_variance, variance(costs) if count > 1 else 0.0),
        min(costs),
        max(costs),
    )


def _bounds(bills: _Bills, minute_cents: float | None) -> tuple[float, int]:
    """The cheapest and the dearest a call is reckoned with; where a minute's price is not known, the dearest bill stands for it."""
    if bills.count >= _MANY_RUNS:
        return bills.cheapest, bills.dearest
    minute = bills.dearest if minute_cents is None else minute_cents
    return max(min(minute, bills.cheapest), bills.cheapest - minute), ceil(bills.dearest + minute)


def _total(calls: Mapping[str, int], priced: Mapping[str, _Priced], retries: Mapping[str, int]) -> Estimate:
    """Of the calls still to be made, by case id. The high end has room for every retry at its dearest."""
    count = sum(calls.values())
    if not count:
        return Estimate(0, 0, 0, 0, "nothing to call")
    known = {case_id: cents for case_id in calls if (cents := _known(priced[case_id].price)) is not None}
    if len(known) < len(calls):
        unknown = sorted({priced[case_id].price.basis for case_id in calls if case_id not in known})
        return Estimate(count, None, None, None, "; ".join(unknown))

    expected = low = high = 0.0
    calls_by_group: dict[_GroupKey, int] = defaultdict(int)
    groups: dict[_GroupKey, _Bills] = {}
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
            calls_by_group[found.key] += runs
            groups[found.key] = found.bills
    spread = sqrt(sum(_squared_spread(groups[key], runs) for key, runs in calls_by_group.items()))
    low += max(billed_low, billed_mean - spread)
    high += billed_mean + spread + reservation
    bases = [_billed_total_basis(groups.values())] if groups else []
    room = [f"with room for {most_again} retr{'y' if most_again == 1 else 'ies'}"] if most_again else []
    return Estimate(count, round(expected), floor(low), ceil(high), "; ".join([*bases, *assumptions, *room]))


def _squared_spread(bills: _Bills, runs: int) -> float:
    """Of the sum of `runs` further calls: each call's own, and that of the group's mean, which all of them share."""
    return _student_t(max(1, bills.count - 1)) ** 2 * bills.variance * (runs + runs**2 / bills.count)


def _student_t(freedom: int) -> float:
    """The quantile of Student's t that `_Z` is of the normal (Abramowitz and Stegun, 26.7.5; under 2 % low from 2 degrees on)."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def _known(price: CasePrice) -> tuple[float, float, int] | None:
    """Expected, low and high cents of a call; None where the price is unknown."""
    if price.expected_cents is None or price.low_cents is None or price.high_cents is None:
        return None
    return price.expected_cents, price.low_cents, price.high_cents


def _billed_basis(count: int, width: int) -> str:
    return f"{count} past run{'' if count == 1 else 's'} of {_GROUP_PHRASES[width]}"


def _billed_total_basis(groups: Iterable[_Bills]) -> str:
    """Distinct runs, and the widest group among them."""
    found = list(groups)
    return _billed_basis(
        len(frozenset[int]().union(*(bills.run_ids for bills in found))), max(bills.width for bills in found)
    )
