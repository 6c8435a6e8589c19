"""Measure how close earlier estimates were to the bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from planner.results.outline import InvocationOutline


@dataclass(frozen=True, slots=True)
class Priced:
    """The expected cost of a session and its bill, both above 0, without what earlier sessions paid.

    If some calls were not needed, only the part of the estimate for the calls made. `within` is then None, as without a range.
    """

    estimated_cents: int
    actual_cents: int
    within: bool | None

    @property
    def error(self) -> float:
        """Relative to the bill: 0.25 if $1.25 was expected and $1.00 billed; -0.25 if $0.75 was expected."""
        return (self.estimated_cents - self.actual_cents) / self.actual_cents


def priced(outline: InvocationOutline) -> Priced | None:
    """None without an estimate or a complete bill, or if the session did not finish."""
    cost = outline.cost
    if not outline.finished or cost.ambiguous_cents or not cost.estimated_cents or not cost.actual_cents:
        return None
    called = [case for case in outline.cases if case.action == "call"]
    if any(run.cost_cents is None for case in called for run in case.runs):
        return None
    skipped = sum(case.runs_not_needed for case in called)
    made = sum(len(case.runs) for case in called)
    low, high, before = cost.estimated_low_cents, cost.estimated_high_cents, cost.paid_before_cents
    if skipped and before:  # the estimate does not say which of the earlier calls it expected
        return None
    within = None if low is None or high is None or skipped else low <= cost.actual_cents <= high
    estimated = round(cost.estimated_cents * made / (made + skipped)) if skipped else cost.estimated_cents - before
    actual = cost.actual_cents - before
    return Priced(estimated, actual, within) if estimated > 0 and actual > 0 else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of `estimates` estimates: the mean absolute error, and how many of the `ranged` bills were within their range."""

    estimates: int
    mean_error: float | None
    within: int
    ranged: int


def accuracy(found: Sequence[Priced]) -> Accuracy:
    ranged = [entry.within for entry in found if entry.within is not None]
    mean_error = fmean(abs(entry.error) for entry in found) if found else None
    return Accuracy(len(found), mean_error, sum(ranged), len(ranged))
