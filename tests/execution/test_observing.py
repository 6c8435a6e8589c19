"""What lists and evidence mean for launches, exactly: the events that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from core_state import EPOCH, accept, at, consent_of, ended, happen, intent_of, lines, lose, send, state_of

from planner.errors import CredentialError, ServiceError
from planner.evidence import RunStatus
from planner.execution.events import (
    DuplicateAnswer,
    EvidenceComplete,
    Imported,
    Intended,
    JobsAdded,
    Moved,
    Polled,
    RequesterLearned,
    RunEnded,
    RunGone,
    RunResumed,
    RunsBound,
    RunsClaimed,
    ServiceAnswered,
    ServiceFailed,
    Stopped,
)
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import LaunchProblem, LaunchState
from planner.execution.observing import (
    evidence_result,
    evidence_wait,
    listed,
    poll_request,
    poll_result,
    searchable,
    wanted_batches,
)
from planner.execution.reads import Listed, Lists, PollRequest, StoredEvidence, WaitPolicy
from planner.execution.reconciling import Unconfirmed, unconfirmed_launches
from planner.execution.resuming import resume_slot
from planner.execution.state import State
from planner.providers.base import BatchId, Run, RunId


@pytest.fixture
def ana(job: Callable[..., Any]) -> Any:
    return job("ana", runs=9)


@pytest.fixture
def bob(job: Callable[..., Any]) -> Any:
    return job("bob", runs=9)


@pytest.fixture
def state(ana: Any, bob: Any) -> State:
    return state_of(ana, bob, settle_seconds=600)


def shown(run_id: int, job: Any, **fields: Any) -> Run:
    """A run of a job as the lists show it."""
    line = job.line
    made: dict[str, Any] = {
        "id": run_id,
        "status": RunStatus.UNDER_WAY,
        "target_type": line.target_type,
        "target_id": line.target_id,
        "prompt": job.prompt,
        "created_at": EPOCH,
    }
    return Run(**{**made, **fields})


def events(
    state: State, *runs: Run, members: Any = None, seconds: float = 0.0, began: float | None = None, whole: bool = True
) -> list[Any]:
    """What these lists show, applied one by one."""
    found: dict[int, Any] = {run.id: run for run in runs}
    began = seconds if began is None else began
    batches: Any = Listed({}, whole=True)
    lists = Lists(began, Listed(found, whole), batches, members or {}, searchable(state))
    happened: list[Any] = []
    for event in listed(state, lists, at(seconds)):
        happen(state, event, seconds=seconds)
        happened.append(event)
    return happened


# Polls


def test_a_poll_reads_what_is_waited_for(state: State, ana: Any) -> None:
    """Only as far as to the runs under way, unless a launch is searched for or its runs are not known yet."""
    assert poll_request(state) is None
    accept(state, ana, 7, 8)
    state.polled_at, state.list_rows = 1.0, 100
    request = PollRequest(at(-5).server, frozenset({RunId(7), RunId(8)}), 120, None, [], frozenset())
    assert poll_request(state) == request
    state.polled_at = 0.0  # both were launched since
    assert poll_request(state) == replace(request, first_page=122)
    send(state, ana, "l2", sent_at=at(-90).server)
    happen(state, Moved("l2", LaunchState.ACKNOWLEDGED, batch_id=201))
    unbound = PollRequest(at(-95).server, None, 200, None, [BatchId(201)], frozenset())
    assert poll_request(state) == unbound
    lose(state, ana, "l3", sent_at=at(-40).server)
    assert poll_request(state) == replace(unbound, batches_since=at(-45).server, searched=frozenset({"l3"}))


def test_the_rows_to_the_last_run_under_way_are_counted(state: State, ana: Any) -> None:
    """For the size of the next page. They are not known after a search, which reads on."""
    accept(state, ana, 7, 8, 9)
    request = poll_request(state)
    assert request is not None
    runs: list[Run] = [shown(1, ana), shown(8, ana), shown(7, ana), ended(9), shown(2, ana)]
    lists = Lists(0, Listed({run.id: run for run in runs}, True), Listed({}, True), {}, frozenset())
    found = list(poll_result(state, request, lists, at(0)))
    assert found == [ServiceAnswered(), RunEnded(ended(9)), Polled(3)]
    assert list(poll_result(state, replace(request, wanted=None), lists, at(0)))[-1] == Polled(None)


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (ServiceError("503"), [ServiceFailed("503")]),
        (CredentialError("401", "Check it."), [Stopped(usage="401. Check it.", trouble="401. Check it.")]),
    ],
)
def test_lists_that_cannot_be_read(state: State, ana: Any, error: Any, events: Any) -> None:
    accept(state, ana, 7)
    request = poll_request(state)
    assert request is not None
    assert list(poll_result(state, request, error, at(0))) == events


# Evidence


@pytest.mark.parametrize(
    ("resumed", "stored", "wait"),
    [
        (False, None, WaitPolicy(60.0, True, 0.0)),
        (True, None, WaitPolicy(60.0, True, 40.0)),
        (True, "0" * 64, WaitPolicy(0.0, True, 40.0)),
    ],
)
def test_late_parts_are_awaited_once(job: Callable[..., Any], resumed: bool, stored: str | None, wait: Any) -> None:
    """How long ago a run ended matters only if nobody watched it."""
    ana = job("ana", await_grade=True)
    state = state_of(ana)
    accept(state, ana, 7)
    run = ended(7, completed_at=at(50).server)
    watched = state.watched[RunId(7)]
    watched.resumed, watched.slot = resumed, replace(watched.slot, evidence=stored)
    happen(state, RunEnded(run), seconds=60)
    assert evidence_wait(state, run, at(90)) == wait


def test_evidence_counts_when_it_is_stored(state: State, ana: Any) -> None:
    """That of several runs is one durable event, and only then is each complete."""
    accept(state, ana, 7, 8)
    runs = [ended(number, completed_at=at(50 + number).server) for number in (7, 8)]
    happen(state, *map(RunEnded, runs))
    read = [
        StoredEvidence(run, digest * 64, cents, is_final)
        for run, digest, cents, is_final in zip(runs, "ab", (16, None), (True, False), strict=True)
    ]
    slots = [
        replace(slot, evidence=each.digest, cost_cents=each.cost_cents, completed_at=each.run.completed_at)
        for slot, each in zip(state.journal.slots_of("l1"), read, strict=True)
    ]
    assert list(evidence_result(state, read)) == [
        evidence_stored(slots),
        EvidenceComplete(runs[0], slots[0], True),
        EvidenceComplete(runs[1], slots[1], False),
    ]


# Lists


@pytest.mark.parametrize(
    ("prompt", "target_id", "is_searchable"), [(None, 12, False), ("another", 12, True), (None, 17, True)]
)
def test_a_launch_is_not_confused_with_one_being_sent(
    state: State, ana: Any, bob: Any, prompt: str | None, target_id: int, is_searchable: bool
) -> None:
    lose(state, ana)
    send(state, replace(bob, prompt=prompt or ana.prompt, line=replace(bob.line, target_id=target_id)), "l2")
    assert searchable(state) == ({"l1"} if is_searchable else set())
    assert len(events(state, shown(7, ana))) == is_searchable


def test_a_launch_of_another_key_is_not_searched_for(state: State, ana: Any) -> None:
    state.launched_with_other = frozenset({"l1"})
    lose(state, ana)
    assert searchable(state) == frozenset()


def test_a_launch_lost_during_a_poll_is_not_confused(state: State, ana: Any) -> None:
    """The lists may show its run, not that of the launch which is searched for."""
    lose(state, ana)
    searched = searchable(state)
    lose(state, ana, "l2")
    lists = Lists(0, Listed({7: shown(7, ana)}, True), Listed({}, True), {}, searched)
    assert list(listed(state, lists, at(0))) == []


def test_batches_are_read_until_their_runs_are_known(state: State, ana: Any, bob: Any) -> None:
    for launch_id, batch_id, run_ids in (("l1", 201, ()), ("l2", None, ()), ("l3", 203, (5, 6)), ("l4", 204, (7,))):
        send(state, ana, launch_id, 1)
        state.journal._slots[launch_id] *= 2  # pyright: ignore[reportPrivateUsage]
        happen(state, Moved(launch_id, LaunchState.ACKNOWLEDGED, batch_id=batch_id, run_ids=run_ids))
    assert wanted_batches(state) == [201, 204]


MEMBERS: list[tuple[Any, Any, Any]] = [
    ([7, 8], {}, (7, 8)),
    ([7, 6], {}, (7,)),
    ([7, 8, 9], {7: {}, 8: {"bob": True}, 9: {"prompt": "q"}}, (7, 8)),
    ([7, 8, 9], {7: {}, 6: {}}, (7,)),
    ([], {7: {"batch_id": 201}, 8: {"batch_id": 201, "bob": True}, 9: {"batch_id": 202}}, (7, 8)),
    ([], {7: {}, 8: {"bob": True}, 9: {"batch_id": 202}, 6: {}}, (7, 8)),
    ([], {7: {"target_id": 17}, 8: {"bob": True, "created_at": at(700).server}}, None),
    ([], {}, None),
]


@pytest.mark.parametrize(("run_ids", "runs", "claimed"), MEMBERS)
def test_the_runs_of_a_batch(
    state: State, ana: Any, bob: Any, run_ids: Sequence[int], runs: dict[int, Any], claimed: tuple[int, ...] | None
) -> None:
    """Those it lists, or that name it; else those that fit. Of more runs than were asked for, those with the prompts.
    Run 6 is another launch's."""
    accept(state, ana, 6, launch_id="l0")
    slots = (*intent_of(ana).slots, *intent_of(bob).slots)
    happen(state, Intended(intent_of(ana, slots=slots)), Moved("l1", LaunchState.SENT))
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=201))
    listed_runs = [
        shown(run_id, bob if fields.pop("bob", False) else ana, **fields)
        for run_id, fields in ((run_id, dict(fields)) for run_id, fields in runs.items())
    ]
    found = events(state, *listed_runs, members={201: run_ids})
    claims = [event for event in found if isinstance(event, RunsClaimed)]
    assert claims == ([] if claimed is None else [RunsClaimed("l1", claimed)])
    if {*runs} >= {7, 8} and claimed == (7, 8):
        assert found[1:] == [RunsBound("l1", {0: 7, 1: 8})]


