"""The simulated execution core: thousands of schedules with faults, lost answers and crashes after any event."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
import simulation
from simulated_service import forget_sent_launches
from simulation import Schedule, Session, Violation

from planner.execution import core, fold, journal_state, launching, observing, reconciling, resuming, sharing, wanted
from planner.execution.engine import Now
from planner.execution.events import Moved
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchIntent, LaunchState, Slot
from planner.execution.ledger import Ledger
from planner.execution.reconciling import Match, Unconfirmed
from planner.execution.sharing import IntentSharing
from planner.execution.state import State
from planner.execution.wanted import WantedRuns

SCHEDULES = 400
MOST_SCHEDULES = 3000
"""In which a broken rule must show."""


def violation(seed: int, **options: bool) -> str:
    """What is wrong with a schedule: a call that was paid twice, a lost run, a broken ceiling. "" if nothing is."""
    try:
        Schedule(seed, **options).run()
    except Violation as error:
        return str(error)
    return ""


@pytest.mark.parametrize("first", range(0, SCHEDULES, 100))
def test_no_schedule_pays_twice_or_loses_a_run(first: int) -> None:
    crashes = 0
    for seed in range(first, first + 100):
        schedule = Schedule(seed)
        schedule.run()
        crashes += schedule.crashes
    assert crashes > 50


@pytest.mark.parametrize("first", [0, 50, 100])
def test_cases_that_make_the_same_call(first: int) -> None:
    for seed in range(first, first + 50):
        assert violation(seed, has_equal_calls=True) == ""


@pytest.mark.parametrize("seed", [70_023_230, 70_104_488, 90_029_607])
def test_a_launch_takes_no_part_of_a_larger_batch(seed: int) -> None:
    """The rest of the batch was then taken for not made, and called again."""
    assert violation(seed) == ""


def test_a_run_that_is_listed_late() -> None:
    """It was left without a launch once, and its call was made again."""
    assert violation(2_023_866) == ""


@pytest.mark.parametrize("seed", [3673, 9163, 26_167, 400_640, 506_019, 4_000_609, 8_027_811, 12_194_708])
def test_two_machines_that_match_one_run_to_different_launches(seed: int) -> None:
    """Each called the other's launch absent once, or replaced in the store what the other had matched: a run was in none
    of the launches then, and its call was made again."""
    assert violation(seed) == ""


def retry_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unanswered launch counts as never sent."""

    def lost(state: State, intent: LaunchIntent, detail: str, now: Now) -> Moved:
        del state, now
        return Moved(intent.launch_id, LaunchState.REFUSED, detail)

    monkeypatch.setattr(launching, "_unconfirmed", lost)


def forget_sent_launches_in_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash, a sent launch counts as never sent."""
    monkeypatch.setattr(JournalState, "mark_interrupted", forget_sent_launches)


def send_before_the_intent_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    def happen(self: Session, event: Any) -> None:
        durable = list(self.machine.events)
        real_happen(self, event)
        if (isinstance(event, Moved) and event.state is LaunchState.SENT) or type(event).__name__ == "Intended":
            self.machine.events[:] = durable

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
        if isinstance(event, Moved) and event.state is LaunchState.UNCONFIRMED:
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

    for module in (launching, observing, resuming):
        monkeypatch.setattr(module, "bind_slots", bind)


def forget_earlier_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of earlier sessions do not count as wanted ones."""
    real = WantedRuns.resume
    monkeypatch.setattr(WantedRuns, "resume", lambda self, _: real(self, []))


def forget_unconfirmed_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash, unconfirmed launches are neither searched for nor counted."""
    monkeypatch.setattr(journal_state, "LIVE", journal_state.LIVE - {LaunchState.UNCONFIRMED})


def ignore_runs_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any run with the prompt counts as ours, whoever asked for it."""
    monkeypatch.setattr(reconciling, "_may_be_of", lambda *_: True)


def launch_more_than_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that was refused is wanted again, and so is the one that replaces it."""
    monkeypatch.setattr(WantedRuns, "launched", lambda *_: None)
    monkeypatch.setattr(core, "MAX_UNCONFIRMED", 1000)


def check_the_age_of_a_launch_only_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may stand still before the first byte."""

    def is_late(state: State, intent: LaunchIntent, now: Now) -> bool:
        is_sent = state.launch(intent.launch_id).state is LaunchState.SENT
        return not is_sent and real_is_late(state, intent, now)

    real_is_late = launching.is_late
    monkeypatch.setattr(simulation, "is_late", is_late)


def leave_refusals_open_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store learns what became of launches at the end of a session only."""
    prepare = IntentSharing.prepare
    monkeypatch.setattr(IntentSharing, "prepare", lambda self, intents: replace(prepare(self, intents), outcomes={}))


def resume_only_as_many_runs_as_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of open launches, some that never arrived stand for others that did."""

    def resumable(slots: Iterable[Slot], most_runs: Mapping[str, int], _: object) -> dict[str, tuple[Slot, ...]]:
        return wanted.resumable_slots(slots, most_runs, ())

    monkeypatch.setattr(simulation, "resumable_slots", resumable)


def call_again_before_open_launches_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that do not count are not searched for."""
    monkeypatch.setattr(State, "unsettled_fingerprints", lambda _: set[str]())
    resume_only_as_many_runs_as_are_wanted(monkeypatch)


def adopt_one_batch_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal launches match the same runs, where the list of batches does not reach back."""
    match_unlisted = vars(reconciling)["_match_unlisted"]

    def match_each(group: list[Unconfirmed], free: Any, missing: Any) -> list[Match]:
        return [match for item in group for match in match_unlisted([item], copy.deepcopy(free), missing)]

    monkeypatch.setattr(reconciling, "_match_unlisted", match_each)


def look_for_other_sessions_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch of another session is looked at when it appears, and not when one of its calls is to be made."""
    real = vars(IntentSharing)["_check_concurrent"]

    def check(self: Any, now: Any, documents: Any) -> None:
        real(self, now, documents)
        self._seen.update(now.keys("intents/"))

    monkeypatch.setattr(IntentSharing, "_check_concurrent", check)


def ignore_results_of_other_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session may have ended since this one planned its calls."""
    monkeypatch.setattr(sharing, "RESULTS", "nowhere/")


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
    check_the_age_of_a_launch_only_before_it_is_recorded,
    leave_refusals_open_in_the_store,
    resume_only_as_many_runs_as_are_wanted,
    call_again_before_open_launches_are_settled,
    adopt_one_batch_twice,
    look_for_other_sessions_once,
    ignore_results_of_other_sessions,
]


SEEN_IN: dict[Callable[[pytest.MonkeyPatch], None], int] = {
    ignore_runs_of_others: 169,
    check_the_age_of_a_launch_only_before_it_is_recorded: 4725,
    call_again_before_open_launches_are_settled: 266,
    adopt_one_batch_twice: 247,
    look_for_other_sessions_once: 155,
    ignore_results_of_other_sessions: 610,
}
"""Where to look first for those that few schedules show."""


@pytest.mark.parametrize("break_rule", BROKEN, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(
    break_rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rule(monkeypatch)
    for seed in chain([SEEN_IN.get(break_rule, 0)], range(MOST_SCHEDULES)):
        try:
            assert violation(seed) == ""
        except (Violation, AssertionError, LookupError):
            return
    raise AssertionError("no schedule shows the broken rule")
