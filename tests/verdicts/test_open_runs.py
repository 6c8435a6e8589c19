"""Runs that have not ended leave their case open, if they could still change its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from planner.changes.model import Change, Reason
from planner.execution.journal import Journal
from planner.execution.launches import Launch, LaunchState, Slot
from planner.results.outcomes import Action, Cause, RunOutcome
from planner.verdicts.ending import OpenRuns, judge_with_open_runs, open_runs_at_end, open_runs_of_stored
from tests.support.samples import plan_case
from tests.verdicts.test_result_comparison import case

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


class FakeJournal:
    def __init__(self, launches: Sequence[Launch], slots: Sequence[Slot] = ()) -> None:
        self._launches = {launch.launch_id: launch for launch in launches}
        self._slots = slots

    def launch(self, launch_id: str) -> Launch | None:
        return self._launches.get(launch_id)

    def unconsumed_slots(self) -> Sequence[Slot]:
        return self._slots


def journal(launches: Sequence[Launch], *slots: Slot) -> Journal:
    return cast(Journal, FakeJournal(launches, slots))


def launch(
    launch_id: str, hours: float = 1, state: LaunchState = LaunchState.ACKNOWLEDGED, session: str = "i"
) -> Launch:
    sent_at = NOW - timedelta(hours=hours)
    return Launch(launch_id, session, "", state, cast(Any, None), "", sent_at, 0, None, (), "")


def slot(case_id: str, launch_id: str, ordinal: int = 0, evidence: str | None = None) -> Slot:
    return Slot(launch_id, ordinal, case_id, "p", "Hi.", "", None, 16, 7, evidence, None, None, None)


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
    ("state", "hours", "is_open"),
    [
        (LaunchState.ACKNOWLEDGED, 23.9, True),
        (LaunchState.ACKNOWLEDGED, 24, False),
        (LaunchState.ADOPTED, 1, True),
        (LaunchState.UNCONFIRMED, 99, True),
        (LaunchState.REFUSED, 1, False),
        (LaunchState.ABSENT, 1, False),
    ],
)
def test_a_launch_is_open_by_its_state_and_age(state: LaunchState, hours: float, is_open: bool) -> None:
    """Accepted runs are given up after a day; an unconfirmed launch stays open until it is confirmed."""
    known = journal([launch("1", hours, state)], slot("a", "1"), slot("a", "1", 1))
    assert open_runs_at_end(known, "i", {}, [], [], NOW) == ({"a": OpenRuns(2)} if is_open else {})
    change = Change("a", Action.REUSE, Reason.PASSED, 0, "", None, None, None, "", "")
    found = open_runs_of_stored([change], {"a": [slot("a", "1")]}, known, NOW)
    assert found == ({"a": OpenRuns(1)} if is_open else {})
