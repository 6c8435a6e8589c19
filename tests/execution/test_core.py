"""The pure core, exactly: events change the state, and the state decides the actions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from planner.errors import StoreError
from planner.execution.core import Apply, Finish, Poll, WaitUntil, decide
from planner.execution.engine import Now, Order, Settings
from planner.execution.events import (
    IdleChanged,
    Imported,
    Intended,
    Moved,
    RequesterLearned,
    RunGone,
    RunsClaimed,
    Stopped,
)
from planner.execution.fold import apply
from planner.execution.journal_state import JournalState, TakenError
from planner.execution.launches import EndedRun, LaunchIntent, LaunchState, SlotIntent
from planner.execution.ledger import Ceiling, Ledger
from planner.execution.reading import Transactions
from planner.execution.state import State
from planner.providers.base import RunId

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGENT = "agent", 12
SENT = ("l1", LaunchState.SENT)


def at(seconds: float) -> Now:
    return Now(seconds, EPOCH, EPOCH, 5.0)


def state_of(job: Any, **settings: Any) -> State:
    """One call of `job` is wanted."""
    order = Order(
        jobs={job.case_id: job},
        settings=Settings(**settings),
        invocation_id="i1",
        change_set_digest="sha256:1",
        credential="key",
        ledger=Ledger(),
    )
    charges = Transactions(cast(Any, None), lambda _: None)
    state = State(order, JournalState(), charges, lambda _: None, lambda _: None)
    state.wanted.resume([])
    return state


def intent_of(job: Any, launch_id: str = "l1") -> LaunchIntent:
    slot = SlotIntent(job.case_id, job.plan, job.prompt, job.call_fingerprint, None, 24)
    return LaunchIntent(launch_id, "i1", "sha256:1", job.line, "", EPOCH, 5.0, (slot,), "key")


def happen(state: State, *events: Any, seconds: float = 0.0) -> None:
    """Events in the order in which a driver makes them durable and applies them."""
    for event in events:
        state.journal.record(event)
        apply(state, event, at(seconds))


@pytest.fixture
def lost(job: Callable[..., Any]) -> State:
    """The only launch is unconfirmed, and nothing else is to do."""
    state = state_of(job("ana"), linger_seconds=60)
    happen(state, Intended(intent_of(job("ana"))), Moved(*SENT), Moved("l1", LaunchState.AMBIGUOUS))
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
    happen(state, Intended(intent_of(ana)), Moved(*SENT))
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,), bindings={0: 7}))
    watched = state.watched[RunId(7)]
    watched.ended_at, watched.resumed = ended_at, True
    state.unbilled[AGENT] = 1
    apply(state, RunGone(RunId(7), "it is not ours", "unreadable"), at(9))
    assert state.watched == {}
    assert state.unbilled[AGENT] == unbilled
    assert state.reported == [EndedRun(watched.slot, watched.launch, True, None, "unreadable")]


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
    left = [("a", AGENT, 16, 2), ("b", AGENT, None, 1)]
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
        (Moved("l1", LaunchState.AMBIGUOUS), AssertionError),
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
