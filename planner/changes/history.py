"""What earlier sessions show about costs: their runs, and how close their estimates were to the bill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from planner.results.model import CaseResult, EstimateAccuracy, RunResult
from planner.values import frozen

HISTORY_INVOCATIONS = 20
"""Number of newest sessions that prices are learned from."""


@frozen
class PastRun:
    """`target` is (kind, id)."""

    run_id: int
    case_id: str
    plan: str
    scenario: str
    target: tuple[str, int]
    cost_cents: int | None
    duration_seconds: float | None
    cost_basis: str | None = None
    """Source of the bill: `transaction` or `call`; None in results of older versions."""
    service_estimate_cents: int | None = None


def past_runs(results: Iterable[RunResult]) -> tuple[PastRun, ...]:
    """Every run of these sessions once, in the order first found."""
    found: dict[int, PastRun] = {}
    for result in results:
        for case in result.cases:
            for run in runs_of(case):
                found.setdefault(run.run_id, run)
    return tuple(found.values())


def runs_of(case: CaseResult) -> Iterator[PastRun]:
    """The runs of one stored case, except free ones that the platform failed: no call was made."""
    target = (case.inputs.target_kind, case.inputs.target_id)
    for run in case.runs:
        if run.fault != "platform" or run.cost_cents:
            costs = (run.cost_cents, run.duration_seconds, run.cost_basis, run.service_estimate_cents)
            yield PastRun(run.run_id, case.case_id, case.plan, case.scenario, target, *costs)


@frozen
class Priced:
    """The expected cost of a session and its bill, both above 0, without what earlier sessions paid.

    If some calls were not needed, only the part of the estimate for the calls made. `within`: whether the bill was in the
    estimated range; None if some calls were not needed, or without a range.
    """

    estimated_cents: int
    actual_cents: int
    within: bool | None

    @property
    def error(self) -> float:
        """Relative to the bill: 0.25 if $1.25 was expected and $1.00 billed; -0.25 if $0.75 was expected."""
        return (self.estimated_cents - self.actual_cents) / self.actual_cents


def priced(outline: RunResult) -> Priced | None:
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


def accuracy(found: Sequence[Priced]) -> EstimateAccuracy:
    """The mean absolute error relative to the bill, and how many bills were in their range."""
    ranged = [entry.within for entry in found if entry.within is not None]
    errors = [abs(entry.error) for entry in found]
    return EstimateAccuracy(
        estimates=len(found), mean_error=fmean(errors) if errors else None, within=sum(ranged), ranged=len(ranged)
    )
