"""The rules of the pure core, exactly: what is known decides the actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from core_state import (
    AGENT,
    CONSENT,
    PURPOSE,
    accept,
    at,
    consent_of,
    ended,
    happen,
    intent_of,
    lose,
    send,
    state_of,
    want,
)

from planner.clock import Clock
from planner.errors import StoreError
from planner.execution.core import (
    Apply,
    Finish,
    Poll,
    ReadEvidence,
    SendLaunch,
    WaitReason,
    WaitUntil,
    decide,
    outcome_of,
    snapshot,
    wait_text,
)
from planner.execution.engine import Now, Snapshot
from planner.execution.events import (
    DeferredReleased,
    IdleChanged,
    Imported,
    Intended,
    Interrupted,
    Moved,
    Paced,
    RequesterLearned,
    RunEnded,
    RunGone,
    RunsClaimed,
    Stopped,
)
from planner.execution.journal_state import JournalState, TakenError
from planner.execution.launches import LaunchProblem, LaunchState, ReportedRun
from planner.execution.ledger import Ceiling, Ledger, Purpose
from planner.execution.local import LocalEngine
from planner.execution.poll_times import NEVER, schedule_poll
from planner.execution.state import State
from planner.providers.base import RunId

SENT = ("l1", LaunchState.SENT)


@pytest.fixture
def lost(job: Callable[..., Any]) -> State:
    """The only launch is unconfirmed, and nothing else is to do."""
    state = state_of(job("ana"), linger_seconds=60)
    lose(state, job("ana"))
    assert decide(state, at(0)) == [Apply(IdleChanged(is_idle=True))]
    state.idle_since, state.poll_at = 100.0, 1000.0
    return state


@pytest.mark.parametrize(
    ("polled_at", "needs_person", "ends"),
    [(99.9, True, False), (100.0, True, True), (100.0, False, False), (159.9, False, False), (160.0, False, True)],
)
def test_a_search_ends_after_a_whole_poll_or_the_linger_time(
    lost: State, polled_at: float, needs_person: bool, ends: bool
) -> None:
    """The lists must be as of a time when only searches were left. Without hope, one poll is enough."""
    lost.polled_at, lost.unconfirmed["l1"].needs_person = polled_at, needs_person
    assert decide(lost, at(500)) == [Finish() if ends else WaitUntil(1000.0)]


def test_a_search_during_an_outage_is_trouble(lost: State) -> None:
    lost.polled_at = 160.0
    lost.outage.failed("no answer", 120.0)
    (action,) = decide(lost, at(500))
    assert isinstance(action, Apply)
    assert isinstance(action.event, Stopped)
    assert action.event.trouble.endswith("no answer")


@pytest.mark.parametrize(("seconds", "action"), [(999.9, WaitUntil(1000.0)), (1000.0, Poll())])
def test_lists_are_read_when_a_poll_is_due(lost: State, seconds: float, action: Poll | WaitUntil) -> None:
    assert decide(lost, at(seconds))[0] == action


def test_a_new_launch_ends_the_idle_time(lost: State, job: Callable[..., Any]) -> None:
    lost.posting["l2"] = intent_of(job("ana"), "l2")
    assert decide(lost, at(500)) == [Apply(IdleChanged(is_idle=False))]


@pytest.mark.parametrize(("ended_at", "unbilled"), [(None, 1), (3.0, 0)])
def test_a_run_that_nobody_waits_for_is_reported(
    job: Callable[..., Any], ended_at: float | None, unbilled: int
) -> None:
    """With what is known of it. If it had ended, its bill is not awaited any longer."""
    ana = job("ana")
    state = state_of(ana)
    accept(state, ana, 7)
    watched = state.watched[RunId(7)]
    watched.ended_at, watched.resumed = ended_at, True
    state.unbilled[AGENT] = 1
    happen(state, RunGone(RunId(7), "it is not ours", "unreadable"), seconds=9)
    assert state.watched == {}
    assert state.unbilled[AGENT] == unbilled
    assert state.reported == [ReportedRun(watched.slot, watched.launch, True, "unreadable")]


def test_a_requester_is_learned_once(job: Callable[..., Any]) -> None:
    state = state_of(job("ana"))
    (learned,) = state.requester_to_learn(41)
    assert learned == RequesterLearned("key", 41)
    happen(state, learned)
    assert (state.requesters, list(state.requester_to_learn(41)), list(state.requester_to_learn(None))) == (
        {41},
        [],
        [],
    )


def test_the_ceilings_that_would_be_enough() -> None:
    """Those asked for, of ours, whose prices are known."""
    ceilings = [
        Ceiling("plan b", 10, "b"),
        Ceiling("all", 10, committed_cents=5),
        Ceiling("balance", 10, by_service=True),
        Ceiling("plan a", 10, "a"),
    ]
    ledger = Ledger(ceilings)
    left = [(Purpose("a"), AGENT, 16, 2), (Purpose("b"), AGENT, None, 1)]
    assert ledger.enough({"all", "balance", "plan a", "plan b"}, left) == "plan a $0.32"
    assert ledger.enough({"all", "plan a"}, left[:1]) == "all $0.37 and plan a $0.32"
    assert ledger.enough({"plan b"}, left[:1]) == "plan b $0.00"
    ledger.largest_bill_cents = 17
    assert ledger.enough({"all"}, left[:1]) == "all $0.49"


def test_an_impossible_event_changes_nothing(job: Callable[..., Any]) -> None:
    """A launch is intended once, and a run belongs to one launch and one slot."""
    ana, journal = job("ana"), JournalState()
    known = Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,), bindings={0: 7})
    for event in (Intended(intent_of(ana)), Moved(*SENT), known, Intended(intent_of(ana, "l2"))):
        journal.record(event)
    journal.record(Moved("l2", LaunchState.SENT))
    before = [(journal.launch(each), journal.slots_of(each)) for each in ("l1", "l2")]
    launch, slots = before[0]
    assert launch is not None
    impossible: list[tuple[Any, type[Exception]]] = [
        (Intended(intent_of(ana)), StoreError),
        (Imported(launch, slots, ""), StoreError),
        (Moved("l1", LaunchState.UNCONFIRMED), AssertionError),
        (Moved("l2", LaunchState.ACKNOWLEDGED, run_ids=(7,)), TakenError),
        (Moved("l2", LaunchState.ACKNOWLEDGED, run_ids=(8,), bindings={1: 8}), AssertionError),
        (Moved("l2", LaunchState.ACKNOWLEDGED, bindings={0: 7}), TakenError),
        (RunsClaimed("l2", (9,)), AssertionError),
        (RunsClaimed("l3", (9,)), LookupError),
    ]
    for event, error in impossible:
        with pytest.raises(error):
            journal.record(event)
    assert [(journal.launch(each), journal.slots_of(each)) for each in ("l1", "l2")] == before


# Launching


def launched(state: State, seconds: float = 0.0) -> list[tuple[str, int]] | None:
    """The case and reservation of each call that is to be launched; None if none is."""
    action = decide(state, at(seconds))[-1]
    return [(job.case_id, cents) for job, cents in action.runs] if isinstance(action, SendLaunch) else None


def waits(state: State, seconds: float = 0.0) -> bool:
    """Whether launching waits for an event, with a reason."""
    action = decide(state, at(seconds))[-1]
    return isinstance(action, WaitUntil) and action.reason not in (None, WaitReason.CEILING)


def test_nothing_is_left_to_do(job: Callable[..., Any]) -> None:
    """Trouble ends everything, a stop only launching; runs under way are watched."""
    ana = job("ana")
    assert decide(state_of(), at(0)) == [Finish()]
    stopped = state_of(ana)
    happen(stopped, Stopped(refusal="402"))
    assert decide(stopped, at(0)) == [Finish()]
    watching = state_of(job("ana", runs=2), poll_floor_seconds=0.1)
    accept(watching, ana, 7)
    happen(watching, Stopped(refusal="402"))
    assert decide(watching, at(0)) == [WaitUntil(0.1)]
    happen(watching, Stopped(trouble="disk"))
    assert decide(watching, at(0)) == [Finish()]


def test_an_interrupted_session_waits_for_answers(job: Callable[..., Any]) -> None:
    """To sent launches, and for three seconds."""
    state = state_of(job("ana"))
    send(state, job("ana"))
    happen(state, Interrupted(), seconds=10)
    assert [decide(state, at(seconds)) for seconds in (12.9, 13.0)] == [[WaitUntil(13.0)], [Finish()]]
    happen(state, Moved("l1", LaunchState.REJECTED))
    assert decide(state, at(11)) == [Finish()]


def test_evidence_of_ended_runs_is_read_first(job: Callable[..., Any]) -> None:
    state = state_of(job("ana", runs=2))
    accept(state, job("ana"), 7)
    run = ended(7)
    happen(state, RunEnded(run), seconds=5)
    evidence, launch = decide(state, at(5))
    assert (evidence, type(launch)) == (ReadEvidence(run), SendLaunch)
    happen(state, Stopped(refusal="402"))
    assert decide(state, at(0)) == [evidence, WaitUntil(0.1)]
    assert decide(state, at(5)) == [evidence, Poll(), WaitUntil(NEVER)]


@pytest.mark.parametrize(
    ("most", "others", "room"),
    [(None, (), 8), (3, (), 3), (8, (5,), 3), (3, (3,), None), (3, (2,), 1), (9, (1,) * 3, 5), (9, (1,) * 4, None)],
)
def test_concurrency_limits_launching(
    job: Callable[..., Any], most: int | None, others: tuple[int, ...], room: int | None
) -> None:
    """`others` are launches without an answer: their runs count, and at most four are sent at once."""
    state = state_of(job("ana", runs=30), max_concurrent_runs=most)
    for number, runs in enumerate(others):
        send(state, job("ana"), f"l{number}", runs)
    assert launched(state) == (room and [("p/ana@t", 24)] * room)
    assert waits(state) is (room is None)


@pytest.mark.parametrize(("lost", "calls"), [(2, True), (3, False)])
def test_three_unconfirmed_launches_stop_launching(job: Callable[..., Any], lost: int, calls: bool) -> None:
    state = state_of(job("ana", runs=5))
    for number in range(lost):
        lose(state, job("ana"), f"l{number}")
    assert (launched(state) is not None) is calls
    assert (decide(state, at(0)) == [Apply(IdleChanged(is_idle=True))]) is not calls


def test_a_consent_without_launches_is_stopped(job: Callable[..., Any]) -> None:
    state = state_of(job("ana"))
    assert launched(state) is not None
    want(state, job("ana"), may_launch=False)
    assert consent_of(state).stopped


def test_deferred_runs_are_released_at_the_end(job: Callable[..., Any]) -> None:
    """When no verdict is to come that could make them unnecessary."""
    ana = job("ana", runs=3, may_stop_early=True)
    state = state_of(ana)
    happen(state, Paced(CONSENT, ana.case_id, 1))
    send(state, ana)
    assert (consent_of(state).wanted.deferred, decide(state, at(0))) == (2, [WaitUntil(NEVER)])
    happen(state, Moved("l1", LaunchState.UNCONFIRMED))
    assert decide(state, at(0)) == [Apply(IdleChanged(is_idle=True))]
    del state.unconfirmed["l1"]
    assert decide(state, at(0)) == [Apply(DeferredReleased(CONSENT))]


@pytest.mark.parametrize(
    ("refused_since", "pause_until", "action"),
    [
        (None, 15.0, WaitUntil(15.0)),
        (5.0, 20.0, WaitUntil(17.1)),
        (5.0, 15.0, WaitUntil(15.0)),
        (-2.0, 15.0, WaitUntil(10.1)),
        (-2.1, 15.0, "gives up"),
        (None, 22.0, WaitUntil(22.0)),
        (None, 22.1, "gives up"),
    ],
)
def test_refused_launches_wait(
    job: Callable[..., Any], refused_since: float | None, pause_until: float, action: WaitUntil | str
) -> None:
    """At second 10, for at most 12 s since the first 429. Own runs in flight, or no connection, are no reason to give
    up."""
    state = state_of(job("ana", runs=2), throttled_give_up_seconds=12.0)
    state.refused_since, state.limit.pause_until = refused_since, pause_until
    (found,) = decide(state, at(10))
    if isinstance(action, WaitUntil):
        assert isinstance(found, WaitUntil)
        assert (found.seconds, found.reason) == (pytest.approx(action.seconds), WaitReason.REFUSED)
    else:
        assert isinstance(found, Apply)
        assert isinstance(found.event, Stopped)
        assert found.event.trouble
    state.is_unreachable = True
    assert waits(state, 10)
    state.is_unreachable = False
    send(state, job("ana"))
    (found,) = decide(state, at(10))
    assert isinstance(found, WaitUntil)
    assert (found.seconds, found.reason) == (pause_until, WaitReason.ASKED_TO_WAIT)
    assert launched(state, pause_until) is not None


# Ceilings


def test_a_launch_reserves_what_every_ceiling_allows(job: Callable[..., Any]) -> None:
    """Further calls wait for bills. Without calls in flight, launching stops."""
    dear, cheap = job("dear", runs=3, reserve_cents=30, expected_seconds=90.0), job("cheap", runs=3, reserve_cents=16)
    state = state_of(dear, cheap, ceilings=(Ceiling("all", 100),))
    assert launched(state) == [(dear.case_id, 30)] * 3
    send(state, dear, "l1", 3)
    assert decide(state, at(0)) == [WaitUntil(NEVER, WaitReason.CEILING)]
    happen(state, Moved("l1", LaunchState.UNCONFIRMED))
    assert decide(state, at(0)) == [Apply(IdleChanged(is_idle=True))]
    del state.unconfirmed["l1"]
    state.ledger.bill(PURPOSE, reserved_cents=90, billed_cents=90)
    (stop,) = decide(state, at(0))
    assert isinstance(stop, Apply)
    assert isinstance(stop.event, Stopped)
    assert (stop.event.ceiling, stop.event.ceiling_enough) == ("all", "all $4.29")
    assert (
        stop.event.ceiling_detail == "all allows $1.00: $0.90 spent, $0.00 reserved; the next call may cost up to $0.16"
    )


@pytest.mark.parametrize(("own_cents", "stopped"), [(1_000, ("the balance", True)), (10, ("all", False))])
def test_only_the_service_s_balance_is_topped_up(job: Callable[..., Any], own_cents: int, stopped: Any) -> None:
    """Not where a ceiling of ours is reached, too."""
    ceilings = (Ceiling("all", own_cents), Ceiling("the balance", 10, by_service=True))
    (stop,) = decide(state_of(job("ana"), ceilings=ceilings), at(0))
    assert isinstance(stop, Apply)
    assert isinstance(stop.event, Stopped)
    assert (stop.event.ceiling, stop.event.ceiling_by_service) == stopped


def test_reservations_of_other_calls_are_a_ceiling(job: Callable[..., Any]) -> None:
    """Those of an earlier session, which no bill releases now."""
    state = state_of(job("ana"), job("bob", reserve_cents=None), ceilings=(Ceiling("all", 100),))
    state.ledger.reserve(PURPOSE, 90)
    (stop,) = decide(state, at(0))
    assert isinstance(stop, Apply)
    assert isinstance(stop.event, Stopped)
    assert stop.event.ceiling
    assert stop.event.ceiling_detail.endswith("has no known price")


@pytest.mark.parametrize(
    ("estimate", "unbilled", "billed", "calls"),
    [(24, 0, 0, True), (24, 1, 0, False), (24, 1, 9, True), (None, 1, 0, True)],
)
def test_a_target_waits_for_its_first_bill(
    job: Callable[..., Any], estimate: int | None, unbilled: int, billed: int, calls: bool
) -> None:
    """Once calls have ended: their estimates may be too low."""
    state = state_of(job("ana", reserve_cents=estimate), ceilings=(Ceiling("all", 100),))
    state.unbilled[AGENT] = unbilled
    state.ledger.highest_bills[AGENT] = billed
    assert (launched(state) is not None) is calls


# Polling


@pytest.mark.parametrize(
    ("now", "seen", "runs", "known", "seconds"),
    [
        (30, [], (1, 0), {}, 4.5),
        (30, [], (1, 0), {"since": 29.9}, 0.1),
        (30, [], (1, 0), {"since": -90.0}, 5.0),
        (30, [], (0, 0), {}, 0.1),
        # Earlier runs lasted so long: at that moment, but not more often than four times as usual.
        (20, [], (2, 0), {"expected": 22.0}, 2.0),
        (20, [], (2, 0), {"expected": 24.0}, 3.0),
        (20, [], (2, 0), {"expected": 20.1}, 0.75),
        (20, [], (2, 0), {"expected": 19.0}, 3.0),
        (30, [40.0], (0, 0), {}, 0.1),
        # Allowed waiting in all, by number of runs and pages: 0.032, 0.864, 4.608, 0.512, 1.111 and 4.444 s.
        (30, [40.0], (1, 0), {}, 10.032),
        (30, [40.0], (3, 0), {}, 10.288),
        (30, [40.0], (9, 0), {}, 10.512),
        (30, [40.0], (1, 1), {"retry_at": 49.0}, 10.512),
        (30, [40.0], (50, 1), {}, 10.0222),
        (30, [40.0], (50, 1), {"rows": 201}, 10.0889),
        (30, [40.0], (50, 1), {"ended": True}, 6.4),
        (30, [40.0], (1, 0), {"retry_at": 43.0}, 13.0),
        (30, [40.0], (9, 0), {"outage": True}, 5.0),
        (30, [40.0], (9, 0), {"lost": True}, 5.0),
        (10, [200.0], (9, 0), {}, 15.0),
        (31, [30.0], (1, 0), {}, 0.345),
        (18, [20.0, 40.0], (1, 0), {}, 2.048),
        (25, [20.0, 40.0], (1, 0), {}, 2.36),
    ],
)
def test_lists_are_read_when_runs_have_probably_ended(
    job: Callable[..., Any], now: float, seen: list[float], runs: tuple[int, int], known: dict[str, Any], seconds: float
) -> None:
    """By the lengths seen in this session. The runs were launched at 0 s."""
    running, pending = runs
    ana = job("ana", runs=running + pending, expected_seconds=known.get("expected"))
    state = state_of(ana)
    if running:
        accept(state, ana, *range(1, running + 1))
    for watched in state.watched.values():
        watched.since, watched.retry_at = known.get("since", 0.0), known.get("retry_at", 0.0)
        watched.ended_at = 5.0 if "ended" in known else None
    if "outage" in known:
        state.outage.failed("no answer", 9.0)
    if "lost" in known:
        lose(state, ana, "l2")
    state.seconds_seen, state.list_rows = seen, known.get("rows", 200)
    schedule_poll(state, now - 2, at(now))
    assert (state.polled_at, state.poll_at) == (now - 2, pytest.approx(now + seconds, abs=1e-4))


def test_the_progress_says_what_is_waited_for(job: Callable[..., Any]) -> None:
    ana = job("ana", runs=4)
    state = state_of(ana, ceilings=(Ceiling("all", 100),), settle_seconds=600.0, linger_seconds=1e9)
    accept(state, ana, 7)
    assert snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)) == Snapshot(
        0, 4, 1, 0, 24, wait_text(state, WaitReason.CONCURRENCY, at(0))
    )
    lose(state, ana, "l2", 3)
    assert snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)).waiting == ""
    consent_of(state).outcome.anomalies["l1"] = "why"
    assert snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)).waiting == ""
    state.watched.clear()
    searching = "searching for an unconfirmed launch for up to 10 min"
    assert snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)).waiting == searching
    lose(state, ana, "l3")
    assert "2 unconfirmed launches" in snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)).waiting
    state.outage.failed("no answer", 0)
    assert snapshot(state, CONSENT, WaitReason.CONCURRENCY, at(0)).waiting.endswith("no answer")


def test_the_outcome_of_a_session(job: Callable[..., Any]) -> None:
    """Launches that are unconfirmed, runs that could not be read, and what was not launched."""
    ana = job("ana", runs=5)
    state = state_of(ana, settle_seconds=600)
    accept(state, ana, 7, 8)
    state.watched[RunId(8)].pause_seconds = 1.0
    consent_of(state).outcome.unread_slots.add(("l0", 3))
    lose(state, ana, "l2", 2)
    outcome = outcome_of(state, CONSENT)
    assert (outcome.left, outcome.not_needed, outcome.unread_slots) == ({ana.case_id: 1}, {}, {("l0", 3), ("l1", 1)})
    (unsettled,) = outcome.unsettled
    assert (unsettled.launch_id, unsettled.case_ids, unsettled.reserved_cents) == ("l2", (ana.case_id,), 48)
    assert (unsettled.needs_person, unsettled.again_at) == (False, at(600).server)
    for needs_person, problem in ((True, None), (False, LaunchProblem.DUPLICATE_ANSWER)):
        search = state.unconfirmed["l2"]
        launch = replace(search.unconfirmed.launch, problem=problem)
        search.unconfirmed, search.needs_person = replace(search.unconfirmed, launch=launch), needs_person
        assert outcome_of(state, CONSENT).unsettled[0].needs_person


@pytest.mark.parametrize(("known", "slack"), [(True, 6.0), (False, 3601.0)])
def test_launches_are_dated_by_the_clock_of_the_service(known: bool, slack: float) -> None:
    """Answers have whole seconds and arrive late; without any, the time is uncertain by an hour."""
    provider = SimpleNamespace(clock_offset_seconds=3.0, clock_known=known, clock_uncertainty_seconds=1.0)
    unused: Any = None
    clock = Clock(lambda: at(9).server, lambda: 7.0, unused)
    engine = LocalEngine(cast(Any, provider), unused, unused, unused, unused, clock, unused)
    now = engine.now()
    assert now == Now(7.0, at(12).server, slack)
    assert [now.seconds_since(at(seconds).server) for seconds in (2, 13)] == [10.0, 0.0]