def test_no_more_runs_are_claimed_than_were_asked_for(state: State, ana: Any) -> None:
    """One is known already, and the batch shows three more with the prompt."""
    send(state, ana, "l1", 2)
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=201, run_ids=(5,)))
    shows = [shown(run_id, ana) for run_id in (5, 7, 8, 9)]
    assert events(state, *shows, members={201: [5, 7, 8, 9]}) == [
        RunsClaimed("l1", (7,)),
        RunsBound("l1", {0: 5, 1: 7}),
    ]


def test_a_run_that_an_unconfirmed_launch_may_have_made_is_no_member(state: State, ana: Any) -> None:
    lose(state, ana, "l0")
    send(state, ana, "l1")
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=201))
    assert [type(event) for event in events(state, shown(7, ana), members={201: []})] == [Moved]


def test_altered_prompts_are_reported_until_they_are_not(state: State, ana: Any, bob: Any) -> None:
    slots = (*intent_of(ana).slots, *intent_of(bob).slots)
    happen(state, Intended(intent_of(ana, slots=slots)), Moved("l1", LaunchState.SENT))
    happen(state, Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7, 8)))
    assert events(state, shown(7, ana, prompt="q"), shown(8, bob, prompt="r")) == []
    assert bob.case_id in consent_of(state).outcome.anomalies["l1"]
    assert events(state, shown(7, ana), shown(8, bob)) == [RunsBound("l1", {0: 7, 1: 8})]
    assert consent_of(state).outcome.anomalies == {}


