"""Runs that have not ended leave their case open, if they could still change its outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from planner.calls.slots import slots_of
from planner.changes.model import Change, Reason
from planner.log.facts import Asked, Fact, Intent, Outcome, Result
from planner.log.fold import State
from planner.providers.base import Line
from planner.results.outcomes import Action, Cause, RunOutcome
from planner.verdicts.ending import OpenRuns, judge_with_open_runs, open_runs_at_end, open_runs_of_stored
from tests.support.samples import plan_case
from tests.verdicts.test_result_comparison import case

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


def launched(result: Result | None, hours: float) -> State:
    """The log of a session that asked for two calls of case `a`; None: nobody knows what became of them."""
    sent_at, line = NOW - timedelta(hours=hours), Line("agent", 12, "outbound", "bot", None)
    noted: list[Fact] = [
        Intent(sent_at, "a", "1", "c", "i", line, (Asked("k", "p", 2, 16, "p", case="a"),), 5.0, "key")
    ]
    if result is not None:
        noted.append(Outcome(sent_at, "1", result, 7, (7, 8) if result.has_runs else ()))
    state = State()
    state.add_all(noted)
    return state


@pytest.mark.parametrize(
    ("passed", "failed", "open_runs", "outcome"),
    [
        (2, 0, OpenRuns(), "passed"),
        (2, 0, OpenRuns(1), "unknown"),
        (2, 0, OpenRuns(0, frozenset({1})), "unknown"),
        (2, 0, OpenRuns(0, frozenset({99})), "passed"),
        (0, 2, OpenRuns(1), "failed"),
        (1, 1, OpenRuns(0, frozenset({1})), "unknown"),
        (1, 2, OpenRuns(0, frozenset({1})), "failed"),
        (9, 0, OpenRuns(2), "unknown"),
        (9, 0, OpenRuns(1), "unknown"),
        (1, 0, OpenRuns(not_made=1), "unknown"),
        (0, 1, OpenRuns(not_made=1), "failed"),
        (0, 1, OpenRuns(0, frozenset({0}), 1), "unknown"),
    ],
)  # fmt: skip
def test_a_case_is_open_while_its_outcome_may_change(
    passed: int, failed: int, open_runs: OpenRuns, outcome: str
) -> None:
    """All must pass; with run 1 open, a failure of it may go."""
    verdict = judge_with_open_runs(plan_case(), case("s", "unknown", passed, failed).runs, open_runs)
    assert verdict.outcome == outcome
    assert (verdict.outcome_reason == "") is (outcome != "failed")


@pytest.mark.parametrize(
    ("passed", "failed", "excluded", "open_runs", "outcome"),
    [
        (2, 0, 0, OpenRuns(), "passed"),
        (1, 0, 1, OpenRuns(), "unknown"),
        (0, 0, 2, OpenRuns(), "unknown"),
        (1, 1, 1, OpenRuns(), "failed"),
        (4, 1, 1, OpenRuns(), "failed"),
        (1, 0, 1, OpenRuns(not_made=1), "unknown"),
    ],
)
def test_calls_of_an_edited_agent_leave_a_case_open(
    passed: int, failed: int, excluded: int, open_runs: OpenRuns, outcome: str
) -> None:
    """Such a call neither passes nor fails: another one is made in its place."""
    without = {"outcome": RunOutcome.UNDECIDED, "cause": Cause.PLATFORM, "excluded": "agent_edited"}
    runs = case("s", "unknown", passed, failed).runs
    runs += [run.model_copy(update=without) for run in case("s", "unknown", excluded, 0).runs]
    found = judge_with_open_runs(plan_case(), runs, open_runs)
    assert (found.outcome, found.runs_passed, found.runs_countable) == (outcome, passed, passed + failed)
    assert ("edited" in found.outcome_reason) is (outcome == "unknown" and open_runs == OpenRuns())


@pytest.mark.parametrize(
    ("result", "hours", "is_open"),
    [
        (Result.ACCEPTED, 23.9, True),
        (Result.ACCEPTED, 24, False),
        (Result.ADOPTED, 1, True),
        (None, 99, True),
        (Result.UNCLEAR, 99, True),
        (Result.REFUSED, 1, False),
        (Result.ABSENT, 1, False),
    ],
)
def test_a_launch_is_open_by_its_outcome_and_age(result: Result | None, hours: float, is_open: bool) -> None:
    """Accepted runs are given up after a day; an unconfirmed launch stays open until it is confirmed."""
    state = launched(result, hours)
    assert open_runs_at_end(state, "i", {}, [], [], NOW) == ({"a": OpenRuns(2)} if is_open else {})
    change = Change("a", Action.REUSE, Reason.PASSED, 0, "", None, None, None, "", "")
    found = open_runs_of_stored([change], {"a": slots_of(state.launches["1"])}, NOW)
    assert found == ({"a": OpenRuns(2)} if is_open else {})
