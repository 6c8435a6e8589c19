"""What answers and lists mean for launches, exactly: the durable events that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from core_state import EPOCH, accept, at, ended, happen, intent_of, lose, send, state_of

from planner.evidence import Evidence, RunStatus
from planner.execution.core import SendLaunch
from planner.execution.events import (
    DuplicateAnswer,
    Imported,
    Intended,
    Moved,
    RequesterLearned,
    RunEnded,
    RunGone,
    RunResumed,
    RunsBound,
    RunsClaimed,
    Stopped,
)
from planner.execution.launches import LaunchProblem, LaunchState
from planner.execution.observing import (
    Lists,
    answered,
    listed,
    resume,
    searchable,
    unconfirmed,
    wanted_batches,
)
from planner.execution.observing import (
    intent_of as intended_by,
)
from planner.execution.reading import Listed
from planner.execution.reconciling import Unconfirmed, unconfirmed_launches
from planner.execution.state import State
from planner.providers.base import BatchId, Launched, Run, RunId


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


# Answers


def test_the_intent_of_a_launch(ana: Any) -> None:
    """With `mark_prompts`, each prompt has its own reference."""
    state = state_of(ana)
    intent = intended_by(state, SendLaunch(((ana, 24), (ana, 30))), "l1", at(9))
    wanted = intent_of(ana, runs=2, sent_at=at(9).server)
    slots = tuple(
        replace(slot, agent_revision="r1", reserved_cents=cents)
        for slot, cents in zip(wanted.slots, (24, 30), strict=True)
    )
    assert intent == replace(wanted, slots=slots)
    assert intended_by(state, SendLaunch(((ana, 24),)), "l1", at(9)).slots == slots[:1]
    marked = intended_by(state_of(ana, mark_prompts=True), SendLaunch(((ana, 24), (ana, 30))), "l1", at(9))
    prompts = [slot.prompt for slot in marked.slots]
    assert all(prompt.startswith(f"{ana.prompt}\n\n(") for prompt in prompts)
    assert len({*prompts}) == 2


def test_an_answer_binds_its_runs(state: State, ana: Any) -> None:
    """And shows our id at the service, once."""
    send(state, ana, "l1", 2)
    found = list(answered(state, "l1", Launched(BatchId(201), (RunId(7), RunId(8)), None, 41)))
    moved = Moved("l1", LaunchState.ACKNOWLEDGED, "", 201, (7, 8), {0: 7, 1: 8})
    assert found == [moved, RequesterLearned("key", 41)]
    happen(state, *found)
    send(state, ana, "l2")
    single = Launched(None, (RunId(9),), shown(9, ana), 41)
    assert list(answered(state, "l2", single)) == [Moved("l2", LaunchState.ACKNOWLEDGED, "", None, (9,), {0: 9})]


def test_an_answer_of_another_launch_stops_launching(state: State, ana: Any) -> None:
    warned: list[str] = []
    state.warn = warned.append
    accept(state, ana, 7)
    send(state, ana, "l2")
    duplicate, stop = answered(state, "l2", Launched(None, (RunId(7),), None))
    assert isinstance(duplicate, DuplicateAnswer)
    assert (duplicate.launch_id, duplicate.holder) == ("l2", "l1")
    assert isinstance(stop, Stopped)
    assert warned == [stop.blocked]


@pytest.mark.parametrize(("age", "slack"), [(120.0, None), (120.5, 125.5)])
def test_a_machine_that_slept_widens_the_search(state: State, ana: Any, age: float, slack: float | None) -> None:
    send(state, ana)
    assert unconfirmed(state, "l1", "lost", at(age)) == Moved(
        "l1", LaunchState.UNCONFIRMED, "lost", slack_seconds=slack
    )


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
    assert bob.case_id in state.outcome.anomalies["l1"]
    assert events(state, shown(7, ana), shown(8, bob)) == [RunsBound("l1", {0: 7, 1: 8})]
    assert state.outcome.anomalies == {}


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
    assert ("run 7" in state.outcome.anomalies) is not is_ours


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
    logged: list[str] = []
    lose(state, ana)
    state.log = logged.append
    for _ in range(2):
        assert events(state, shown(7, ana), shown(8, ana)) == []
        assert (state.unconfirmed["l1"].needs_person, len(logged)) == (True, 1)
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


def test_unconfirmed_and_unfinished_runs_are_resumed(state: State, ana: Any) -> None:
    """Launches that are unconfirmed are searched for, runs under way watched, stored evidence judged. What another key
    launched is not waited for."""
    whole = Evidence(run_id=7, run_status=RunStatus.FAILED, cost_cents=16)
    journal = state.journal
    for launch_id, run_ids in (("l1", ()), ("l2", (7,)), ("l3", (8,)), ("l4", (9,)), ("l5", ())):
        journal.record(Intended(intent_of(ana, launch_id, session_id="i0")))
        journal.record(Moved(launch_id, LaunchState.SENT))
        known = LaunchState.UNCONFIRMED if launch_id == "l1" else LaunchState.ACKNOWLEDGED
        bindings = dict(enumerate(run_ids)) if launch_id != "l4" else {}
        journal.record(Moved(launch_id, known, run_ids=run_ids, bindings=bindings))
    state.launched_with_other = frozenset({"l3"})
    slots = [replace(slot, evidence="0" * 64 if slot.run_id == 7 else None) for slot in journal.unconsumed_slots()]
    found: list[Any] = []
    for event in resume(state, slots, lambda _: whole, at(100)):
        happen(state, event, seconds=100)
        found.append(event)
    assert [type(event) for event in found] == [RunResumed, RunsBound]
    assert (found[0].ended.resumed, found[0].ended.evidence, found[1]) == (True, whole, RunsBound("l4", {0: 9}))
    assert (state.unconfirmed["l1"].since, [*state.watched], [*state.unbound]) == (0, [9], ["l5"])
    assert (len(state.outcome.anomalies), len(state.wanted.pending)) == (1, 9 - 5 + 9)


def test_missing_evidence_is_read_again(state: State, ana: Any) -> None:
    accept(state, ana, 7, session_id="i0")
    slot = replace(state.journal.slots_of("l1")[0], evidence="0" * 64)
    assert list(resume(state, [slot], lambda _: None, at(0))) == []
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
