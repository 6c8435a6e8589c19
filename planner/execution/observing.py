"""What the service's answers and lists mean for launches: the durable events that follow from them. No I/O.

Each function yields one event at a time; the caller records and applies it before it asks for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from planner.evidence import Evidence, missing_parts
from planner.execution.absent_launches import adopted_since, possibly_sent
from planner.execution.core import SendLaunch
from planner.execution.engine import Now
from planner.execution.events import (
    DuplicateAnswer,
    Event,
    Moved,
    RunEnded,
    RunGone,
    RunResumed,
    RunsBound,
    RunsClaimed,
    Stopped,
)
from planner.execution.journal_state import TakenError
from planner.execution.launches import (
    OTHER_KEY,
    UNSETTLED,
    Launch,
    LaunchIntent,
    LaunchProblem,
    LaunchState,
    Slot,
    SlotIntent,
)
from planner.execution.reading import Listed
from planner.execution.reconciling import (
    NAME_PREFIX,
    Candidate,
    Match,
    Unconfirmed,
    asks_the_same,
    bind_slots,
    marked,
    prompt_key,
    run_fits,
    search_launches,
    unconfirmed_launches,
    with_times_of_equals,
)
from planner.execution.state import EndedRun, Search, State, Unbound
from planner.providers.base import Batch, BatchId, Launched, Run, RunId

LATEST_LEAVE_SECONDS: Final = 60.0
"""A launch that has not left this long after its intent is replaced by a new one."""
LONGEST_SENDING_SECONDS: Final = 120.0
"""If a launch takes longer than this from intent to answer, assume that the machine slept."""
NAMED_RUNS: Final = 5


@dataclass(slots=True)
class Lists:
    """What one poll read. `began` is in monotonic seconds; `searched` are the ids of unconfirmed launches that could be
    searched for when it began; `members` are the runs of those batches that the service shows."""

    began: float
    runs: Listed[Run]
    batches: Listed[Batch]
    members: Mapping[BatchId, Sequence[RunId]]
    searched: frozenset[str]


def intent_of(state: State, action: SendLaunch, launch_id: str, now: Now) -> LaunchIntent:
    """The launch that the action asks for."""
    return LaunchIntent(
        launch_id=launch_id,
        session_id=state.consented.session_id,
        consent_id=state.consented.consent_id,
        line=action.runs[0][0].line,
        name=f"{NAME_PREFIX}{launch_id}",
        sent_at=now.server,
        slack_seconds=now.slack_seconds,
        slots=tuple(
            SlotIntent(
                job.case_id,
                job.plan,
                marked(job.prompt, launch_id, ordinal) if state.settings.mark_prompts else job.prompt,
                job.call_fingerprint,
                job.agent_revision,
                cents,
                job.configuration,
            )
            for ordinal, (job, cents) in enumerate(action.runs)
        ),
        credential=state.consented.credential,
    )


def leave_within_seconds(state: State, *, is_shared: bool) -> float:
    """How long after its intent a launch may leave. Other machines search for a shared one from its intent on, for
    `settle_seconds`: they would miss one that leaves late, and make its calls again."""
    return min(LATEST_LEAVE_SECONDS, state.settings.settle_seconds / 2) if is_shared else LATEST_LEAVE_SECONDS


def is_late(state: State, intent: LaunchIntent, now: Now, *, is_shared: bool) -> bool:
    """Whether a launch must not leave any more. To be asked before it is recorded as sent, and again after, right
    before its first byte: the process may have been stopped in between, or the record may have taken long."""
    return now.seconds_since(intent.sent_at) > leave_within_seconds(state, is_shared=is_shared)


# Answers to launches


def answered(state: State, launch_id: str, launched: Launched) -> Iterator[Event | Stopped]:
    """The service accepted a launch."""
    runs: dict[int, Run] = {launched.run.id: launched.run} if launched.run else {}
    slots = state.journal.slots_of(launch_id)
    accepted = Moved(
        launch_id,
        LaunchState.ACKNOWLEDGED,
        batch_id=launched.batch_id,
        run_ids=tuple(launched.run_ids),
        bindings=bind_slots(slots, runs, launched.run_ids),
    )
    try:
        state.journal.validate(accepted)
    except TakenError as error:  # the service gave two launches the same answer
        yield DuplicateAnswer(launch_id, error.holder, f"the service answered two launches with {error}")
        blocked = (
            f"the service answered launch {launch_id} with {error}: launching stopped, and neither launch is repeated."
            " Settle it with `planner reconcile`: another --store would not know it, and its calls would be charged"
            " again"
        )
        state.warn(blocked)
        yield Stopped(blocked=blocked)
        return
    yield accepted
    yield from state.requester_to_learn(launched.requester_id)


def unconfirmed(state: State, launch_id: str, detail: str, now: Now) -> Moved:
    """A launch was sent, and no answer was received."""
    launch = state.launch(launch_id)
    age_seconds = now.seconds_since(launch.sent_at)
    # Otherwise the machine slept while sending, and it may have been sent only now.
    slack_seconds = None if age_seconds <= LONGEST_SENDING_SECONDS else launch.slack_seconds + age_seconds
    return Moved(launch_id, LaunchState.UNCONFIRMED, detail, slack_seconds=slack_seconds)


# The lists


def searchable(state: State) -> frozenset[str]:
    """Ids of launches that can be searched for now: made with this API key, and not to be confused with one being
    sent."""
    return frozenset(
        launch_id
        for launch_id, search in state.unconfirmed.items()
        if not search.other_key and not _may_be_confused(state, search, ())
    )


def wanted_batches(state: State) -> list[BatchId]:
    """Batches whose runs are not known yet."""
    return [
        BatchId(launch.batch_id)
        for unbound in state.unbound.values()
        if (launch := state.launch(unbound.launch.launch_id)).batch_id is not None
        and len(launch.run_ids) < len(state.journal.slots_of(launch.launch_id))
    ]


def listed(state: State, lists: Lists, now: Now) -> Iterator[Event | RunEnded | RunGone]:
    """What the lists show: runs of launches, the ends of runs, and unconfirmed launches that arrived or never did."""
    for unbound in list(state.unbound.values()):
        yield from _bound(state, unbound, lists)
    for run_id in [run_id for run_id in state.watched if run_id in lists.runs.found]:
        yield from _seen(state, lists.runs.found[run_id], now)
    yield from settled(state, lists, now)


def _bound(state: State, unbound: Unbound, lists: Lists) -> Iterator[Event]:
    """Bind what the lists allow; the rest is retried later. Runs with an unexpected prompt are reported immediately and
    never guessed."""
    runs, launch_id = lists.runs.found, unbound.launch.launch_id
    launch, slots = state.launch(launch_id), state.journal.slots_of(launch_id)
    if launch.batch_id in lists.members:
        found = _members(state, launch, slots, lists)[: len(slots) - len(launch.run_ids)]
        if found:
            yield RunsClaimed(launch_id, tuple(found))
    launch = state.launch(launch_id)
    bindings = bind_slots(slots, runs, launch.run_ids)
    if bindings:
        yield RunsBound(launch_id, bindings)
    _report_altered(state, launch, runs)


def _members(state: State, launch: Launch, slots: Sequence[Slot], lists: Lists) -> list[int]:
    """Runs of the launch's batch that belong to no other launch."""
    assert launch.batch_id is not None
    runs, claimed = lists.runs.found, state.journal.claimed_run_ids()
    listed_ids: Sequence[int] = lists.members[BatchId(launch.batch_id)]
    if not listed_ids:
        listed_ids = [run.id for run in runs.values() if run.batch_id == launch.batch_id]
    free = [run_id for run_id in listed_ids if run_id not in claimed]
    if not listed_ids:  # the batch lists no runs and the runs name no batch: match by prompt and time
        fitting: dict[int, Run] = {
            run.id: run
            for run in runs.values()
            if run.id not in claimed
            and run.batch_id is None
            and run_fits(Unconfirmed(launch, tuple(slots)), run)
            and not any(run_fits(search.unconfirmed, run) for search in state.unconfirmed.values())
        }
        return list(bind_slots(slots, fitting, sorted(fitting)).values())
    if len(listed_ids) > len(slots):  # the batch holds runs of other launches: take those with matching prompts
        asked = {prompt_key(slot.prompt) for slot in slots}
        shown: dict[int, Run] = {
            run_id: runs[run_id] for run_id in free if run_id in runs and prompt_key(runs[run_id].prompt) in asked
        }
        return list(bind_slots(slots, shown, sorted(shown)).values())
    return list(free)


