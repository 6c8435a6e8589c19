"""What each event changes in the state of a session, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_state import (
    AGENT,
    CONSENT,
    EPOCH,
    PURPOSE,
    accept,
    at,
    consent_of,
    ended,
    happen,
    intent_of,
    launched_before,
    lines,
    lose,
    send,
    state_of,
)

from planner.evidence import RunStatus
from planner.execution.core import outcome_of
from planner.execution.events import (
    BillLate,
    DeferredReleased,
    DuplicateAnswer,
    EvidenceComplete,
    EvidenceFailed,
    IdleChanged,
    Intended,
    Interrupted,
    Moved,
    NotSent,
    Paced,
    Polled,
    RunEnded,
    RunGone,
    RunJudged,
    RunResumed,
    RunsBound,
    ServiceAnswered,
    ServiceFailed,
    Stopped,
    Throttled,
    Unreachable,
)
from planner.execution.launches import LaunchState, ReportedRun
from planner.execution.ledger import Ceiling
from planner.execution.state import LAST_LOOK_SECONDS, CountsFor, State
from planner.providers.base import CallId, RunId


@pytest.fixture
def ana(job: Callable[..., Any]) -> Any:
    return job("ana", runs=9, retries=1)


@pytest.fixture
def state(ana: Any) -> State:
    return state_of(ana, ceilings=(Ceiling("all", 1000),), outage_give_up_seconds=300.0)


def wanted(state: State) -> tuple[int, int]:
    """Runs that may be launched, and reserved cents."""
    return len(consent_of(state).wanted.pending), state.ledger.reserved_cents


# Launches


@pytest.mark.parametrize("end", [LaunchState.REFUSED, LaunchState.UNSENT, LaunchState.REJECTED, LaunchState.ABSENT])
def test_a_launch_that_never_happened_releases_its_reservations(state: State, ana: Any, end: LaunchState) -> None:
    """Its runs are wanted again."""
    happen(state, Intended(intent_of(ana, runs=2)))
    assert wanted(state) == (7, 48)
    if end is not LaunchState.UNSENT:
        happen(state, Moved("l1", LaunchState.SENT))
    if end is LaunchState.ABSENT:
        happen(state, Moved("l1", LaunchState.UNCONFIRMED))
        assert (wanted(state), state.posting) == ((7, 48), {})
    happen(state, Moved("l1", end))
    assert (wanted(state), state.posting, state.unconfirmed, consent_of(state).outcome.launches) == ((9, 0), {}, {}, 0)


def test_reservations_of_earlier_consents_are_not_released(state: State, ana: Any) -> None:
    """They are not in this ledger, but their runs are wanted again."""
    launched_before(state, ana, Moved("l1", LaunchState.UNCONFIRMED), consent_id="sha256:2", runs=2)
    state.ledger.reserve(PURPOSE, 48)
    assert (wanted(state), [*state.unconfirmed]) == ((7, 48), ["l1"])
    happen(state, Moved("l1", LaunchState.ABSENT))
    assert (wanted(state), state.unconfirmed) == ((9, 48), {})


def test_an_accepted_launch_is_watched(state: State, ana: Any) -> None:
    """Each run that is bound, and the launch while others are not. A later run of a staggered launch has more time."""
    state.refused_since = 1.0
    line = replace(ana.line, stagger_seconds=5)
    send(state, ana, "l1", 3, line=line)
    known = Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=201, run_ids=(7, 8), bindings={0: 7, 1: 8})
    happen(state, known, seconds=10)
    assert [(each.since, each.deadline, each.resumed) for each in state.watched.values()] == [
        (10, 610, False),
        (10, 615, False),
    ]
    unbound = state.unbound["l1"]
    assert (unbound.slots, unbound.since, unbound.deadline) == (1, 10, 610)
    assert (state.in_flight(), consent_of(state).outcome.launches, state.refused_since, state.limit.current) == (
        3,
        1,
        None,
        8,
    )
    assert (state.poll_at, state.batches) == (10.1, {201: "l1"})
    happen(state, RunsBound("l1", {2: 9}), seconds=20)
    assert ([*state.watched], state.unbound, state.poll_at) == ([7, 8, 9], {}, 10.1)


def test_a_later_look_does_not_extend_the_time_of_a_launch(state: State, ana: Any) -> None:
    send(state, ana, "l1", 2)
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,)), seconds=10)
    assert state.poll_at == 10.1
    happen(state, RunsBound("l1", {0: 7}), seconds=99)
    assert (state.unbound["l1"].since, state.unbound["l1"].deadline) == (10, 610)


def test_the_same_batch_of_two_launches_is_reported_once(state: State, ana: Any) -> None:
    for number, batch_id in enumerate((201, None, None, 201)):
        send(state, ana, f"l{number}")
        known = Moved(f"l{number}", LaunchState.ACKNOWLEDGED, batch_id=batch_id, run_ids=(number + 1,))
        happen(state, known)
    assert ["l0" in text and "l3" in text for text in lines(state, warnings=True)] == [True]


def test_an_accepted_launch_raises_the_limit(state: State, ana: Any) -> None:
    accept(state, ana, *range(1, 8))
    assert state.limit.current == 14


@pytest.mark.parametrize(("slack", "since"), [(None, 0.0), (9.0, 30.0)])
def test_an_unconfirmed_launch_is_searched_from_its_sending(
    state: State, ana: Any, slack: float | None, since: float
) -> None:
    """Or from now on, if it may have been sent only now."""
    send(state, ana)
    happen(state, Moved("l1", LaunchState.UNCONFIRMED, slack_seconds=slack), seconds=30)
    search = state.unconfirmed["l1"]
    assert (search.since, search.needs_person, search.other_key, state.poll_at) == (since, False, False, 30.1)
    assert search.unconfirmed.launch.slack_seconds == (slack or 5.0)
    happen(state, Moved("l1", LaunchState.ADOPTED, run_ids=(7,), bindings={0: 7}), seconds=40)
    assert (state.unconfirmed, [*state.watched], consent_of(state).outcome.launches) == ({}, [7], 1)


def test_a_launch_of_another_key_needs_a_person(state: State, ana: Any) -> None:
    state.launched_with_other = frozenset({"l1"})
    lose(state, ana)
    lose(state, ana, "l2")
    assert [(each.needs_person, each.other_key) for each in state.unconfirmed.values()] == [
        (True, True),
        (False, False),
    ]
    assert [bool(each.unconfirmed.launch.detail) for each in state.unconfirmed.values()] == [True, False]


def test_a_duplicate_answer_puts_both_launches_in_doubt(state: State, ana: Any) -> None:
    """Runs of the holder are verified from now on; the second launch is searched for."""
    accept(state, ana, 7, launch_id="l1")
    accept(state, ana, 8, launch_id="l2")
    send(state, ana, "l3")
    happen(state, DuplicateAnswer("l3", "l1", "twice"))
    assert [each.launch.problem is not None for each in state.watched.values()] == [True, False]
    assert (state.posting, [*state.unconfirmed]) == ({}, ["l3"])


def test_a_launch_that_could_not_be_recorded_stops_launching(state: State, ana: Any) -> None:
    send(state, ana)
    happen(state, NotSent("l1"))
    assert (consent_of(state).stopped, wanted(state)) == (True, (9, 0))


# The service


def test_the_first_refusal_without_own_runs_is_kept(state: State, ana: Any) -> None:
    """Runs in launches sent at the same time are others."""
    state.is_unreachable = True
    send(state, ana, "l1", 2)
    send(state, ana, "l2", 3)
    happen(state, Throttled(2, None), seconds=5)
    assert (state.is_unreachable, state.refused_since, state.limit.too_many, state.limit.pause_until) == (
        False,
        5,
        5,
        5,
    )
    happen(state, Throttled(3, 9.0), seconds=7)
    assert (state.refused_since, state.limit.too_many, state.limit.pause_until) == (5, 5, 16)
    accept(state, ana, 7, launch_id="l3")
    state.refused_since = 5.0
    happen(state, Throttled(2, None))
    assert (state.refused_since, state.limit.too_many) == (None, 6)


def test_an_outage_ends_the_session_when_it_persists(state: State) -> None:
    """While the process is suspended, it is not counted."""
    happen(state, ServiceAnswered(), seconds=1)
    happen(state, Unreachable("no route"), seconds=10)
    assert (state.is_unreachable, state.limit.pause_until, state.outage.since, len(lines(state))) == (True, 11, 10, 1)
    happen(state, ServiceFailed("503"), seconds=9_000)
    assert (state.outage.message, state.outage.gone_seconds(9_010), consent_of(state).outcome.trouble) == (
        "503",
        9_000,
        "",
    )
    happen(state, ServiceFailed("503"), seconds=9_049.9)
    assert (consent_of(state).outcome.trouble, consent_of(state).stopped) == ("", False)
    happen(state, ServiceAnswered(), seconds=9_049.9)
    assert (state.outage.since, state.outage.gone_seconds(9_060), len(lines(state))) == (None, 0, 2)
    for seconds in (0, 100, 200, 299.9):
        happen(state, ServiceFailed("503"), seconds=10_000 + seconds)
    assert consent_of(state).outcome.trouble == ""
    happen(state, ServiceFailed("503"), seconds=10_300)
    assert (bool(consent_of(state).outcome.trouble), consent_of(state).stopped) == (True, True)
    assert outcome_of(state, CONSENT).finished is False


def test_reasons_to_stop_are_collected(state: State) -> None:
    happen(state, Stopped(ceiling="all", ceiling_detail="why"), Stopped(fail_fast=True), Stopped(blocked="no store"))
    outcome = consent_of(state).outcome
    assert (consent_of(state).stopped, outcome.ceiling, outcome.ceiling_detail) == (True, "all", "why")
    assert (outcome.fail_fast, outcome.blocked) == (True, "no store")
    happen(state, IdleChanged(is_idle=True), Interrupted(), seconds=9)
    assert (state.idle_since, state.interrupted_at, outcome.interrupted) == (9, 9, True)
    happen(state, IdleChanged(is_idle=False))
    assert state.idle_since is None


def test_deferred_runs_are_released(job: Callable[..., Any]) -> None:
    state = state_of(job("ana", runs=3, may_stop_early=True))
    happen(state, Paced(CONSENT, "p/ana@t", 1))
    assert wanted(state) == (1, 0)
    happen(state, DeferredReleased(CONSENT))
    assert wanted(state) == (3, 0)


def test_overdue_runs_are_given_up(state: State, ana: Any) -> None:
    """At their deadline, unless they have ended: runs under way, and runs that are not listed."""
    accept(state, ana, 7, 8)
    state.watched[RunId(8)].ended_at = 1.0
    for launch_id in ("l2", "l3"):
        send(state, ana, launch_id, 2)
        happen(state, Moved(launch_id, LaunchState.ACKNOWLEDGED))
    consent_of(state).outcome.anomalies["l3"] = "known"
    happen(state, Polled(150), seconds=599.9)
    assert ([*state.watched], [*state.unbound], state.list_rows) == ([7, 8], ["l2", "l3"], 150)
    happen(state, Polled(None), seconds=600)
    assert ([*state.watched], state.unbound, state.list_rows, consent_of(state).outcome.overdue) == ([8], {}, 150, 4)
    assert [each.slot.run_id for each in state.reported] == [7]
    assert (sorted(consent_of(state).outcome.anomalies), consent_of(state).outcome.anomalies["l3"]) == (
        ["l2", "l3"],
        "known",
    )


@pytest.mark.parametrize(("sent_ago", "left"), [(100, 500), (595, LAST_LOOK_SECONDS)])
def test_a_resumed_run_has_the_rest_of_its_time(state: State, ana: Any, sent_ago: int, left: float) -> None:
    accept(state, ana, 7, launch_id="l1", session_id="i0")
    assert state.watched == {}
    state.counts_for["l1", 0] = CountsFor(CONSENT, ana.case_id)
    happen(state, RunsBound("l1", {0: 7}), seconds=sent_ago)
    watched = state.watched[RunId(7)]
    assert (watched.resumed, watched.deadline) == (True, sent_ago + left)


# Runs


@pytest.mark.parametrize(
    ("fields", "resumed", "evidence", "seconds", "seen", "is_read"),
    [
        ({}, False, None, 40, [40], True),
        ({"created_at": EPOCH, "completed_at": EPOCH + timedelta(seconds=26)}, False, None, 40, [26], True),
        ({"created_at": EPOCH, "completed_at": EPOCH + timedelta(seconds=99)}, False, None, 40, [40], True),
        ({"created_at": EPOCH, "completed_at": EPOCH}, False, None, 40, [40], True),
        ({"completed_at": EPOCH + timedelta(seconds=26)}, False, None, 40, [40], True),
        ({}, True, None, 40, [], True),
        ({"status": RunStatus.FAILED, "call_id": None}, False, None, 40, [], True),
        ({"call_id": None}, False, None, 40, [40], False),
        ({"call_id": None}, False, "0" * 64, 40, [40], True),
    ],
)
def test_an_ended_run_is_read(
    state: State,
    ana: Any,
    fields: dict[str, Any],
    resumed: bool,
    evidence: str | None,
    seconds: int,
    seen: Any,
    is_read: bool,
) -> None:
    """If its call is known, or none is to come. Durations are learned from completed runs of this session, by the service's times if
    they are possible."""
    accept(state, ana, 7, seconds=10)
    watched = state.watched[RunId(7)]
    watched.resumed, watched.slot = resumed, replace(watched.slot, evidence=evidence)
    happen(state, RunEnded(ended(7, **fields)), seconds=seconds)
    assert (watched.ended_at, state.unbilled[AGENT], state.seconds_seen) == (seconds, 1, seen)
    assert (7 in state.reading, 7 in state.watched) == (is_read, not is_read)
    assert state.charges.is_awaited(CallId(1007)) is state.charges.is_due(seconds) is ("call_id" not in fields)
    if not is_read:
        happen(state, RunEnded(ended(7, **fields)), seconds=seconds + 59.9)
        assert (watched.ended_at, state.unbilled[AGENT], 7 in state.reading) == (seconds, 1, False)
        happen(state, RunEnded(ended(7, **fields)), seconds=seconds + 60)
        assert 7 in state.reading


def test_the_latest_hundred_durations_are_kept(state: State, ana: Any) -> None:
    state.seconds_seen = [float(number) for number in range(100)]
    accept(state, ana, 7)
    happen(state, RunEnded(ended(7)), seconds=500)
    assert state.seconds_seen == [*map(float, range(1, 100)), 500]


@pytest.mark.parametrize("completed", [None, at(30).server])
def test_transactions_are_read_back_to_the_end_of_the_call(state: State, ana: Any, completed: Any) -> None:
    accept(state, ana, 7)
    happen(state, RunEnded(ended(7, completed_at=completed)), seconds=40)
    began = state.charges._awaited[CallId(1007)]  # pyright: ignore[reportPrivateUsage]
    assert began == at((-5 if completed is None else 30) - 300).server


BILLS = [
    (24, "sha256:1", 16, None, True, (16, 0), {AGENT: 16}),
    (24, "sha256:1", 30, None, True, (30, 0), {AGENT: 30}),
    (24, "sha256:1", 16, None, False, (24, 0), {AGENT: 16}),
    (24, "sha256:1", 30, None, False, (30, 0), {AGENT: 30}),
    (None, "sha256:1", 16, None, False, (16, 0), {AGENT: 16}),
    (24, "sha256:2", 16, None, True, (0, 0), {AGENT: 16}),
    (24, "sha256:1", None, None, True, (0, 24), {}),
    (24, "sha256:1", 16, 16, True, (0, 24), {}),
    (None, "sha256:1", None, None, True, (0, 20), {}),
    (None, "sha256:2", None, None, True, (0, 0), {}),
]


@pytest.mark.parametrize(("reserve", "digest", "billed", "known", "is_final", "sums", "highest"), BILLS)
def test_a_bill_settles_its_reservation(
    job: Callable[..., Any],
    reserve: int | None,
    digest: str,
    billed: int | None,
    known: int | None,
    is_final: bool,
    sums: tuple[int, int],
    highest: Any,
) -> None:
    """`sums` are spent and reserved. What may still be charged counts as the higher of bill and reservation. Only calls
    of this change set are reserved here, and a bill counts once. Without a bill, the service's estimate replaces the
    reservation of a call of unknown price."""
    ana = job("ana", reserve_cents=reserve)
    state = state_of(ana)
    if digest == CONSENT:
        accept(state, ana, 7)
    else:
        known_run = Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,), bindings={0: 7})
        launched_before(state, ana, known_run, consent_id=digest)
        state.watch_bound(state.launch("l1"), {0: 7}, at(0))
    watched = state.watched[RunId(7)]
    watched.slot = replace(watched.slot, cost_cents=known)
    run = ended(7, estimated_cents=20)
    happen(state, RunEnded(run))
    slot = replace(watched.slot, evidence="0" * 64, cost_cents=billed)
    happen(state, EvidenceComplete(run, slot, is_final))
    assert (state.ledger.spent_cents, state.ledger.reserved_cents) == sums
    assert (state.ledger.highest_bills, state.unbilled[AGENT], state.reading) == (highest, 0, {})
    assert state.reported == [ReportedRun(slot, watched.launch, digest != CONSENT)]


@pytest.mark.parametrize(("reserve", "estimate", "reserved"), [(None, 20, 20), (None, None, 0), (24, 20, 24)])
def test_a_late_bill_is_estimated_once(
    job: Callable[..., Any], reserve: int | None, estimate: int | None, reserved: int
) -> None:
    """If the price of the call is unknown: its reservation is everything that is left."""
    ana = job("ana", reserve_cents=reserve)
    state = state_of(ana)
    accept(state, ana, 7)
    run = ended(7, estimated_cents=estimate)
    happen(state, RunEnded(run), BillLate(RunId(7)), BillLate(RunId(7)))
    assert state.ledger.reserved_cents == reserved
    slot = state.reading[RunId(7)][1].slot
    happen(state, EvidenceComplete(run, replace(slot, cost_cents=16), is_final=True))
    assert (state.ledger.spent_cents, state.ledger.reserved_cents) == (16, 0)


def test_an_unreadable_run_is_tried_again(state: State, ana: Any) -> None:
    """After growing pauses, until two minutes after its end."""
    accept(state, ana, 7)
    pauses: list[float] = []
    seconds = 10.0
    while seconds < 129.9:
        happen(state, RunEnded(ended(7)), EvidenceFailed(RunId(7), "500"), seconds=seconds)
        watched = state.watched[RunId(7)]
        pauses.append(watched.pause_seconds)
        assert (watched.retry_at, state.reading, state.poll_at) == (seconds + pauses[-1], {}, max(seconds + 0.1, 10.1))
        seconds = 129.9 if seconds == 60 else seconds + 10
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
    for _ in range(2):
        happen(state, RunEnded(ended(7)), EvidenceFailed(RunId(7), "500"), seconds=129.9)
    assert (state.watched[RunId(7)].pause_seconds, state.reported) == (15.0, [])
    happen(state, RunEnded(ended(7)), EvidenceFailed(RunId(7), "500"), seconds=130)
    assert (state.watched, state.unbilled[AGENT]) == ({}, 0)
    assert [each.unread for each in state.reported] == ["500"]


def test_verdicts_are_counted(state: State, ana: Any) -> None:
    """A run without evidence is overdue, and one that the platform failed is retried until launching stops."""
    accept(state, ana, 7, 8, 9, 10)
    slots = state.journal.slots_of("l1")
    happen(state, RunJudged(slots[0], True), RunJudged(slots[1], False))
    assert (consent_of(state).runs_done, consent_of(state).outcome.overdue, wanted(state)) == (2, 0, (6, 96))
    happen(
        state, RunJudged(slots[2], False, is_missing=True), RunJudged(slots[2], False, is_missing=True, unread="500")
    )
    assert (
        consent_of(state).outcome.overdue,
        consent_of(state).outcome.unread,
        consent_of(state).outcome.unread_slots,
    ) == (2, ["500"], {("l1", 2)})
    happen(state, Stopped(refusal="402"), RunJudged(slots[3], True))
    assert (consent_of(state).runs_done, consent_of(state).wanted.total) == (5, 10)


def test_an_anomaly_is_reported_once(state: State, ana: Any) -> None:
    accept(state, ana, 7)
    for message in ("a", "a", "b"):
        state.report_anomaly(state.launch("l1"), "l1", message)
    assert (lines(state, warnings=True), consent_of(state).outcome.anomalies) == (["a", "b"], {"l1": "b"})


def test_what_happens_is_logged(state: State, ana: Any) -> None:
    """One line for each end, failure, retry and stop."""
    accept(state, ana, 7, 8)
    run = ended(7)
    slots = state.journal.slots_of("l1")
    happen(state, RunEnded(run), EvidenceFailed(RunId(7), "500"), RunEnded(run))
    happen(state, EvidenceComplete(run, replace(slots[0], cost_cents=16), is_final=True))
    happen(state, RunGone(RunId(8), "gone"), RunJudged(slots[0], True), RunJudged(slots[1], False))
    happen(state, Stopped(usage="401"), Stopped(ceiling="all", ceiling_detail="detail"))
    said = ["500", "$0.16", "gone", ana.case_id, "detail"]
    assert [text in line for text, line in zip(said, lines(state), strict=True)] == [True] * 5


def test_a_resumed_run_is_judged(state: State, ana: Any) -> None:
    accept(state, ana, 7)
    (slot,) = state.journal.slots_of("l1")
    happen(state, RunResumed(slot))
    assert state.reported == [ReportedRun(slot, state.launch("l1"), resumed=True)]
