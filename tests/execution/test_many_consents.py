"""One session that serves several consents: one limit and one ledger, and what concerns one consent only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from core_state import CONSENT, accept, at, consent_of, ended, happen, intent_of, lose, send, state_of, want

from planner.errors import CredentialError, NotFoundError
from planner.execution.core import Apply, Finish, SendLaunch, WaitReason, WaitUntil, decide, outcome_of, snapshot
from planner.execution.engine import ConsentedJobs
from planner.execution.events import (
    EvidenceComplete,
    Intended,
    Interrupted,
    JobsAdded,
    JobsEnded,
    Moved,
    Paced,
    RunEnded,
    RunJudged,
    SlotMoved,
    Stopped,
)
from planner.execution.launches import LaunchState
from planner.execution.launching import launch_result
from planner.execution.ledger import Ceiling
from planner.execution.resuming import resume_slot
from planner.execution.state import State
from planner.providers.base import RunId

OTHER = "sha256:2"


@pytest.fixture
def ana(job: Callable[..., Any]) -> Any:
    return job("ana", runs=3)


@pytest.fixture
def bob(job: Callable[..., Any]) -> Any:
    return job("bob", runs=2)


def two(ana: Any, bob: Any, *ceilings: Ceiling, **other: Any) -> State:
    """The calls of `ana` by the consent of `state_of`, and those of `bob` by another."""
    state = state_of(ana, ceilings=ceilings)
    want(state, bob, consent_id=OTHER, **other)
    return state


def launched(state: State) -> tuple[str, int] | None:
    """The consent of the next launch, and its calls."""
    action = decide(state, at(0))[-1]
    return (action.consent_id, len(action.runs)) if isinstance(action, SendLaunch) else None


def end(state: State, *run_ids: int) -> None:
    """These runs have ended, at 24 cents each, and are judged."""
    for run_id in run_ids:
        watched = state.watched[RunId(run_id)].slot
        run, slot = ended(run_id), replace(watched, evidence="0" * 64, cost_cents=24)
        happen(state, RunEnded(run), EvidenceComplete(run, slot, is_final=True), RunJudged(slot, False))
    state.reported.clear()


def test_the_consent_with_the_fewest_calls_left_is_first(ana: Any, bob: Any) -> None:
    """Under one limit."""
    state = two(ana, bob)
    assert launched(state) == (OTHER, 2)
    accept(state, bob, 7, 8, consent_id=OTHER)
    assert (launched(state), state.in_flight()) == ((CONSENT, 3), 2)


def test_a_higher_priority_is_first(ana: Any, bob: Any) -> None:
    state = two(ana, bob, priority=-1)
    assert launched(state) == (CONSENT, 3)


SCOPES = [
    ({}, True),
    ({"plan": "p"}, True),
    ({"plan": "q"}, False),
    ({"consent_id": OTHER}, True),
    ({"consent_id": CONSENT}, False),
    ({"repository": "shop"}, True),
    ({"repository": "clinic"}, False),
    ({"month": "2026-11"}, True),
    ({"month": "2026-12"}, False),
    ({"month": "2026-11", "repository": "clinic"}, False),
]


@pytest.mark.parametrize(("scope", "covers"), SCOPES)
def test_a_ceiling_has_a_scope(ana: Any, bob: Any, scope: Any, covers: bool) -> None:
    """A launch that it covers waits for its room, and only its consent stops."""
    ceiling = Ceiling("the ceiling", 24, **scope)
    state = two(ana, bob, ceiling, repository="shop")
    assert ceiling.covers(state.purpose("p", OTHER, at(0).server)) is covers
    happen(state, Stopped(CONSENT))
    assert launched(state) == (OTHER, 1 if covers else 2)
    accept(state, bob, 7, consent_id=OTHER)
    assert (ceiling.committed_cents, ceiling.pending_cents) == ((24, 24) if covers else (0, 0))
    assert launched(state) == (None if covers else (OTHER, 1))


def test_money_that_another_consent_reserved_is_waited_for(ana: Any, bob: Any) -> None:
    """Until nothing can free it."""
    state = two(ana, bob, Ceiling("the organisation", 60))
    accept(state, bob, 7, 8, consent_id=OTHER)
    assert decide(state, at(0))[-1] == WaitUntil(0.1, WaitReason.CEILING)
    end(state, 7, 8)
    (stop,) = decide(state, at(0))
    assert isinstance(stop, Apply)
    assert isinstance(stop.event, Stopped)
    assert (stop.event.consent_id, stop.event.ceiling) == (CONSENT, "the organisation")
    assert (outcome_of(state, OTHER).left, state.ledger.spent) == ({}, {OTHER: 48})


def test_a_ceiling_stops_its_consent_only(ana: Any, bob: Any) -> None:
    state = two(ana, bob, Ceiling("own", 10, consent_id=OTHER))
    assert launched(state) == (CONSENT, 3)
    accept(state, ana, 1, 2, 3)
    (stop,) = decide(state, at(0))
    assert isinstance(stop, Apply)
    assert isinstance(stop.event, Stopped)
    happen(state, stop.event)
    assert (stop.event.consent_id, stop.event.ceiling) == (OTHER, "own")
    assert [consent.stopped for consent in state.consents.values()] == [False, True]
    assert decide(state, at(0)) == [Apply(JobsEnded(OTHER))]
    happen(state, JobsEnded(OTHER))
    assert (outcome_of(state, OTHER).left, outcome_of(state, OTHER).ceiling) == ({bob.case_id: 2}, "own")
    assert outcome_of(state, CONSENT).ceiling == ""


@pytest.mark.parametrize(
    ("error", "stopped"), [(NotFoundError("404"), [False, True]), (CredentialError("401"), [True, True])]
)
def test_a_rejection_concerns_its_consent(ana: Any, bob: Any, error: Any, stopped: list[bool]) -> None:
    """A rejected key concerns all."""
    state = two(ana, bob)
    send(state, bob, consent_id=OTHER)
    for event in launch_result(state, intent_of(bob, consent_id=OTHER), error, at(0)):
        happen(state, event)
    assert [consent.stopped for consent in state.consents.values()] == stopped
    assert [bool(consent.outcome.usage) for consent in state.consents.values()] == stopped


def test_trouble_of_one_consent_leaves_others(ana: Any, bob: Any) -> None:
    """The session ends when all have trouble."""
    state = two(ana, bob)
    happen(state, Stopped(OTHER, trouble="a bug"))
    assert decide(state, at(0)) != [Finish()]
    happen(state, Stopped(CONSENT, trouble="a bug"))
    assert decide(state, at(0)) == [Finish()]


def test_an_interruption_stops_all(ana: Any, bob: Any) -> None:
    """Those that are added later, too."""
    state = state_of(ana)
    happen(state, Interrupted())
    want(state, bob, consent_id=OTHER)
    assert [consent.outcome.interrupted for consent in state.consents.values()] == [True, True]
    assert launched(state) is None


def test_an_unconfirmed_launch_keeps_its_consent_open(ana: Any, bob: Any) -> None:
    """And is reported by the consents that it concerns."""
    state = two(ana, bob)
    lose(state, bob, runs=2, consent_id=OTHER)
    assert (state.is_searching(OTHER), state.is_searching(CONSENT)) == (True, False)
    assert launched(state) == (CONSENT, 3)
    assert [len(outcome_of(state, each).unsettled) for each in (CONSENT, OTHER)] == [0, 1]


def test_calls_of_an_open_launch_are_not_repeated_by_another_consent(ana: Any, bob: Any) -> None:
    """Nobody knows which of them an earlier session made."""
    state = state_of(bob)
    state.journal.record(Intended(intent_of(ana, session_id="i0", consent_id="sha256:3")))
    state.journal.record(Moved("l1", LaunchState.SENT))
    state.journal.record(Moved("l1", LaunchState.UNCONFIRMED))
    want(state, ana, consent_id=OTHER)
    assert ([*state.unconfirmed], launched(state)) == (["l1"], (CONSENT, 2))
    assert [len(outcome_of(state, each).unsettled) for each in (CONSENT, OTHER)] == [0, 1]


def test_deferred_runs_of_one_consent_do_not_wait_for_another(job: Callable[..., Any], ana: Any) -> None:
    cleo = job("cleo", runs=3, may_stop_early=True)
    state = two(ana, cleo)
    happen(state, Paced(OTHER, cleo.case_id, 1))
    accept(state, cleo, 7, consent_id=OTHER)
    accept(state, ana, 1, 2, 3, launch_id="l2")
    assert decide(state, at(0)) == [WaitUntil(0.1)]
    slot = state.journal.slot_of_run(7)
    assert slot is not None
    run = ended(7)
    happen(state, RunEnded(run), EvidenceComplete(run, slot, True), RunJudged(slot, False, at_once=1))
    consent_of(state, OTHER).wanted.set_pace(cleo.case_id, 0)
    assert decide(state, at(0)) == [Apply(JobsEnded(OTHER))]
    consent_of(state, OTHER).wanted.set_pace(cleo.case_id, 1)
    assert launched(state) == (OTHER, 1)


def test_each_consent_has_its_own_progress(ana: Any, bob: Any) -> None:
    state = two(ana, bob)
    accept(state, bob, 7, 8, consent_id=OTHER)
    shown = [snapshot(state, each, None, at(0)) for each in (CONSENT, OTHER)]
    assert [(each.runs_total, each.reserved_cents, each.in_flight) for each in shown] == [(3, 0, 0), (2, 48, 2)]


# Equal calls


@pytest.fixture
def eve(job: Callable[..., Any], ana: Any) -> Any:
    """A case that makes the call of `ana`."""
    return replace(job("eve", runs=1), prompt=ana.prompt, call_fingerprint=ana.call_fingerprint)


def moved(state: State) -> SlotMoved:
    (action,) = decide(state, at(0))
    assert isinstance(action, Apply)
    assert isinstance(action.event, SlotMoved)
    happen(state, action.event)
    return action.event


def test_a_call_that_one_consent_does_not_need_counts_for_another(ana: Any, eve: Any) -> None:
    """It is watched for that one then, and no other call is made. Its bill belongs to the consent that made it."""
    state = two(replace(ana, runs=1), eve)
    accept(state, ana, 7, 8)
    assert moved(state) == SlotMoved(("l1", 0), CONSENT, OTHER, eve.case_id)
    assert launched(state) is None
    watched = {run_id: (each.consent_id, each.slot.case_id, each.job.case_id) for run_id, each in state.watched.items()}
    assert watched == {7: (OTHER, eve.case_id, eve.case_id), 8: (CONSENT, ana.case_id, ana.case_id)}
    end(state, 7, 8)
    assert [each.runs_done for each in state.consents.values()] == [1, 1]
    assert decide(state, at(0)) == [Apply(JobsEnded(CONSENT))]
    assert (outcome_of(state, CONSENT).left, outcome_of(state, OTHER).left) == ({}, {})
    assert state.ledger.spent == {CONSENT: 48}


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_call_that_was_judged_is_judged_for_the_other_consent_too(
    ana: Any, bob: Any, eve: Any, has_ended: bool
) -> None:
    state = state_of(replace(ana, runs=1), bob)
    accept(state, ana, 7, 8)
    accept(state, bob, 5, 6, launch_id="l2")
    end(state, 7, 8)
    if has_ended:
        happen(state, JobsEnded(CONSENT))
    want(state, eve, consent_id=OTHER)
    event = moved(state)
    (reported,) = state.reported
    assert (reported.slot.key, reported.slot.case_id) == (event.key, eve.case_id)
    happen(state, RunJudged(reported.slot, False))
    assert (consent_of(state, OTHER).runs_done, outcome_of(state, OTHER).left) == (1, {})
    assert launched(state) is None


def test_an_open_launch_counts_for_the_other_consent_until_it_is_absent(ana: Any, eve: Any) -> None:
    state = two(replace(ana, runs=1), eve)
    lose(state, ana, runs=2)
    moved(state)
    assert launched(state) is None
    assert [state.is_searching(each) for each in (CONSENT, OTHER)] == [True, True]
    happen(state, Moved("l1", LaunchState.ABSENT))
    assert [each.wanted.left() for each in state.consents.values()] == [{ana.case_id: 1}, {eve.case_id: 1}]
    assert state.ledger.reserved_cents == 0


def test_only_an_equal_call_counts(ana: Any, bob: Any, eve: Any) -> None:
    """Another line may be another preview of the agent."""
    elsewhere = replace(eve, line=replace(eve.line, target_id=99))
    for other in (bob, elsewhere):
        state = two(replace(ana, runs=1), other)
        accept(state, ana, 7, 8)
        assert launched(state) == (OTHER, other.runs)


@pytest.mark.parametrize(("missing", "watched", "reported"), [(None, [CONSENT], 0), ((), [], 1)])
def test_calls_of_an_earlier_session_count_once(
    ana: Any, eve: Any, missing: Any, watched: list[str], reported: int
) -> None:
    """Whatever case they were made for, and for the consent that resumed them first."""
    state = state_of()
    intent = intent_of(eve, session_id="i0", consent_id="sha256:3")
    for event in (Intended(intent), Moved("l1", LaunchState.SENT)):
        state.journal.record(event)
    state.journal.record(Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,), bindings={0: 7}))
    (slot,) = state.journal.slots_of("l1")
    resumed = {CONSENT: replace(slot, case_id=ana.case_id), OTHER: slot}
    for consent_id, job in ((CONSENT, ana), (OTHER, eve)):
        happen(state, JobsAdded(ConsentedJobs(consent_id=consent_id, jobs={job.case_id: job}), (resumed[consent_id],)))
        for event in resume_slot(state, consent_id, resumed[consent_id], missing, at(0)):
            happen(state, event)
    assert [each.consent_id for each in state.watched.values()] == watched
    assert [each.slot.case_id for each in state.reported] == [ana.case_id] * reported
    assert [each.wanted.left() for each in state.consents.values()] == [{ana.case_id: 2}, {eve.case_id: 1}]


def test_two_jobs_of_one_consent_never_make_the_same_call(ana: Any, eve: Any) -> None:
    with pytest.raises(AssertionError, match="the same call"):
        state_of(ana, eve)