def _report_altered(state: State, launch: Launch, runs: Mapping[int, Run]) -> None:
    slots = state.journal.slots_of(launch.launch_id)
    bound = {slot.run_id for slot in slots}
    altered = [run_id for run_id in launch.run_ids if run_id in runs and run_id not in bound]
    if not altered:
        state.outcome.anomalies.pop(launch.launch_id, None)
        return
    named = ", ".join(map(str, altered[:NAMED_RUNS])) + (", …" if len(altered) > NAMED_RUNS else "")
    which = f"run {named}" if len(altered) == 1 else f"runs {named}"
    shows_prompt = any(runs[run_id].prompt for run_id in altered)
    how = "with a different prompt than was sent" if shows_prompt else "without the prompt that was sent"
    cases = ", ".join(dict.fromkeys(slot.case_id for slot in slots if slot.run_id is None))
    state.report_anomaly(
        launch.launch_id,
        f"the service shows {which} {how}. Their case is unknown, so they count"
        f" for no case ({cases}). They are charged and will not be repeated.",
    )


def _seen(state: State, run: Run, now: Now) -> Iterator[Event | RunEnded | RunGone]:
    watched = state.watched[run.id]
    watched.problem = run.problem
    if watched.launch.state is LaunchState.ACKNOWLEDGED:
        yield from state.requester_to_learn(run.requester_id)
    if not run.ended or now.seconds < watched.retry_at:
        return
    launch, slot = watched.launch, watched.slot
    is_shared = launch.problem is LaunchProblem.DUPLICATE_ANSWER
    if is_shared and not asks_the_same(Unconfirmed(launch, (slot,)), run):
        state.report_anomaly(
            f"run {run.id}",
            f"run {run.id}, which the service returned for launch {launch.launch_id}, is not what the launch asked for"
            f" ({slot.case_id}): it counts for no case",
        )
        yield RunGone(run.id, f"run {run.id} is not what launch {launch.launch_id} asked for")
        return
    yield RunEnded(run)


