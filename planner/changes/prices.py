"""Price one call of a case from past bills, the product's rate, or neither (unknown). See `estimate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil, gcd
from statistics import fmean, variance
from typing import Final, TypeAlias

from planner.changes.history import PastRun
from planner.changes.model import CasePrice, Source
from planner.planfile.model import Case
from planner.planfile.project.prices import CHARGE_MULTIPLIER

_ASSUMED_MINUTES: Final = (1, 2, 4)
_ENOUGH_RUNS: Final = 3
_MANY_RUNS: Final = 20

_BASES: Final = ("transaction", "call")
"""Sources of bills, most reliable first."""

Target: TypeAlias = tuple[str, int]
GroupKey: TypeAlias = tuple[str | int, ...]

_WIDTHS: Final = (Source.CASE, Source.SCENARIO, Source.TARGET, Source.PRODUCT)


@dataclass(frozen=True, slots=True)
class Bills:
    """Statistics of a group's bills, in cents. `width` is the index of the group's kind in `_WIDTHS`.

    `within` is the variance of runs around their case's mean, `between` that of the case means around the group's; `unevenness` is
    the sum of the squared shares of the cases. `freedom` is the degrees of freedom, 0 for a single run. `step` is the greatest
    common divisor: bills are per started minute, so it is a minute's price or a multiple.
    """

    width: int
    run_ids: frozenset[int]
    mean: float
    within: float
    between: float
    unevenness: float
    freedom: int
    step: int
    cheapest: int
    dearest: int

    @property
    def count(self) -> int:
        return len(self.run_ids)

    def variance_of_sum(self, runs_by_case: Sequence[int]) -> float:
        """Variance of the sum of further runs: of each run, of each case's mean, and of the group's mean."""
        runs = sum(runs_by_case)
        shared = 0.0 if self.width == 0 else sum(number**2 for number in runs_by_case) * self.between
        of_mean = self.between * self.unevenness + self.within / self.count
        return runs * self.within + shared + runs**2 * of_mean


@dataclass(frozen=True, slots=True)
class CasePricing:
    """The price of one call, and the bills it is based on, if any."""

    price: CasePrice
    key: GroupKey = ()
    bills: Bills | None = None


class PriceHistory:
    """Past runs by the groups that a case may be priced from.

    Only bills of one basis are compared: transactions if there are any, else bills of calls, else those of older versions. A run
    without such a bill is priced by its length and the product's rate, or else by the service's estimate.
    """

    def __init__(
        self, runs: Iterable[PastRun], products: Mapping[Target, str | None], rates: Mapping[str, float]
    ) -> None:
        self._products = products
        self._rates = rates
        self._groups: dict[GroupKey, list[PastRun]] = defaultdict(list)
        self._bills: dict[GroupKey, Bills | None] = {}
        self._seconds: dict[GroupKey, float | None] = {}
        past = {run.run_id: run for run in runs}.values()
        bases = {run.cost_basis for run in past if run.cost_cents is not None}
        self._basis = next((basis for basis in _BASES if basis in bases), None)
        for run in past:
            for key in self._keys(run.case_id, run.plan, run.scenario, run.target):
                self._groups[key].append(run)

    def price(self, case: Case) -> CasePricing:
        target = (case.target.kind, case.target.id)
        product, minute = self._products.get(target), self._minute_cents(target)
        keys = self._keys(case.case_id, case.plan, case.scenario, target)
        seconds = self._expected_seconds(keys)
        key, bills = self._narrowest(keys)
        if bills is not None:
            low_cents, high_cents = _bounds(bills, minute)
            source = _WIDTHS[bills.width]
            price = CasePrice(
                bills.mean, low_cents, high_cents, seconds, billed_basis(bills.count, bills.width), source
            )
            return CasePricing(price, key, bills)
        if product is None or minute is None:
            missing = "the product is unknown" if product is None else f"no rate for product {product}"
            price = CasePrice(None, None, None, seconds, f"unknown: no past runs and {missing}", Source.UNKNOWN)
            return CasePricing(price)
        low, expected, high = (minute * minutes for minutes in _ASSUMED_MINUTES)
        basis = f"assumed {_ASSUMED_MINUTES[0]}–{_ASSUMED_MINUTES[-1]} minutes at {minute:g} ¢/min ({product})"
        return CasePricing(CasePrice(expected, low, ceil(high), seconds, basis, Source.RATE))

    def _minute_cents(self, target: Target) -> float | None:
        """Price of a minute of a test call; None if the product or its rate is unknown."""
        product = self._products.get(target)
        rate = None if product is None else self._rates.get(product)
        return None if rate is None else rate * CHARGE_MULTIPLIER

    def _keys(self, case_id: str, plan: str, scenario: str, target: Target) -> list[GroupKey]:
        """Narrowest group first."""
        keys: list[GroupKey] = [("case", case_id, *target), ("scenario", plan, scenario, *target), ("target", *target)]
        product = self._products.get(target)
        return keys if product is None else [*keys, ("product", product)]

    def _narrowest(self, keys: Sequence[GroupKey]) -> tuple[GroupKey, Bills | None]:
        found = [(key, bills) for width, key in enumerate(keys) if (bills := self._billed(key, width)) is not None]
        enough = [(key, bills) for key, bills in found if bills.count >= _ENOUGH_RUNS]
        return next(chain(enough, found), ((), None))

    def _billed(self, key: GroupKey, width: int) -> Bills | None:
        if key not in self._bills:
            runs = self._groups.get(key, ())
            costs = {run.run_id: (run.case_id, cents) for run in runs if (cents := self._cents(run)) is not None}
            self._bills[key] = _summary(width, costs) if costs else None
        return self._bills[key]

    def _cents(self, run: PastRun) -> int | None:
        """The bill, or the price of its started minutes, or the service's estimate."""
        if run.cost_cents is not None and run.cost_basis == self._basis:
            return run.cost_cents
        minute = self._minute_cents(run.target)
        if run.duration_seconds is None or minute is None:
            return run.service_estimate_cents
        return ceil(max(1, ceil(run.duration_seconds / 60)) * minute)

    def _expected_seconds(self, keys: Sequence[GroupKey]) -> float | None:
        """The mean length of the narrowest group that has one."""
        return next((seconds for key in keys if (seconds := self._mean_seconds(key)) is not None), None)

    def _mean_seconds(self, key: GroupKey) -> float | None:
        if key not in self._seconds:
            known = [run.duration_seconds for run in self._groups.get(key, ()) if run.duration_seconds is not None]
            self._seconds[key] = fmean(known) if known else None
        return self._seconds[key]


