"""Results over time: by case, by session, and in total. Each call counts once, in the session that made it, with its newest verdict.

**Flakiness** is the flip rate: of consecutive calls with the same prompt, settings and agent, the share in which the result changed
(E. Kowalczyk et al., Modeling and Ranking Flaky Tests at Apple, ICSE-SEIP 2020). A case that passes with probability p flips in
2p(1-p) of them: 50 % is a coin toss, and a case that broke once and stays broken hardly flips.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean

from planner.changes.accuracy import Accuracy, Priced, accuracy, priced
from planner.changes.detail import revision_digest
from planner.moments import aware
from planner.results.model import CaseOutcomeName, PlanOutcome
from planner.results.outline import CaseOutline, InvocationOutline, RunOutline
from planner.statistics import median, wilson_interval


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics of a group of calls. Rates cover countable calls; medians and means cover calls with a known value, else None."""

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
    """The calls that one session made, of one case or of all."""

    invocation_id: str
    at: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class CaseHistory:
    """`points` are oldest first; `outcome` is the newest. The result changed in `flips` of `neighbours` pairs of calls."""

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
    """`figures` cover the calls it made. `priced` compares their estimate and bill; None if that is not possible."""

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
    """`invocations` are newest first, `cases` sorted by id."""

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
    made_by: str
    at: datetime
    countable: bool

    @property
    def passed(self) -> bool:
        return self.run.fault is None


@dataclass(frozen=True, slots=True)
class _Head:
    """The part of a session that is kept in memory while others are read."""

    invocation_id: str
    at: datetime
    outcome: PlanOutcome
    finished: bool
    partial: bool
    estimated_cents: int | None
    priced: Priced | None


def timeline(newest_first: Iterable[InvocationOutline], *, plan: str | None = None) -> Timeline:
    """The history of these sessions; with `plan`, only of its cases. Reads each outline once, to save memory."""
    heads: list[_Head] = []
    calls: dict[str, list[_Call]] = {}
    cases: dict[str, tuple[str, str, CaseOutcomeName]] = {}
    seen: set[int] = set()
    for outline in newest_first:
        if plan is not None and plan not in outline.plans:
            continue
        heads.append(_head(outline, plan))
        for case in outline.cases:
            if plan is not None and case.plan != plan:
                continue
            cases.setdefault(case.case_id, (case.plan, case.scenario, case.outcome))
            fresh = [run for run in case.runs if run.run_id not in seen]
            if fresh:
                seen.update(run.run_id for run in fresh)
                calls.setdefault(case.case_id, []).extend(_calls(case, fresh, outline))
    starts = {head.invocation_id: head.at for head in heads}
    for case_id, made in list(calls.items()):
        own = sorted((call for call in made if call.made_by in starts), key=_in_time)
        if own:
            calls[case_id] = own
        else:
            del calls[case_id]
    histories = tuple(_case_history(case_id, *cases[case_id], calls[case_id], starts) for case_id in sorted(calls))
    everything = [call for made in calls.values() for call in made]
    by_invocation = _by_invocation(everything)
    return Timeline(
        tuple(_invocation(head, by_invocation.get(head.invocation_id, [])) for head in heads),
        histories,
        figures_of(everything),
        sum(history.flips for history in histories),
        sum(history.neighbours for history in histories),
    )


def _calls(case: CaseOutline, runs: Sequence[RunOutline], outline: InvocationOutline) -> Iterator[_Call]:
    same = (sys.intern(case.call_fingerprint), sys.intern(revision_digest(case.inputs.agent_revision or "")))
    for run in runs:
        yield _Call(
            run,
            same,
            sys.intern(run.invocation_id or outline.invocation_id),
            aware(run.completed_at or outline.started_at).astimezone(UTC),
            case.counts(run),
        )


def _head(outline: InvocationOutline, plan: str | None) -> _Head:
    return _Head(
        outline.invocation_id,
        aware(outline.started_at).astimezone(UTC),
        outline.outcome,
        outline.finished,
        outline.partial,
        outline.cost.estimated_cents if plan is None else None,
        priced(outline) if plan is None else None,
    )


def _in_time(call: _Call) -> tuple[datetime, int]:
    return call.at, call.run.run_id


def _by_invocation(calls: Iterable[_Call]) -> dict[str, list[_Call]]:
    found: dict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        found[call.made_by].append(call)
    return found


def _case_history(
    case_id: str,
    plan: str,
    scenario: str,
    outcome: CaseOutcomeName,
    calls: Sequence[_Call],
    starts: Mapping[str, datetime],
) -> CaseHistory:
    counted = [call for call in calls if call.countable]
    alike = [(one, other) for one, other in pairwise(counted) if one.same == other.same]
    points = [Point(made_by, starts[made_by], figures_of(made)) for made_by, made in _by_invocation(calls).items()]
    return CaseHistory(
        case_id,
        plan,
        scenario,
        outcome,
        figures_of(calls),
        sum(one.passed is not other.passed for one, other in alike),
        len(alike),
        tuple(sorted(points, key=lambda point: (point.at, point.invocation_id))),
    )


def _invocation(head: _Head, calls: Sequence[_Call]) -> InvocationHistory:
    return InvocationHistory(
        head.invocation_id,
        head.at,
        head.outcome,
        head.finished,
        head.partial,
        figures_of(calls),
        head.estimated_cents,
        head.priced,
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