def test_the_end_of_a_run_is_seen(state: State, ana: Any) -> None:
    """Unless its data could not be read a moment ago; and it shows our id."""
    accept(state, ana, 7)
    run = ended(7, requester_id=41)
    assert events(state, ended(7, status=RunStatus.UNDER_WAY), ended(9)) == []
    state.watched[RunId(7)].retry_at = 5.0
    assert events(state, run, seconds=4.9) == [RequesterLearned("key", 41)]
    assert events(state, run, seconds=5) == [RunEnded(run)]


@pytest.mark.parametrize(("prompt", "is_ours"), [(None, True), ("q", False)])
def test_a_run_of_a_shared_answer_is_verified(state: State, ana: Any, prompt: str | None, is_ours: bool) -> None:
    accept(state, ana, 7)
    watched = state.watched[RunId(7)]
    watched.launch = replace(watched.launch, problem=LaunchProblem.DUPLICATE_ANSWER)
    (found,) = events(state, shown(7, ana, status=RunStatus.COMPLETED, prompt=prompt or ana.prompt))
    assert isinstance(found, RunEnded if is_ours else RunGone)
    assert ("run 7" in consent_of(state).outcome.anomalies) is not is_ours


def test_an_adopted_run_does_not_show_our_id(state: State, ana: Any) -> None:
    """It may be another's."""
    lose(state, ana)
    happen(state, Moved("l1", LaunchState.ADOPTED, run_ids=(7,), bindings={0: 7}))
    assert events(state, ended(7, status=RunStatus.UNDER_WAY, requester_id=41)) == []


