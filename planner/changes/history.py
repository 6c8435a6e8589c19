"""What earlier sessions show: about costs, and over time, by case, by session, and in total.

Each call of a case counts once, in the session that made it, with its newest verdict.

**Flakiness** is the flip rate: of consecutive calls with the same prompt, settings and agent, the share in which the
result changed (E. Kowalczyk et al., Modeling and Ranking Flaky Tests at Apple, ICSE-SEIP 2020). A case that passes with
probability p flips in 2p(1-p) of them: 50 % is a coin toss, and a case that broke once and stays broken hardly flips.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean, median

from planner.changes.detail import revision_digest
from planner.clock import aware
from planner.results.model import AcceptedSession, CaseResult, JudgedRun, PlanOutcome, RunResult, SuiteDocument
from planner.results.outcomes import CaseOutcome
from planner.statistics import wilson_interval
from planner.values import frozen

HISTORY_SESSIONS = 20
"""Number of newest sessions that prices are learned from, at most."""
_ENOUGH_RUNS = 500
"""Prices are not learned from more runs, but for those of one session."""


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
    """Source of the bill: `transaction` or `call`; None without a bill."""
    service_estimate_cents: int | None = None


def past_runs(results: Iterable[RunResult]) -> tuple[PastRun, ...]:
    """Every run of these sessions once, in the order first found; not of all sessions if fewer have enough runs."""
    found: dict[int, PastRun] = {}
    for result in results:
        for case in result.cases:
            for run in runs_of(case):
                found.setdefault(run.run_id, run)
        if len(found) >= _ENOUGH_RUNS:
            break  # before the next session is read
    return tuple(found.values())


def runs_of(case: CaseResult) -> Iterator[PastRun]:
    """The runs of one stored case, except free ones that the platform failed: no call was made."""
    target = (case.inputs.target_kind, case.inputs.target_id)
    for run in case.all_runs:
        if run.cause != "platform" or run.cost_cents:
            costs = (run.cost_cents, run.duration_seconds, run.cost_basis, run.service_estimate_cents)
            yield PastRun(run.run_id, case.case_id, case.plan, case.scenario, target, *costs)


@frozen
class Figures:
    """Statistics of a group of calls. Rates cover countable calls; medians and means cover calls with a known value,
    else None."""

    calls: int
    countable: int
    passed: int
    interval: tuple[float, float] | None
    duration_seconds: float | None
    cents_per_call: float | None
    total_cents: int
    unbilled: int

    @property
    def pass_rate(self) -> float | None:
        return self.passed / self.countable if self.countable else None


@frozen
class Point:
    """The calls that one session made, of one case or of all."""

    session_id: str
    at: datetime
    figures: Figures


@frozen
class CaseHistory:
    """`points` are oldest first; `outcome` is the newest. The result changed in `flips` of `neighbours` pairs of
    calls."""

    case_id: str
    plan: str
    scenario: str
    outcome: CaseOutcome
    figures: Figures
    flips: int
    neighbours: int
    points: tuple[Point, ...]

    @property
    def flip_rate(self) -> float | None:
        return self.flips / self.neighbours if self.neighbours else None


@frozen
class SessionHistory:
    """`figures` cover the calls it made, by its own verdicts."""

    session_id: str
    at: datetime
    outcome: PlanOutcome
    finished: bool
    partial: bool
    figures: Figures


@frozen
class Timeline:
    """`sessions` are newest first, `cases` sorted by id. `left_out` and `accepted` are oldest first, and of the
    newest session that was compared with earlier ones."""

    sessions: tuple[SessionHistory, ...]
    cases: tuple[CaseHistory, ...]
    figures: Figures
    flips: int
    neighbours: int
    left_out: tuple[str, ...] = ()
    """The sessions that the newest one was not compared with."""
    accepted: tuple[AcceptedSession, ...] = ()
    """The sessions that people accepted."""

    @property
    def flip_rate(self) -> float | None:
        return self.flips / self.neighbours if self.neighbours else None


@frozen
class _Call:
    run: JudgedRun
    same: tuple[str, str]
    made_by: str
    at: datetime
    countable: bool

    @property
    def passed(self) -> bool:
        return self.run.cause is None


def timeline(newest_first: Iterable[RunResult]) -> Timeline:
    """The history of these sessions. Reads each outline once, to save memory."""
    sessions: list[SessionHistory] = []
    calls: dict[str, list[_Call]] = defaultdict(list)
    cases: dict[str, CaseResult] = {}
    seen: set[int] = set()
    suite: SuiteDocument | None = None
    accepted: dict[str, AcceptedSession] = {}
    for outline in newest_first:
        sessions.append(_session(outline))
        suite = suite or outline.suite
        if outline.start_over is not None:
            over = outline.start_over
            accepted[outline.session_id] = AcceptedSession(
                session_id=outline.session_id, by=over.by, reason=over.reason
            )
        for case in outline.cases:
            cases.setdefault(case.case_id, case.model_copy(update={"runs": []}))
            calls[case.case_id] += _calls(case, [run for run in case.runs if run.run_id not in seen], outline)
            seen.update(run.run_id for run in case.runs)
    starts = {session.session_id: session.at for session in sessions}
    own = {
        case_id: sorted((call for call in made if call.made_by in starts), key=lambda call: (call.at, call.run.run_id))
        for case_id, made in calls.items()
    }
    histories = tuple(_case_history(cases[case_id], own[case_id], starts) for case_id in sorted(own) if own[case_id])
    everything = [call for made in own.values() for call in made]
    return Timeline(
        tuple(sessions),
        histories,
        figures_of(everything),
        sum(history.flips for history in histories),
        sum(history.neighbours for history in histories),
        tuple(suite.left_out) if suite else (),
        _accepted(accepted, suite),
    )


def _accepted(found: Mapping[str, AcceptedSession], suite: SuiteDocument | None) -> tuple[AcceptedSession, ...]:
    others = [each for each in suite.accepted if each.session_id not in found] if suite else []
    return tuple(sorted((*found.values(), *others), key=lambda each: each.session_id))


def _session(outline: RunResult) -> SessionHistory:
    own = [
        call
        for case in outline.cases
        for call in _calls(case, case.runs, outline)
        if call.made_by == outline.session_id
    ]
    return SessionHistory(
        outline.session_id,
        aware(outline.started_at).astimezone(UTC),
        outline.outcome,
        outline.finished,
        outline.partial,
        figures_of(own),
    )


def _calls(case: CaseResult, runs: Sequence[JudgedRun], outline: RunResult) -> Iterator[_Call]:
    agent = case.inputs.configuration or revision_digest(case.inputs.agent_revision or "")
    same = (sys.intern(case.call_fingerprint), sys.intern(agent))
    for run in runs:
        made_by = sys.intern(run.session_id or outline.session_id)
        at = aware(run.completed_at or outline.started_at).astimezone(UTC)
        yield _Call(run, same, made_by, at, run.countable)


def _by_session(calls: Iterable[_Call]) -> defaultdict[str, list[_Call]]:
    found: defaultdict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        found[call.made_by].append(call)
    return found


def _case_history(case: CaseResult, calls: Sequence[_Call], starts: Mapping[str, datetime]) -> CaseHistory:
    counted = [call for call in calls if call.countable]
    alike = [(one, other) for one, other in pairwise(counted) if one.same == other.same]
    points = [Point(made_by, starts[made_by], figures_of(made)) for made_by, made in _by_session(calls).items()]
    return CaseHistory(
        case.case_id,
        case.plan,
        case.scenario,
        case.outcome,
        figures_of(calls),
        sum(one.passed is not other.passed for one, other in alike),
        len(alike),
        tuple(sorted(points, key=lambda point: (point.at, point.session_id))),
    )


def figures_of(calls: Sequence[_Call]) -> Figures:
    countable = [call for call in calls if call.countable]
    passed = sum(call.passed for call in countable)
    seconds = [call.run.duration_seconds for call in calls if call.run.duration_seconds is not None]
    bills = [call.run.cost_cents for call in calls if call.run.cost_cents is not None]
    return Figures(
        calls=len(calls),
        countable=len(countable),
        passed=passed,
        interval=wilson_interval(passed, len(countable)) if countable else None,
        duration_seconds=median(seconds) if seconds else None,
        cents_per_call=fmean(bills) if bills else None,
        total_cents=sum(bills),
        unbilled=len(calls) - len(bills),
    )