def billed_basis(count: int, width: int) -> str:
    return f"{count} past run{'' if count == 1 else 's'} of {_WIDTHS[width].phrase}"


def _summary(width: int, costs: Mapping[int, tuple[str, int]]) -> Bills:
    """Variance components by a one-way analysis of variance with random effects and unequal numbers of runs (S. R. Searle, Linear
    Models, 1971, chapter 9)."""
    cents = [cost for _, cost in costs.values()]
    count, mean = len(cents), fmean(cents)
    within, between, freedom = (variance(cents), 0.0, count - 1) if count > 1 else (0.0, 0.0, 0)
    by_case: dict[str, list[int]] = defaultdict(list)
    for case_id, cost in costs.values():
        by_case[case_id].append(cost)
    sizes = [len(bills) for bills in by_case.values()]
    squares = sum(size**2 for size in sizes)
    if width and 1 < len(by_case) < count:
        inside = sum(variance(bills) * (len(bills) - 1) for bills in by_case.values() if len(bills) > 1)
        outside = sum(len(bills) * (fmean(bills) - mean) ** 2 for bills in by_case.values())
        of_cases = outside / (len(by_case) - 1)
        of_runs = inside / (count - len(by_case))
        if of_cases > of_runs:
            between = (of_cases - of_runs) * (len(by_case) - 1) / (count - squares / count)
            within, freedom = of_runs, len(by_case) - 1
    return Bills(
        width,
        frozenset(costs),
        mean,
        within,
        between,
        squares / count**2,
        freedom,
        gcd(*cents),
        min(cents),
        max(cents),
    )


def _bounds(bills: Bills, minute_cents: float | None) -> tuple[float, int]:
    """Low and high price of a call. Without a known price of a minute, the highest bill replaces it."""
    if bills.count >= _MANY_RUNS:
        return bills.cheapest, bills.dearest
    minute = bills.dearest if minute_cents is None else minute_cents
    return max(min(minute, bills.cheapest), bills.cheapest - minute), ceil(bills.dearest + minute)
