"""Calls in waves: each wave stays inside the consent, and the next is chosen when all calls of the last are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from core_state import CONSENT as CONSENT_ID
from core_state import accept, at, happen, lose, state_of

from planner.execution.consent_records import ConsentRecords
from planner.execution.consents import (
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentImported,
    ConsentWay,
    Spending,
    Wave,
    WaveChosen,
)
from planner.execution.core import Apply, ChooseWave, Finish, SendLaunch, decide
from planner.execution.engine import Job
from planner.execution.events import IdleChanged, Moved, RunGone, RunJudged, Stopped
from planner.execution.launches import LaunchState
from planner.execution.state import State
from planner.execution.wanted import WantedRuns
from planner.providers.base import RunId

CONSENT = Consent(
    CONSENT_ID,
    f"sha256:{'1' * 64}",
    "ana",
    ConsentWay.TERMINAL,
    datetime(2026, 11, 24, tzinfo=UTC),
    100,
    (
        ConsentedCall("ana", 5, share=5, most=9),
        ConsentedCall("bob", 5, share=5, most=9),
        ConsentedCall("cem", 4),
    ),
)
"""Two cases in waves, with ten calls in all, and one with four calls of its own."""
FIRST = Wave(0, (2, 2, 0), is_last=False)


def recorded(*waves: Wave) -> ConsentRecords:
    records = ConsentRecords()
    for event in (ConsentAdded(CONSENT), *(WaveChosen(CONSENT_ID, wave) for wave in waves)):
        records.validate(event)
        records.apply(event)
    return records


@pytest.mark.parametrize(
    "waves",
    [
        [FIRST],
        [FIRST, Wave(1, (2, 5, 0), is_last=False)],
        [FIRST, Wave(1, (2, 5, 0), is_last=False), Wave(2, (2, 8, 0), is_last=True)],
        [FIRST, Wave(1, (2, 8, 0), is_last=True)],
        [Wave(0, (0, 0, 0), is_last=False)],
    ],
)
def test_a_wave_adds_consented_calls(waves: Sequence[Wave]) -> None:
    assert recorded(*waves).wave_of(CONSENT_ID) == waves[-1]


@pytest.mark.parametrize(
    ("waves", "problem"),
    [
        ([Wave(1, (2, 2, 0), is_last=False)], "does not follow"),
        ([FIRST, FIRST], "does not follow"),
        ([FIRST, Wave(2, (2, 5, 0), is_last=False)], "does not follow"),
        ([Wave(0, (2, 2, 0), is_last=True), Wave(1, (2, 5, 0), is_last=True)], "does not follow"),
        ([Wave(0, (2, 2), is_last=False)], "does not follow"),
        ([FIRST, Wave(1, (1, 5, 0), is_last=False)], "takes calls back"),
        ([Wave(0, (0, 10, 0), is_last=False)], "nobody agreed to"),
        ([FIRST, Wave(1, (5, 6, 0), is_last=False)], "nobody agreed to"),
        ([Wave(0, (2, 2, 1), is_last=False)], "nobody agreed to"),
    ],
)
def test_no_other_wave_is_recorded(waves: Sequence[Wave], problem: str) -> None:
    """Not in turn, with fewer calls than before, or with more than were agreed to: for a case, in all, or for one whose
    calls no wave decides."""
    with pytest.raises(AssertionError, match=problem):
        recorded(*waves)


@pytest.mark.parametrize(
    ("mine", "imported", "known"),
    [
        ([], None, None),
        ([], FIRST, FIRST),
        ([FIRST], None, FIRST),
        ([FIRST], Wave(1, (2, 5, 0), is_last=False), Wave(1, (2, 5, 0), is_last=False)),
        ([FIRST, Wave(1, (2, 5, 0), is_last=False)], FIRST, Wave(1, (2, 5, 0), is_last=False)),
    ],
)
def test_the_later_wave_of_two_machines_holds(mine: Sequence[Wave], imported: Wave | None, known: Wave | None) -> None:
    records = recorded(*mine)
    records.apply(ConsentImported(CONSENT, (), Spending(), imported))
    assert records.wave_of(CONSENT_ID) == known


# Wanted runs


def wanted_of(*jobs: Any, wave: Wave | None = None, resumed: Sequence[Any] = ()) -> WantedRuns:
    wanted = WantedRuns({job.case_id: job for job in jobs})
    if wave is not None:
        wanted.begin_wave(wave)
    wanted.resume(resumed)
    return wanted


def test_a_wave_says_how_many_calls_are_wanted(job: Callable[..., Any]) -> None:
    """The other calls of all are neither wanted of a case nor forgotten, until the last wave leaves them."""
    ana, bob, cem = job("ana", runs=5, place=0), job("bob", runs=5, place=1), job("cem", runs=4)
    wanted = wanted_of(ana, bob, cem)
    assert (wanted.next_wave, len(wanted.pending), wanted.total) == (0, 4, 14)
    wanted.begin_wave(FIRST)
    assert (wanted.next_wave, len(wanted.pending), wanted.total) == (1, 8, 14)
    wanted.begin_wave(Wave(1, (2, 6, 0), is_last=False))
    assert (wanted.next_wave, len(wanted.pending), wanted.total) == (2, 12, 14)
    assert wanted.not_needed() == {}
    assert sum(wanted.left().values()) == 14
    wanted.begin_wave(Wave(2, (2, 7, 0), is_last=True))
    assert (wanted.next_wave, len(wanted.pending), wanted.total) == (None, 13, 13)
    assert wanted.not_needed() == {ana.case_id: 3}
    assert wanted.left() == {ana.case_id: 2, bob.case_id: 7, cem.case_id: 4}


def test_slots_of_earlier_sessions_count_for_the_wave(job: Callable[..., Any], slot: Callable[..., Any]) -> None:
    ana, bob = job("ana", runs=5, place=0), job("bob", runs=5, place=1)
    resumed = [*(slot(bob.case_id, number) for number in range(4)), slot(ana.case_id, 9)]
    wanted = wanted_of(ana, bob, wave=Wave(1, (2, 6, 0), is_last=False), resumed=resumed)
    assert (wanted.next_wave, len(wanted.pending), wanted.total) == (2, 1 + 2, 10)
    assert wanted.calls_in_waves() == {ana.case_id: 1, bob.case_id: 4}


def test_a_retry_is_no_call_of_a_wave(job: Callable[..., Any]) -> None:
    """Retries are agreed to beside the calls."""
    ana = job("ana", runs=5, retries=1, place=0)
    wanted = wanted_of(ana, wave=Wave(0, (2,), is_last=False))
    for number in range(2):
        wanted.launched(ana.case_id, ("l", number))
        wanted.judged(ana.case_id, platform_failed=True)
    assert (len(wanted.pending), wanted.calls_in_waves()) == (2, {ana.case_id: 0})
    for number in range(2, 4):
        wanted.launched(ana.case_id, ("l", number))
        wanted.judged(ana.case_id, platform_failed=False)
    assert (len(wanted.pending), wanted.calls_in_waves()) == (0, {ana.case_id: 2})


# What to do next


def choice(state: State) -> ChooseWave | None:
    action = decide(state, at(0))[-1]
    return action if isinstance(action, ChooseWave) else None


def state_in_waves(*jobs: Job, waves: Sequence[Wave] = ()) -> State:
    state = state_of(*jobs)
    happen(state, ConsentAdded(CONSENT), *(WaveChosen(CONSENT_ID, wave) for wave in waves))
    return state


def end(state: State, run_id: int, launch_id: str = "l1") -> None:
    slot = next(each for each in state.journal.slots_of(launch_id) if each.run_id == run_id)
    happen(state, RunGone(RunId(run_id), "gone"), RunJudged(slot, False))


def test_nothing_is_launched_before_the_first_wave(job: Callable[..., Any]) -> None:
    """Not even calls of other cases: they may share a batch."""
    ana, bob = job("ana", runs=5, place=0), job("bob", runs=5, place=1)
    state = state_in_waves(ana, bob, job("cem", runs=4))
    assert decide(state, at(0)) == [ChooseWave(0, {ana.case_id: 0, bob.case_id: 0})]
    happen(state, WaveChosen(CONSENT_ID, FIRST))
    (action,) = decide(state, at(0))
    assert isinstance(action, SendLaunch)
    assert sorted(each.case_id for each, _ in action.runs) == ["p/ana@t"] * 2 + ["p/bob@t"] * 2 + ["p/cem@t"] * 4


def test_the_next_wave_follows_the_last_verdict(job: Callable[..., Any]) -> None:
    ana, bob = job("ana", runs=5, place=0), job("bob", runs=5, place=1)
    state = state_in_waves(ana, bob, waves=[FIRST])
    accept(state, ana, 1, 2, launch_id="l1")
    accept(state, bob, 3, 4, launch_id="l2")
    for run_id, launch_id in ((1, "l1"), (2, "l1"), (3, "l2")):
        end(state, run_id, launch_id)
        assert choice(state) is None
    end(state, 4, "l2")
    assert choice(state) == ChooseWave(1, {ana.case_id: 2, bob.case_id: 2})
    happen(state, WaveChosen(CONSENT_ID, Wave(1, (2, 2, 0), is_last=True)))
    assert decide(state, at(0)) == [Finish()]


@pytest.mark.parametrize("waves", [[], [FIRST]])
def test_a_stopped_session_chooses_no_wave(job: Callable[..., Any], waves: Sequence[Wave]) -> None:
    state = state_in_waves(job("ana", runs=5, place=0), waves=waves)
    happen(state, Stopped(fail_fast=True))
    assert decide(state, at(0)) == [Finish()]


def test_an_unconfirmed_launch_holds_the_next_wave_back(job: Callable[..., Any]) -> None:
    """The choice needs its results."""
    ana = job("ana", runs=5, place=0)
    state = state_in_waves(ana, waves=[FIRST])
    lose(state, ana, "l1", 2)
    assert decide(state, at(0)) == [Apply(IdleChanged(is_idle=True))]
    happen(state, Moved("l1", LaunchState.ABSENT))
    assert isinstance(decide(state, at(0))[-1], SendLaunch)
