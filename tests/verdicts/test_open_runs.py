"""Runs that have not ended leave their case open, if they could still change its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from planner.changes.model import Change, Reason
from planner.execution.journal import Journal
from planner.execution.launches import Launch, LaunchState, Slot
from planner.execution.observer import EndedRun
from planner.results.outcomes import Action, CaseOutcome, Cause, RunOutcome
from planner.verdicts.ending import OpenRuns, judge_with_open_runs, may_still_end, open_runs_at_end, open_runs_of_stored
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


def record(case_id: str, launch_id: str, run_id: int = 7, ordinal: int = 0, evidence: Any = None) -> EndedRun:
    bound = replace(slot(case_id, launch_id, ordinal), run_id=run_id)
    return EndedRun(bound, launch(launch_id), resumed=False, evidence=evidence)


def test_a_run_may_still_end_for_a_day() -> None:
    """After its launch; a run with evidence has ended."""
    records = [record("a", "1"), record("b", "2"), record("c", "1", evidence=object()), record("d", "3")]
    assert may_still_end(records, journal([launch("1", 23.9), launch("2", 24)]), NOW) == {"a"}


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
    verdict = judge_with_open_runs(plan_case(), case("s", "unknown", passed, failed).runs, open_runs, 16)
    assert verdict.outcome == outcome
    assert (verdict.outcome_reason == "") is (outcome != "failed")


@pytest.mark.parametrize("platform_failures", ["ignore", "fail"])
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
    passed: int, failed: int, excluded: int, open_runs: OpenRuns, outcome: str, platform_failures: Any
) -> None:
    """Such a call neither passes nor fails, also where failures of the platform count; another one is made in its place."""
    without = {"outcome": RunOutcome.UNDECIDED, "cause": Cause.PLATFORM, "excluded": "agent_edited"}
    runs = case("s", "unknown", passed, failed).runs
    runs += [run.model_copy(update=without) for run in case("s", "unknown", excluded, 0).runs]
    found = judge_with_open_runs(plan_case(platform_failures=platform_failures), runs, open_runs, 16)
    assert (found.outcome, found.runs_passed, found.runs_countable) == (outcome, passed, passed + failed)
    assert ("edited" in found.outcome_reason) is (outcome == "unknown" and open_runs == OpenRuns())


def test_an_open_case_needs_no_more_runs() -> None:
    """Those under way come first."""
    sure = plan_case(min_pass_rate=0.8, confidence=0.9)
    runs = case("s", "unknown", 4, 1).runs
    assert judge_with_open_runs(sure, runs, OpenRuns(), None).more_runs
    left_open = judge_with_open_runs(sure, runs, OpenRuns(20), None)
    assert (left_open.outcome, left_open.more_runs, left_open.outcome_reason) == (CaseOutcome.UNKNOWN, None, "")


@pytest.mark.parametrize(
    ("state", "hours", "is_open"),
    [
        (LaunchState.ACKNOWLEDGED, 23.9, True),
        (LaunchState.ACKNOWLEDGED, 24, False),
        (LaunchState.ADOPTED, 1, True),
        (LaunchState.SENT, 99, True),
        (LaunchState.UNCONFIRMED, 99, True),
        (LaunchState.INTENDED, 1, False),
        (LaunchState.REFUSED, 1, False),
        (LaunchState.ABSENT, 1, False),
    ],
)
def test_a_launch_is_open_by_its_state_and_age(state: LaunchState, hours: float, is_open: bool) -> None:
    """Accepted runs are given up after a day; an unconfirmed launch stays open until it is confirmed. One that was never
    sent is a call not made."""
    known = journal([launch("1", hours, state)], slot("a", "1"), slot("a", "1", 1))
    never_sent = {"a": OpenRuns(not_made=2)} if state is LaunchState.INTENDED else {}
    assert open_runs_at_end(known, "i", {}, [], [], NOW) == ({"a": OpenRuns(2)} if is_open else never_sent)
    change = Change("a", Action.REUSE, Reason.PASSED, 0, "", None, None, None, "", "")
    found = open_runs_of_stored([change], {"a": [slot("a", "1")]}, known, NOW)
    assert found == ({"a": OpenRuns(1)} if is_open else {})


def test_open_runs_at_the_end_of_a_session() -> None:
    """Runs that it launched or resumed and has not reported, and reported ones that it stopped waiting for. A resumed
    one counts for the case that makes this call now."""
    launches = [launch("1"), launch("2", session="other"), launch("3", session="other"), launch("4", 30)]
    slots = [slot("a", "1"), slot("a", "1", 1), slot("b", "2"), slot("c", "3")]
    late = [record("a", "1", 70, ordinal=1), record("d", "4", 71), record("e", "gone", 72)]
    found = open_runs_at_end(journal(launches, *slots), "i", {("3", 0): "f"}, late, late, NOW)
    assert found == {"a": OpenRuns(1, frozenset({70})), "f": OpenRuns(1)}


def test_open_runs_of_a_session_without_calls() -> None:
    """All runs that the next session resumes, if one of them has not ended; they replace the stored runs that are not kept."""
    stored = case("s", "failed", 0, 3)
    change = Change("a", Action.CALL, Reason.FAILED, 2, "", None, stored, None, "", "", kept_run_ids=(1,))
    known = journal([launch("1"), launch("2", 25)])
    resumable = {"a": [slot("a", "1"), slot("a", "2", 1, evidence="d")]}
    assert open_runs_of_stored([change], resumable, known, NOW) == {"a": OpenRuns(2, frozenset({0, 2}))}
    for slots in ([slot("a", "1", evidence="d")], [slot("a", "2")], [slot("a", "3")], []):
        assert open_runs_of_stored([change], {"a": slots}, known, NOW) == {}
