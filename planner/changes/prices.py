"""Price one call of a case from past bills, the product's rate, or neither (unknown). See `estimate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
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


@dataclass(frozen=True, slots=True, eq=False)
class Bills:
    """The bills of a group of past runs, in cents.

    `within` is the variance of runs around their case's mean, with `freedom` degrees of freedom (0 for a single run);
    `between` is that of the case means around the group's.
    """

    source: Source
    run_ids: frozenset[int]
    by_case: Sequence[Sequence[int]]
    mean: float
    within: float
    between: float
    freedom: int

    @property
    def all(self) -> list[int]:
        return list(chain.from_iterable(self.by_case))

    def variance_of_sum(self, runs_by_case: Sequence[int]) -> float:
        """Variance of the sum of further runs: of each run, of each case's mean, and of the group's mean."""
        runs, count = sum(runs_by_case), len(self.run_ids)
        shared = 0.0 if self.source is Source.CASE else sum(number**2 for number in runs_by_case) * self.between
        of_mean = self.between * sum((len(bills) / count) ** 2 for bills in self.by_case) + self.within / count
        return runs * self.within + shared + runs**2 * of_mean

    def bounds(self, minute_cents: float | None) -> tuple[float, int]:
        """Low and high price of a call. Without a known price of a minute, the highest bill replaces it."""
        cheapest, dearest = min(self.all), max(self.all)
        if len(self.run_ids) >= _MANY_RUNS:
            return cheapest, dearest
        minute = dearest if minute_cents is None else minute_cents
        return max(min(minute, cheapest), cheapest - minute), ceil(dearest + minute)


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
            return CasePrice(bills.mean, *bills.bounds(minute), seconds, basis, bills.source), bills
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
            self._bills[key] = _summary(Source(key[0]), costs) if costs else None
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


def billed_basis(count: int, source: Source) -> str:
    return f"{count} past run{'' if count == 1 else 's'} of {source.phrase}"


def _summary(source: Source, costs: Mapping[int, tuple[str, int]]) -> Bills:
    """Variance components by a one-way analysis of variance with random effects and unequal numbers of runs (S. R. Searle, Linear
    Models, 1971, chapter 9)."""
    by_case: dict[str, list[int]] = defaultdict(list)
    for case_id, cost in costs.values():
        by_case[case_id].append(cost)
    cents = [cost for _, cost in costs.values()]
    count, mean = len(cents), fmean(cents)
    within, between, freedom = (variance(cents), 0.0, count - 1) if count > 1 else (0.0, 0.0, 0)
    if source is not Source.CASE and 1 < len(by_case) < count:
        inside = sum(variance(bills) * (len(bills) - 1) for bills in by_case.values() if len(bills) > 1)
        outside = sum(len(bills) * (fmean(bills) - mean) ** 2 for bills in by_case.values())
        of_cases, of_runs = outside / (len(by_case) - 1), inside / (count - len(by_case))
        if of_cases > of_runs:
            squares = sum(len(bills) ** 2 for bills in by_case.values())
            between = (of_cases - of_runs) * (len(by_case) - 1) / (count - squares / count)
            within, freedom = of_runs, len(by_case) - 1
    return Bills(source, frozenset(costs), list(by_case.values()), mean, within, between, freedom)
