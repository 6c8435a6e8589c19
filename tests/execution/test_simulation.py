"""The simulated execution core: thousands of schedules with faults, lost answers and crashes after any event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import simulation
from simulation import Schedule, Session, Violation

from planner.execution import core, fold, journal_state, observing, reconciling
from planner.execution.engine import Now
from planner.execution.events import Moved
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchState, Slot
from planner.execution.ledger import Ledger
from planner.execution.state import State
from planner.execution.wanted import WantedRuns

SCHEDULES = 400
MOST_SCHEDULES = 3000
"""In which a broken rule must show."""


@pytest.mark.parametrize("first", range(0, SCHEDULES, 100))
def test_no_schedule_pays_twice_or_loses_a_run(first: int) -> None:
    crashes = 0
    for seed in range(first, first + 100):
        schedule = Schedule(seed)
        schedule.run()
        crashes += schedule.crashes
    assert crashes > 50


def test_a_run_that_is_listed_late() -> None:
    """It was left without a launch once, and its call was made again."""
    Schedule(2_023_866).run()


def retry_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unanswered launch counts as never sent."""

    def lost(state: State, launch_id: str, detail: str, now: Now) -> Moved:
        del state, now
        return Moved(launch_id, LaunchState.REFUSED, detail)

    monkeypatch.setattr(simulation, "unconfirmed", lost)


def forget_sent_launches_in_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash, a sent launch counts as never sent."""

    def mark_interrupted(journal: JournalState) -> int:
        for launch in journal.launches([LaunchState.SENT, LaunchState.INTENDED]):
            state = LaunchState.UNSENT if launch.state is LaunchState.INTENDED else LaunchState.REFUSED
            journal.record(Moved(launch.launch_id, state))
        return 0

    monkeypatch.setattr(JournalState, "mark_interrupted", mark_interrupted)


def send_before_the_intent_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    def happen(self: Session, event: Any) -> None:
        durable = list(self.schedule.events)
        real_happen(self, event)
        if (isinstance(event, Moved) and event.state is LaunchState.SENT) or type(event).__name__ == "Intended":
            self.schedule.events[:] = durable

    real_happen = Session.happen
    monkeypatch.setattr(Session, "happen", happen)


def do_not_wait_for_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that is not listed at once counts as absent."""
    real = Schedule.__post_init__

    def begin(self: Schedule) -> None:
        real(self)
        self.settings = replace(self.settings, settle_seconds=0.0)

    monkeypatch.setattr(Schedule, "__post_init__", begin)


def reserve_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "reserve", lambda *_: None)
    monkeypatch.setattr(Ledger, "release", lambda *_: None)


def release_what_is_unconfirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reservation of an unanswered launch is free for others."""
    real = fold.apply

    def apply(state: State, event: Any, now: Now) -> None:
        real(state, event, now)
        if isinstance(event, Moved) and event.state is LaunchState.AMBIGUOUS:
            state.release(event.launch_id)

    monkeypatch.setattr(simulation, "apply", apply)


def adopt_claimed_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconciliation also looks at runs of other launches."""
    monkeypatch.setattr(JournalState, "claimed_run_ids", lambda _: set[int]())
    monkeypatch.setattr(JournalState, "claimed_batch_ids", lambda _: set[int]())
    monkeypatch.setattr(JournalState, "_require_free", lambda *_: None)
    monkeypatch.setattr(JournalState, "_require_bindable", lambda *_: None)


def bind_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's order of runs counts as that of the prompts."""

    def bind(slots: list[Slot], runs: object, run_ids: tuple[int, ...]) -> dict[int, int]:
        del runs
        bound = {slot.run_id for slot in slots}
        free = [slot.ordinal for slot in slots if slot.run_id is None]
        return dict(zip(free, [run_id for run_id in run_ids if run_id not in bound], strict=False))

    monkeypatch.setattr(observing, "bind_slots", bind)


def forget_earlier_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of earlier sessions do not count as wanted ones."""
    real = WantedRuns.resume
    monkeypatch.setattr(WantedRuns, "resume", lambda self, _: real(self, []))


def forget_unconfirmed_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash, unconfirmed launches are neither searched for nor counted."""
    monkeypatch.setattr(journal_state, "LIVE", journal_state.LIVE - {LaunchState.AMBIGUOUS})


def ignore_runs_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any run with the prompt counts as ours, whoever asked for it."""
    monkeypatch.setattr(reconciling, "_may_be_of", lambda *_: True)


def launch_more_than_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that was refused is wanted again, and so is the one that replaces it."""
    monkeypatch.setattr(WantedRuns, "launched", lambda *_: None)
    monkeypatch.setattr(core, "MAX_UNCONFIRMED", 1000)


BROKEN: list[Callable[[pytest.MonkeyPatch], None]] = [
    retry_after_a_timeout,
    forget_sent_launches_in_a_crash,
    send_before_the_intent_is_durable,
    do_not_wait_for_the_lists,
    reserve_nothing,
    release_what_is_unconfirmed,
    adopt_claimed_runs,
    bind_by_position,
    forget_earlier_sessions,
    forget_unconfirmed_launches,
    ignore_runs_of_others,
    launch_more_than_is_wanted,
]


@pytest.mark.parametrize("break_rule", BROKEN, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(
    break_rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rule(monkeypatch)
    for seed in range(MOST_SCHEDULES):
        try:
            Schedule(seed).run()
        except (Violation, AssertionError, LookupError):
            return
    raise AssertionError("no schedule shows the broken rule")