# Unconfirmed launches


def test_a_launch_that_arrived_is_adopted(state: State, ana: Any) -> None:
    lose(state, ana)
    assert events(state, shown(7, ana)) == [Moved("l1", LaunchState.ADOPTED, "", None, (7,), {0: 7})]


def test_several_candidates_need_a_person_once(state: State, ana: Any) -> None:
    lose(state, ana)
    for _ in range(2):
        assert events(state, shown(7, ana), shown(8, ana)) == []
        assert (state.unconfirmed["l1"].needs_person, len(lines(state))) == (True, 1)
    assert events(state, shown(7, ana), shown(8, ana, prompt="q"))[0].run_ids == (7,)


@pytest.mark.parametrize(
    ("began", "whole", "is_absent"), [(650, True, True), (649.9, True, False), (650, False, False)]
)
def test_a_launch_is_absent_after_the_settling_time(
    state: State, ana: Any, began: float, whole: bool, is_absent: bool
) -> None:
    """In whole lists of that time, however late they are read."""
    lose(state, ana)
    state.unconfirmed["l1"].since = 50.0
    found = events(state, seconds=900, began=began, whole=whole)
    assert [event.state for event in found] == [LaunchState.ABSENT] * is_absent


@pytest.mark.parametrize(
    ("adopted_at", "other_prompt", "is_absent"), [(0, False, True), (99, False, False), (99, True, True)]
)
def test_a_launch_is_not_absent_while_an_equal_one_may_have_its_run(
    state: State, ana: Any, bob: Any, adopted_at: float, other_prompt: bool, is_absent: bool
) -> None:
    """The run of the first launch was given to the second, whose own run is listed later."""
    lose(state, ana, "l1")
    lose(state, bob if other_prompt else ana, "l2", sent_at=at(adopted_at).server)
    happen(state, Moved("l2", LaunchState.ADOPTED, run_ids=(7,), bindings={0: 7}))
    assert [event.launch_id for event in events(state, seconds=650)] == ["l1"] * is_absent
    assert [event.launch_id for event in events(state, seconds=700)] == ["l1"] * (not is_absent)


