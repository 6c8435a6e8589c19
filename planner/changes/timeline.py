"""How calls went over time: per case, per invocation, and in all. Each call counts once, where it was made, by its newest verdict.

**Flakiness** is the flip rate: of neighbouring calls in time with the same prompt, settings and agent, the share in which one
passed and the other did not (E. Kowalczyk et al., Modeling and Ranking Flaky Tests at Apple, ICSE-SEIP 2020). A case that passes
with a chance p flips in 2p(1-p) of them: 50 % is a coin, and a case that broke on one day and stayed broken hardly flips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean

from planner.changes.accuracy import Accuracy, Priced, accuracy, priced
from planner.changes.detail import revision_digest
from planner.results.model import CaseOutcomeName, PlanOutcome
from planner.results.outline import CaseOutline, InvocationOutline, RunOutline
from planner.statistics import median, wilson_interval

_COUNTABLE = (None, "agent", "author")
"""Faults of runs that say something of the agent, as `RunVerdict.countable` has it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a group of calls. Rates are of countable ones; medians, means and the total of those where each is known, else None."""

    calls: int
    countable: int
    passed: int
    interval: tuple[float, float] | None
    duration_seconds: float | None
    latency_ms: float | None
    grade: float | None
    cents_per_call: float | None
    total_cents: int
    unbilled: int

    @property
    def pass_rate(self) -> float | None:
        return self.passed / self.countable if self.countable else None


@dataclass(frozen=True, slots=True)
class Point:
    """The calls that one invocation made of a case, or of all."""

    invocation_id: str
    at: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class CaseHistory:
    """`points` are oldest first; `outcome` is the newest stored. `flips` of `neighbours` differ, as the module says."""

    case_id: str
    plan: str
    scenario: str
    outcome: CaseOutcomeName
    figures: Figures
    flips: int
    neighbours: int
    points: tuple[Point, ...]

    @property
    def flip_rate(self) -> float | None:
        return self.flips / self.neighbours if self.neighbours else None


@dataclass(frozen=True, slots=True)
class InvocationHistory:
    """`figures` are of the calls it made; `priced` of what they were expected to cost, None where that cannot be compared."""

    invocation_id: str
    at: datetime
    outcome: PlanOutcome
    finished: bool
    partial: bool
    figures: Figures
    estimated_cents: int | None
    priced: Priced | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """`invocations` are newest first, `cases` in the order of their ids."""

    invocations: tuple[InvocationHistory, ...]
    cases: tuple[CaseHistory, ...]
    figures: Figures
    flips: int
    neighbours: int

    @property
    def flip_rate(self) -> float | None:
        return self.flips / self.neighbours if self.neighbours else None

    @property
    def accuracy(self) -> Accuracy:
        return accuracy([entry.priced for entry in self.invocations if entry.priced])


@dataclass(frozen=True, slots=True)
class _Call:
    run: RunOutline
    same: tuple[str, str]
    at: datetime
    invocation_id: str

    @property
    def countable(self) -> bool:
        return self.run.fault in _COUNTABLE

    @property
    def passed(self) -> bool:
        return self.run.fault is None


def timeline(newest_first: Iterable[InvocationOutline], *, plan: str | None = None) -> Timeline:
    """Of these invocations, the calls that they made themselves; what they carried over from earlier ones is theirs.

    Args:
        plan: only cases of this plan.
    """
    outlines = [outline for outline in newest_first if plan is None or plan in outline.plans]
    starts = {outline.invocation_id: outline.started_at for outline in outlines}
    calls: dict[str, list[_Call]] = {}
    cases: dict[str, CaseOutline] = {}
    seen: set[int] = set()
    for outline in outlines:
        for case in outline.cases:
            if plan is not None and case.plan != plan:
                continue
            cases.setdefault(case.case_id, case)
            for run in case.runs:
                made_by = run.invocation_id or outline.invocation_id
                if run.run_id not in seen and made_by in starts:
                    seen.add(run.run_id)
                    same = (case.call_fingerprint, revision_digest(case.inputs.agent_revision or ""))
                    at = run.completed_at or starts[made_by]
                    calls.setdefault(case.case_id, []).append(_Call(run, same, at, made_by))
    histories = tuple(
        _case_history(cases[case_id], sorted(calls[case_id], key=_in_time), starts) for case_id in sorted(calls)
    )
    everything = [call for made in calls.values() for call in made]
    by_invocation = _by_invocation(everything)
    return Timeline(
        tuple(_invocation(outline, by_invocation.get(outline.invocation_id, []), plan) for outline in outlines),
        histories,
        figures_of(everything),
        sum(history.flips for history in histories),
        sum(history.neighbours for history in histories),
    )


def _in_time(call: _Call) -> tuple[datetime, int]:
    return call.at, call.run.run_id


def _by_invocation(calls: Iterable[_Call]) -> dict[str, list[_Call]]:
    found: dict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        found[call.invocation_id].append(call)
    return found


def _case_history(case: CaseOutline, calls: Sequence[_Call], starts: dict[str, datetime]) -> CaseHistory:
    counted = [call for call in calls if call.countable]
    alike = [(one, other) for one, other in pairwise(counted) if one.same == other.same]
    points = [Point(made_by, starts[made_by], figures_of(made)) for made_by, made in _by_invocation(calls).items()]
    return CaseHistory(
        case.case_id,
        case.plan,
        case.scenario,
        case.outcome,
        figures_of(calls),
        sum(one.passed is not other.passed for one, other in alike),
        len(alike),
        tuple(sorted(points, key=lambda point: (point.at, point.invocation_id))),
    )


def _invocation(outline: InvocationOutline, calls: Sequence[_Call], plan: str | None) -> InvocationHistory:
    return InvocationHistory(
        outline.invocation_id,
        outline.started_at.astimezone(UTC),
        outline.outcome,
        outline.finished,
        outline.partial,
        figures_of(calls),
        outline.cost.estimated_cents if plan is None else None,
        priced(outline) if plan is None else None,
    )


def figures_of(calls: Sequence[_Call]) -> Figures:
    countable = [call for call in calls if call.countable]
    passed = sum(call.passed for call in countable)
    runs = [call.run for call in calls]
    seconds = [run.duration_seconds for run in runs if run.duration_seconds is not None]
    latencies = [run.latency_ms for run in runs if run.latency_ms is not None]
    grades = [run.grade_score for run in runs if run.grade_score is not None]
    bills = [run.cost_cents for run in runs if run.cost_cents is not None]
    return Figures(
        calls=len(calls),
        countable=len(countable),
        passed=passed,
        interval=wilson_interval(passed, len(countable)) if countable else None,
        duration_seconds=median(seconds) if seconds else None,
        latency_ms=median(latencies) if latencies else None,
        grade=fmean(grades) if grades else None,
        cents_per_call=fmean(bills) if bills else None,
        total_cents=sum(bills),
        unbilled=len(calls) - len(bills),
    )
