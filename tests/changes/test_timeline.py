"""Calls over time: each counted once in the session that made it; flakiness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planner.changes.history import timeline
from planner.results.model import CaseResult, JudgedRun, RunResult
from tests.support.stored_cases import make_case, session_result, store_case

START = datetime(2026, 11, 1, 9, tzinfo=UTC)


def _run(run_id: int, made_by: str, **fields: Any) -> dict[str, Any]:
    at = START + timedelta(minutes=run_id)
    defaults = {"run_id": run_id, "outcome": "passed", "session_id": made_by, "cost_cents": 16, "completed_at": at}
    return defaults | fields


def _case(
    *runs: dict[str, Any],
    case_id: str = "p/s@t",
    fingerprint: str = "c",
    revision: str = "2026-11-01 r1",
    **fields: Any,
) -> CaseResult:
    case = make_case("s", case_id=case_id, plan=case_id.partition("/")[0])
    made = [JudgedRun.model_validate(run) for run in runs]
    return store_case(case, revision=revision, runs=made, call_fingerprint=fingerprint, **fields)


def _session(day: int, *cases: CaseResult, **fields: Any) -> RunResult:
    return session_result(f"day{day:02}", *cases, at=START + timedelta(days=day), **fields)


def test_a_carried_call_counts_once_where_it_was_made_by_its_newest_verdict() -> None:
    """A run kept by two later sessions is one call of the first; rechecked as failed, it failed."""
    first = _run(1, "day01")
    judged_again = _run(1, "day01", cause="agent")
    found = timeline(
        [
            _session(3, _case(judged_again, action="reuse")),
            _session(2, _case(judged_again, _run(2, "day02"), action="recheck")),
            _session(1, _case(first)),
        ]
    )
    (case,) = found.cases
    assert (case.figures.calls, case.figures.passed, case.figures.total_cents) == (2, 1, 32)
    assert [(point.session_id, point.figures.passed) for point in case.points] == [("day01", 0), ("day02", 1)]
    assert [(entry.session_id, entry.figures.calls) for entry in found.sessions] == [
        ("day03", 0),
        ("day02", 1),
        ("day01", 1),
    ]


def test_a_session_keeps_the_verdicts_that_its_outcome_is_of() -> None:
    """A later recheck passed its two calls; the older results say what it reported itself."""
    undecided = [_run(number, "day01", outcome="undecided", cause="judge") for number in (1, 2)]
    passed = _case(_run(1, "day01"), _run(2, "day01"), action="recheck")
    found = timeline([_session(2, passed), _session(1, _case(*undecided, outcome="unknown"), outcome="unknown")])
    first = found.sessions[1]
    assert (first.figures.calls, first.figures.passed) == (2, 0)
    assert (found.figures.calls, found.figures.passed) == (2, 2)


def test_calls_of_unread_sessions_are_left_out() -> None:
    """A carried run whose session is not read is left out: its time would be wrong."""
    found = timeline([_session(3, _case(_run(1, "day01"), _run(2, "day03")))])
    assert [case.figures.calls for case in found.cases] == [1]


def test_the_measurements_of_a_case() -> None:
    """Median of durations, mean bill, a Wilson interval; unknown values are left out,
    never 0."""
    runs = [
        _run(1, "day01", duration_seconds=30.0),
        _run(2, "day01", duration_seconds=50.0, cause="agent", cost_cents=32),
        _run(3, "day01", duration_seconds=90.0, cause="platform", cost_cents=None),
    ]
    figures = timeline([_session(1, _case(*runs))]).figures
    assert (figures.calls, figures.countable, figures.passed, figures.pass_rate) == (3, 2, 1, 0.5)
    assert figures.interval == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert figures.duration_seconds == 50.0
    assert (figures.cents_per_call, figures.total_cents, figures.unbilled) == (24.0, 48, 1)
    nothing = timeline([_session(1, _case(_run(1, "day01", cause="judge", cost_cents=None)))]).figures
    assert (nothing.pass_rate, nothing.interval, nothing.cents_per_call, nothing.duration_seconds) == (None,) * 4


@pytest.mark.parametrize(
    ("causes", "flips", "neighbours"),
    [
        ([None] * 4, 0, 3),
        ([None, "agent", None, "agent"], 3, 3),
        ([None, None, "agent", "agent"], 1, 3),
        ([None, "platform", "agent"], 1, 1),
        ([None], 0, 0),
    ],
)
def test_flakiness_counts_changes_between_consecutive_calls(
    causes: list[str | None], flips: int, neighbours: int
) -> None:
    """A coin flips in half of the pairs, a break once; calls that do not count are skipped."""
    runs = [_run(number, "day01", cause=cause) for number, cause in enumerate(causes)]
    found = timeline([_session(1, _case(*runs))])
    assert (found.flips, found.neighbours) == (flips, neighbours)
    assert found.flip_rate == (flips / neighbours if neighbours else None)


@pytest.mark.parametrize("moved", ["prompt", "agent"])
def test_calls_of_another_prompt_or_agent_are_not_consecutive(moved: str) -> None:
    """A case that broke because the prompt or the agent was edited is not flaky."""
    changed: dict[str, Any] = {"fingerprint": "other"} if moved == "prompt" else {"revision": "2026-11-02 r2"}
    newer = _case(_run(2, "day02", cause="agent"), **changed)
    found = timeline([_session(2, newer), _session(1, _case(_run(1, "day01")))])
    assert (found.cases[0].figures.passed, found.neighbours) == (1, 0)
