"""Cost and length of past runs, from which new calls are priced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from planner.results.model import CaseDocument, RunResult
from planner.results.outline import CaseOutline, InvocationOutline


@dataclass(frozen=True, slots=True)
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


def past_runs(results: Iterable[RunResult | InvocationOutline]) -> tuple[PastRun, ...]:
    """Every run of these sessions once, in the order first found."""
    found: dict[int, PastRun] = {}
    for result in results:
        for case in result.cases:
            for run in runs_of(case):
                found.setdefault(run.run_id, run)
    return tuple(found.values())


def runs_of(case: CaseDocument | CaseOutline) -> Iterator[PastRun]:
    """The runs of one stored case, except free ones that the platform failed: no call was made."""
    for run in case.runs:
        if run.fault == "platform" and not run.cost_cents:
            continue
        yield PastRun(
            run.run_id,
            case.case_id,
            case.plan,
            case.scenario,
            (case.inputs.target_kind, case.inputs.target_id),
            run.cost_cents,
            run.duration_seconds,
            run.cost_basis,
            run.service_estimate_cents,
        )