@pytest.mark.parametrize(("seconds", "others", "is_adopted"), [(50, 3, False), (50, 2, True), (650, 3, True)])
def test_runs_that_a_larger_launch_may_have_made_are_not_adopted_early(
    state: State, ana: Any, seconds: float, others: int, is_adopted: bool
) -> None:
    """The batch may have a third run, which is listed later: then it is the larger launch's."""
    lose(state, ana, "l1", runs=2, sent_at=at(-60).server)
    lose(state, ana, "l2", runs=others)
    found = events(state, shown(7, ana, batch_id=201), shown(8, ana, batch_id=201), seconds=seconds)
    adopted = [event for event in found if event.state is LaunchState.ADOPTED]
    assert [event.run_ids for event in adopted] == [(7, 8)] * is_adopted


@pytest.mark.parametrize(
    ("session_id", "other_prompt", "is_adopted"), [("i0", False, True), ("i1", False, False), ("i0", True, False)]
)
def test_a_launch_of_another_session_may_have_made_the_run_of_an_equal_one(
    state: State, ana: Any, bob: Any, session_id: str, other_prompt: bool, is_adopted: bool
) -> None:
    """Another machine gave its run to the first launch, whose own run is older than the second launch."""
    lose(state, bob if other_prompt else ana, "l1", session_id="i0")
    happen(state, Moved("l1", LaunchState.ADOPTED, run_ids=(7,), bindings={0: 7}))
    lose(state, ana, "l2", sent_at=at(100).server, session_id=session_id)
    found = events(state, shown(7, ana, created_at=at(101).server), shown(8, ana), seconds=110)
    assert [event.run_ids for event in found] == [(8,)] * is_adopted


# Launches that no list shows


@pytest.mark.parametrize(
    ("answered", "free", "needs_person"),
    [
        (None, {}, True),
        (None, {"target_id": 17}, False),
        (None, {"prompt": "q"}, False),
        (None, {"prompt": None}, True),
        (None, {"prompt": None, "created_at": at(-90).server}, False),
        (None, {"prompt": None, "target_id": 17}, False),
        ({}, {"prompt": None}, False),
        ({}, {}, False),
        ({"prompt": "r"}, {"prompt": "q", "created_at": EPOCH}, True),
        ({"prompt": "r"}, {"prompt": "q", "target_id": 17}, False),
        ({"created_at": at(-86_400).server}, {"prompt": "q"}, True),
        ({"created_at": at(-86_400).server}, {}, True),
        ({"created_at": None}, {}, False),
    ],
)
def test_absence_must_be_proven(
    state: State, ana: Any, bob: Any, answered: dict[str, Any] | None, free: dict[str, Any], needs_person: bool
) -> None:
    """`free` is an unclaimed run of another time. It may be the launch's if no acknowledged launch shows that the service
    lists times and prompts as they were sent: `answered` is its run, if one is listed."""
    lose(state, ana)
    accept(state, bob, 6, launch_id="l0")
    runs = [] if answered is None else [shown(6, bob, **answered)]
    time = {"created_at": at(0).server if free.get("prompt", "") is None else at(-90).server}
    found = events(state, *runs, shown(7, ana, **{**time, **free}), seconds=700)
    assert [event.state for event in found] == [LaunchState.ABSENT] * (not needs_person)
    assert ("l1" in state.unconfirmed and state.unconfirmed["l1"].needs_person) is needs_person


def test_times_are_compared_with_the_closest_launch(state: State, ana: Any, bob: Any) -> None:
    """The service's clock may have been wrong at another time."""
    accept(state, bob, 5, launch_id="l2", sent_at=at(-5000).server)
    accept(state, bob, 6, launch_id="l3", sent_at=at(-100).server)
    lose(state, ana)
    runs = [shown(5, bob, created_at=EPOCH), shown(6, bob, created_at=at(-100).server)]
    assert [event.state for event in events(state, *runs, seconds=700)] == [LaunchState.ABSENT]


