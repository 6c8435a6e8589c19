"""What the service's answers and lists mean for launches: the durable events that follow from them. No I/O.

Each function yields one event at a time; the caller records and applies it before it asks for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta
from typing import Final

from planner.errors import IncompleteError, PlannerError
from planner.execution.absent_launches import adopted_since, possibly_sent
from planner.execution.engine import Now
from planner.execution.events import (
    Event,
    EvidenceComplete,
    Moved,
    Polled,
    RunEnded,
    RunGone,
    RunsBound,
    RunsClaimed,
    ServiceAnswered,
    ServiceFailed,
    SessionEvent,
    Stopped,
)
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import Launch, LaunchProblem, LaunchState, Slot
from planner.execution.reads import Listed, Lists, PollRequest, StoredEvidence, WaitPolicy
from planner.execution.reconciling import (
    Candidate,
    Match,
    Unconfirmed,
    asks_the_same,
    bind_slots,
    prompt_key,
    run_fits,
    search_launches,
    unconfirmed_launches,
    with_times_of_equals,
)
from planner.execution.state import State
from planner.execution.waits import Search, Unbound
from planner.providers.base import PAGE_LIMIT, BatchId, Run, RunId

NAMED_RUNS: Final = 5
ROW_MARGIN: Final = 1.2
"""Rows to request, as a multiple of those needed last time plus new launches, since other clients launch too."""


# Polls


def poll_request(state: State) -> PollRequest | None:
    """What a poll must read now; None if nothing waits for the lists."""
    if not state.is_asking():
        return None
    searched = searchable(state)
    asked = [search.unconfirmed.launch for search in state.unconfirmed.values()]
    asked += [unbound.launch for unbound in state.unbound.values()]
    under_way = [watched.launch for watched in state.watched.values()]
    launched_since = sum(watched.since >= state.polled_at for watched in state.watched.values())
    return PollRequest(
        oldest=min(launch.earliest for launch in asked + under_way),
        wanted=None if asked else frozenset(state.watched),
        first_page=PAGE_LIMIT if asked else int((state.list_rows + launched_since) * ROW_MARGIN),
        batches_since=min(
            (state.unconfirmed[launch_id].unconfirmed.launch.earliest for launch_id in searched), default=None
        ),
        members=wanted_batches(state),
        searched=searched,
    )


def poll_result(
    state: State, request: PollRequest, result: Lists | PlannerError, now: Now
) -> Iterator[Event | SessionEvent]:
    """The lists were read, or could not be: then the next poll tries again, unless this session was refused."""
    match result:
        case Lists():
            yield ServiceAnswered()
            yield from listed(state, result, now)
            yield Polled(None if request.wanted is None else _last_row(result.runs, request.wanted))
        case IncompleteError():
            yield ServiceFailed(str(result))
        case PlannerError():  # refused during the session, for example because the key was revoked
            yield Stopped(usage=result.with_hint, trouble=result.with_hint)


def _last_row(runs: Listed[Run], wanted: AbstractSet[RunId]) -> int:
    """The row of the oldest wanted run under way."""
    return max(
        (row for row, (run_id, run) in enumerate(runs.found.items(), start=1) if run_id in wanted and not run.ended),
        default=0,
    )


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
        is_young = lists.began - search.since < state.settings.settle_seconds
        is_arriving = is_young and all(candidate.is_partial for candidate in match.candidates)
        is_ambiguous = match.found is None and bool(match.candidates)
        known, search.needs_person = search.needs_person, is_ambiguous and not is_arriving
        if match.found is not None:
            if not (is_young and match.found.may_grow):
                yield _adopted(state, match, match.found, lists)
        elif search.needs_person:
            if not known:
                state.log(f"launch {launch.launch_id} has {len(match.candidates)} candidates: a person must choose")
        elif lists.runs.whole and not is_young:
            missing[match.unconfirmed] = known
    if missing:
        settled_seconds = now.seconds - lists.began + state.settings.settle_seconds
        recent = adopted_since(state.journal, now.server - timedelta(seconds=settled_seconds))
        missing = {item: known for item, known in missing.items() if item.request not in recent}
    yield from _absent(state, missing, lists)


def _to_match(state: State, search: Search) -> Unconfirmed:
    item, journal = search.unconfirmed, state.journal
    item = replace(item, requesters=journal.requesters_of(item.launch.launch_id))
    if state.is_own(item.launch):
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


# Evidence


def evidence_wait(state: State, run: Run, now: Now) -> WaitPolicy:
    """How long to wait for the parts of an ended run that are late. After the first reading, one more is enough."""
    watched = state.reading[run.id][1]
    return WaitPolicy(
        0.0 if watched.slot.evidence is not None else state.settings.evidence_wait_seconds,
        watched.job.await_grade,
        now.seconds_since(run.completed_at) if watched.resumed and run.completed_at else 0.0,
    )


def evidence_result(state: State, stored: Sequence[StoredEvidence]) -> Iterator[Event | EvidenceComplete]:
    """The evidence of these runs is stored. Only then does it count, and its bill with it."""
    slots = [
        replace(
            state.reading[each.run.id][1].slot,
            evidence=each.digest,
            cost_cents=each.cost_cents,
            completed_at=each.run.completed_at,
        )
        for each in stored
    ]
    yield evidence_stored(slots)
    for each, slot in zip(stored, slots, strict=True):
        yield EvidenceComplete(each.run, slot, each.is_final)