# Unconfirmed launches


def settled(state: State, lists: Lists, now: Now) -> Iterator[Event]:
    """Settle the unconfirmed launches that were searchable when the lists were requested."""
    searched = [search for launch_id, search in state.unconfirmed.items() if launch_id in lists.searched]
    since = [search for search in state.unconfirmed.values() if search not in searched]
    matches = search_launches(
        [_to_match(state, search) for search in searched if not _may_be_confused(state, search, since)],
        batches=lists.batches,
        runs=lists.runs,
        journal=state.journal,
    )
    missing: dict[Unconfirmed, bool] = {}
    for match in matches:
        launch = match.unconfirmed.launch
        search = state.unconfirmed[launch.launch_id]
        known, search.needs_person = search.needs_person, match.found is None and bool(match.candidates)
        if match.found is not None:
            yield _adopted(state, match, match.found, lists)
        elif search.needs_person:
            if not known:
                state.log(f"launch {launch.launch_id} has {len(match.candidates)} candidates: a person must choose")
        elif lists.runs.whole and lists.began - search.since >= state.settings.settle_seconds:
            missing[match.unconfirmed] = known
    if missing:
        settled_seconds = now.seconds - lists.began + state.settings.settle_seconds
        recent = adopted_since(state.journal, now.server - timedelta(seconds=settled_seconds))
        missing = {item: known for item, known in missing.items() if item.request not in recent}
    yield from _absent(state, missing, lists)


def _to_match(state: State, search: Search) -> Unconfirmed:
    item, journal = search.unconfirmed, state.journal
    item = replace(item, requesters=journal.requesters_of(item.launch.launch_id))
    if item.launch.session_id == state.consented.session_id:
        return item
    return with_times_of_equals(item, unconfirmed_launches(journal.launches([LaunchState.ADOPTED]), journal))