def test_a_shared_answer_is_never_proven_absent(state: State, ana: Any) -> None:
    accept(state, ana, 7)
    send(state, ana, "l2")
    happen(state, DuplicateAnswer("l2", "l1", "twice"))
    assert events(state, shown(7, ana), seconds=700) == []
    assert state.unconfirmed["l2"].needs_person


# Resuming


def resumed(state: State, slots: Any, missing: Any, seconds: float) -> list[Any]:
    """What happens when these slots are resumed, applied one by one. `missing` are the parts that are not stored."""
    happen(state, JobsAdded(consent_of(state).consented, tuple(slots)), seconds=seconds)
    found: list[Any] = []
    for slot in slots:
        stored = None if slot.evidence is None else missing
        for event in resume_slot(state, consent_of(state).consent_id, slot, stored, at(seconds)):
            happen(state, event, seconds=seconds)
            found.append(event)
    return found


def test_unconfirmed_and_unfinished_runs_are_resumed(state: State, ana: Any) -> None:
    """Launches that are unconfirmed are searched for, runs under way watched, stored evidence judged. What another key
    launched is not waited for."""
    journal = state.journal
    for launch_id, run_ids in (("l1", ()), ("l2", (7,)), ("l3", (8,)), ("l4", (9,)), ("l5", ())):
        journal.record(Intended(intent_of(ana, launch_id, session_id="i0")))
        journal.record(Moved(launch_id, LaunchState.SENT))
        known = LaunchState.UNCONFIRMED if launch_id == "l1" else LaunchState.ACKNOWLEDGED
        bindings = dict(enumerate(run_ids)) if launch_id != "l4" else {}
        journal.record(Moved(launch_id, known, run_ids=run_ids, bindings=bindings))
    state.launched_with_other = frozenset({"l3"})
    slots = [replace(slot, evidence="0" * 64 if slot.run_id == 7 else None) for slot in journal.unconsumed_slots()]
    found = resumed(state, slots, (), 100)
    assert found == [RunResumed(slots[1]), RunsBound("l4", {0: 9})]
    assert (state.unconfirmed["l1"].since, [*state.watched], [*state.unbound]) == (0, [9], ["l5"])
    assert (len(consent_of(state).outcome.anomalies), len(consent_of(state).wanted.pending)) == (1, 9 - 5 + 9)


@pytest.mark.parametrize("missing", [None, ("bill",)])
def test_missing_evidence_is_read_again(state: State, ana: Any, missing: Any) -> None:
    """If it is not in the store, or incomplete."""
    accept(state, ana, 7, session_id="i0")
    slot = replace(state.journal.slots_of("l1")[0], evidence="0" * 64)
    assert resumed(state, [slot], missing, 0) == []
    assert [*state.watched] == [7]


def test_an_imported_launch_keeps_the_claims_of_others(state: State, ana: Any) -> None:
    accept(state, ana, 7)
    launch = replace(state.launch("l1"), launch_id="l2", run_ids=(7, 8))
    (slot,) = state.journal.slots_of("l1")
    slots = (replace(slot, launch_id="l2"), replace(slot, launch_id="l2", ordinal=1, run_id=8))
    happen(state, Imported(launch, slots, "other"))
    assert state.launch("l2").run_ids == (8,)
    assert [each.run_id for each in state.journal.slots_of("l2")] == [None, 8]
    found = [state.journal.slot_of_run(run_id) for run_id in (7, 8, 9)]
    assert [each and each.key for each in found] == [("l1", 0), ("l2", 1), None]


def test_a_launch_is_searched_with_its_possible_requesters(state: State, ana: Any) -> None:
    lose(state, ana)
    happen(state, RequesterLearned("key", 41), RequesterLearned("other", 42))
    launch, slots = state.launch("l1"), state.journal.slots_of("l1")
    assert unconfirmed_launches([launch], state.journal) == [Unconfirmed(launch, slots, frozenset({41}))]
