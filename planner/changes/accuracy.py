"""How well earlier estimates foretold the bill: the only way to know what the next one is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from planner.results.outline import InvocationOutline


@dataclass(frozen=True, slots=True)
class Priced:
    """An invocation's expected cost and its bill, both over 0, without what was paid before it began. Where calls turned out not to be needed, the estimate is the part of it
    that is for those made. `within` is None where it stored no range, or such a part of one."""

    estimated_cents: int
    actual_cents: int
    within: bool | None

    @property
    def error(self) -> float:
        """Of the bill: 0.25 where a bill of $1.00 had been expected to be $1.25, -0.25 at $0.75."""
        return (self.estimated_cents - self.actual_cents) / self.actual_cents


def priced(outline: InvocationOutline) -> Priced | None:
    """None where there was no estimate or no bill, or the one is not the other's: it did not finish, or the bill is not whole."""
    cost = outline.cost
    if not outline.finished or cost.ambiguous_cents or not cost.estimated_cents or not cost.actual_cents:
        return None
    called = [case for case in outline.cases if case.action == "call"]
    if any(run.cost_cents is None for case in called for run in case.runs):
        return None
    spared = sum(case.runs_not_needed for case in called)
    made = sum(len(case.runs) for case in called)
    low, high, before = cost.estimated_low_cents, cost.estimated_high_cents, cost.paid_before_cents
    if spared and before:  # which of those made before were thought to be needed is not known any more
        return None
    within = None if low is None or high is None or spared else low <= cost.actual_cents <= high
    estimated = round(cost.estimated_cents * made / (made + spared)) if spared else cost.estimated_cents - before
    actual = cost.actual_cents - before
    return Priced(estimated, actual, within) if estimated > 0 and actual > 0 else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Over `estimates` of them: the mean size of their errors (None where there are none), and how many bills were within the
    range, of those that had one."""

    estimates: int
    mean_error: float | None
    within: int
    ranged: int


def accuracy(found: Sequence[Priced]) -> Accuracy:
    told = [entry.within for entry in found if entry.within is not None]
    mean_error = fmean(abs(entry.error) for entry in found) if found else None
    return Accuracy(len(found), mean_error, sum(told), len(told))