def _may_be_confused(state: State, search: Search, since: Sequence[Search]) -> bool:
    """Whether a similar launch is being sent, or was lost `since`: a listed run could belong to either."""
    line, prompts = search.unconfirmed.launch.line, set(search.unconfirmed.prompts)
    others = [(intent.line, [slot.prompt for slot in intent.slots]) for intent in state.posting.values()]
    others += [(other.unconfirmed.launch.line, [slot.prompt for slot in other.unconfirmed.slots]) for other in since]
    return any(
        other.target == line.target and any(prompt_key(prompt) in prompts for prompt in asked)
        for other, asked in others
    )


def _adopted(state: State, match: Match, found: Candidate, lists: Lists) -> Event:
    launch = match.unconfirmed.launch
    state.log(
        f"launch {launch.launch_id} had arrived: adopted run{'s' if len(found.run_ids) != 1 else ''}"
        f" {', '.join(str(run_id) for run_id in found.run_ids) or f'of batch {found.batch_id}'}"
    )
    return Moved(
        launch.launch_id,
        LaunchState.ADOPTED,
        launch.detail,
        found.batch_id,
        found.run_ids,
        bind_slots(state.journal.slots_of(launch.launch_id), lists.runs.found, found.run_ids),
    )


def _absent(state: State, missing: Mapping[Unconfirmed, bool], lists: Lists) -> Iterator[Event]:
    """Launches that the lists should show by now but do not. The values of `missing` say whether a person is already
    needed."""
    uncertain = possibly_sent(list(missing), batches=lists.batches, runs=lists.runs, journal=state.journal)
    for launched, known in missing.items():
        launch_id = launched.launch.launch_id
        if launch_id not in uncertain:
            yield Moved(launch_id, LaunchState.ABSENT, "not listed by the service after the settling time")
            state.log(f"launch {launch_id} never arrived: its runs may be launched again")
            continue
        state.unconfirmed[launch_id].needs_person = True
        if launched.launch.problem is LaunchProblem.DUPLICATE_ANSWER:
            state.log(
                f"launch {launch_id} is not listed, and its answer also went to another launch: a person must decide"
            )
        elif not known:
            state.log(
                f"no listed run has the time and prompts of launch {launch_id}, but the service does not always list "
                f"them as they were sent, and {len(uncertain[launch_id])} other runs may belong to it: a person must "
                "decide"
            )


LoadEvidence = Callable[[str], Evidence | None]


def resume(state: State, slots: Sequence[Slot], load_evidence: LoadEvidence, now: Now) -> Iterator[Event | RunResumed]:
    """Count paid runs as wanted ones, and search for every open launch that may have made the same calls, even if its
    slots do not count."""
    state.resumed_slots.update(slot.key for slot in slots)
    state.wanted.resume(slots)
    for slot in slots:
        yield from _resume_slot(state, slot, load_evidence, now)
    wanted = {job.call_fingerprint for job in state.consented.jobs.values()}
    for launch in state.journal.launches(UNSETTLED):
        asked = {slot.call_fingerprint for slot in state.journal.slots_of(launch.launch_id)}
        if launch.launch_id not in state.unconfirmed and asked & wanted:
            state.search(launch.launch_id, now)
    if slots:
        state.log(f"resuming {len(slots)} runs of earlier sessions")


def _resume_slot(state: State, slot: Slot, load_evidence: LoadEvidence, now: Now) -> Iterator[Event | RunResumed]:
    launch = state.launch(slot.launch_id)
    evidence = load_evidence(slot.evidence) if slot.evidence is not None else None
    await_grade = state.consented.jobs[slot.case_id].await_grade
    if launch.state in UNSETTLED:
        state.search(launch.launch_id, now)
    elif evidence is not None and not missing_parts(evidence, grade_wanted=await_grade):
        yield RunResumed(EndedRun(slot, launch, resumed=True, evidence=evidence))
    elif slot.launch_id in state.launched_with_other:
        message = f"not waiting for launch {slot.launch_id}: {OTHER_KEY}"
        state.report_anomaly(f"{OTHER_KEY} {slot.launch_id}", message)
    elif slot.run_id is not None:  # under way, or its evidence is missing from the store
        state.watch(slot, launch, now)
    else:
        slots_of_launch = state.journal.slots_of(launch.launch_id)
        if bindings := bind_slots(slots_of_launch, {}, launch.run_ids):
            yield RunsBound(launch.launch_id, bindings)
        else:
            state.await_binding(launch, slots_of_launch, now)
