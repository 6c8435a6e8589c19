"""Finds unconfirmed launches in the service's lists. No I/O.

Every launch is a batch, so it is recognised by its line, its size and its prompts, by the time of its intent in the
service's clock, and by its name where the service shows names. No two open launches have the same key or request, so a
launch has one candidate at most, unless somebody else made the same batch at the same time: then a person decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from planner.calls.model import Listed, Now, Settings, Unsettled, prompt_key
from planner.log.facts import Asked, Intent, Outcome, Result
from planner.log.fold import Launch, State
from planner.providers.base import Batch, BatchId, Run, RunId
from planner.values import frozen


@dataclass(slots=True)
class Lists:
    """What one sweep of the service's lists showed. The log must be read after it: what another machine claimed is
    then known."""

    began: Now
    runs: Listed[Run]
    batches: Listed[Batch]
    searched: frozenset[str] = frozenset()
    """The launches that they were read for, and that they reach back to."""


NAME_PREFIX: Final = "planner "
"""How the names of our batches begin."""


def name_of(launch_id: str) -> str:
    """The name of a launch's batch."""
    return f"{NAME_PREFIX}{launch_id}"


@frozen
class Found:
    """What the lists say of open launches."""

    outcomes: tuple[Outcome, ...]
    unsettled: tuple[Unsettled, ...]


def reconcile(
    state: State, intents: Sequence[Intent], lists: Lists, settings: Settings, now: Now, others: Sequence[Intent] = ()
) -> Found:
    """Search for these open launches. `others` are open too, but just being made, or not of this log: what may be
    theirs is left to them."""
    batches = _free_batches(state, lists)
    requesters = {intent.credential: state.requesters(intent.credential) for intent in (*intents, *others)}
    possible = {
        intent.launch_id: [batch for batch in batches if _may_be(intent, batch, requesters[intent.credential])]
        for intent in (*intents, *others)
    }
    shared = Counter(batch.id for candidates in possible.values() for batch in candidates)
    undecided = {batch.id for intent in others for batch in possible[intent.launch_id]}
    adopted: dict[str, Batch] = {}
    for intent in intents:
        candidates = possible[intent.launch_id]
        named = [batch for batch in candidates if batch.name == name_of(intent.launch_id)]
        if len(named) == 1 or (len(candidates) == 1 and shared[candidates[0].id] == 1):
            adopted[intent.launch_id] = (named or candidates)[0]
    outcomes = [
        Outcome(now.server, launch_id, Result.ADOPTED, batch.id, tuple(sorted(batch.run_ids)), batch.requester_id)
        for launch_id, batch in adopted.items()
    ]
    free = [batch for batch in batches if batch.id not in shared]  # what fits one launch is not hidden from another
    unsettled: list[Unsettled] = []
    for intent in intents:
        candidates = possible[intent.launch_id]
        again_at = intent.at + timedelta(seconds=settings.settle_seconds + intent.slack_seconds)
        is_settled = lists.began.server - timedelta(seconds=lists.began.slack_seconds) >= again_at
        if intent.launch_id in adopted:
            continue
        if any(batch.id in undecided for batch in candidates):
            why = "another launch, which is being made, may be it"
            unsettled.append(Unsettled(intent, needs_person=False, why=why))
        elif candidates:
            ids = tuple(batch.id for batch in candidates)
            why = f"{len(ids)} batches may be it, or another launch's" if len(ids) > 1 else "another launch may be it"
            unsettled.append(Unsettled(intent, needs_person=True, why=why, candidates=ids))
        elif not is_settled:
            unsettled.append(
                Unsettled(intent, needs_person=False, why="the service does not list it yet", again_at=again_at)
            )
        elif hidden := _may_be_hidden(state, intent, lists, free, requesters[intent.credential]):
            unsettled.append(Unsettled(intent, needs_person=True, why=hidden))
        else:
            outcomes.append(Outcome(now.server, intent.launch_id, Result.ABSENT))
    return Found(tuple(outcomes), tuple(unsettled))


def _free_batches(state: State, lists: Lists) -> list[Batch]:
    """The batches that no launch has, with their prompts and runs as far as the lists show them."""
    in_batch: dict[BatchId, list[Run]] = {}
    for run in lists.runs.found.values():
        if run.batch_id is not None:
            in_batch.setdefault(run.batch_id, []).append(run)
    batches: dict[BatchId, Batch] = {}
    for batch in lists.batches.found.values():
        listed = [run for run_id in batch.run_ids if (run := lists.runs.found.get(run_id)) is not None]
        batches[batch.id] = _with_runs(batch, listed or in_batch.get(batch.id, []))
    for batch_id, runs in in_batch.items():  # the list of batches may not reach back
        if batch_id not in batches:
            batches[batch_id] = _of_runs(batch_id, runs)
    return [
        batch
        for batch in batches.values()
        if not state.is_claimed("batch", batch.id)
        and not any(state.is_claimed("run", run_id) for run_id in batch.run_ids)
    ]


def _with_runs(batch: Batch, runs: Sequence[Run]) -> Batch:
    prompts = batch.prompts
    is_complete = len(runs) >= (batch.size or len(batch.run_ids))
    if not prompts and runs and is_complete and all(run.prompt is not None for run in runs):
        prompts = tuple(run.prompt or "" for run in runs)
    return Batch(
        id=batch.id,
        name=batch.name,
        target_type=batch.target_type,
        target_id=batch.target_id,
        direction=batch.direction,
        target_number=batch.target_number,
        prompts=prompts,
        size=batch.size or len(batch.run_ids) or len(runs) or None,
        requester_id=batch.requester_id,
        created_at=batch.created_at,
        run_ids=batch.run_ids or tuple(run.id for run in runs),
    )


def _of_runs(batch_id: BatchId, runs: Sequence[Run]) -> Batch:
    first = runs[0]
    return _with_runs(
        Batch(
            id=batch_id,
            target_type=first.target_type,
            target_id=first.target_id,
            direction=first.direction,
            target_number=first.target_number,
            requester_id=first.requester_id,
            created_at=first.created_at,
        ),
        runs,
    )


def _may_be(intent: Intent, batch: Batch, requesters: frozenset[int]) -> bool:
    """Whether a batch may be a launch's. What the service does not show matches: calling twice would be the costlier
    mistake."""
    if batch.name == name_of(intent.launch_id):
        return True
    if (batch.name or "").startswith(NAME_PREFIX):
        return False  # another launch's; the service may have chosen any other name
    if _is_anothers(batch, requesters):
        return False
    if not _is_on_line(intent, batch) or not _is_in_time(intent, batch) or batch.size not in (None, intent.calls):
        return False
    return not batch.prompts or _prompts(intent) == Counter(map(prompt_key, batch.prompts))


def _is_anothers(made: Run | Batch, requesters: frozenset[int]) -> bool:
    """Whether somebody else asked for it, as far as the service shows that and we know ourselves."""
    return bool(requesters) and made.requester_id is not None and made.requester_id not in requesters


def _prompts(intent: Intent) -> Counter[str]:
    counted = Counter[str]()
    for asked in intent.asked:
        counted[asked.prompt] += asked.calls
    return counted


def _is_on_line(intent: Intent, made: Run | Batch) -> bool:
    """Missing fields match. A number that was not asked for may be chosen by the service."""
    line = intent.line
    return (
        made.target_type in (None, line.target_type)
        and made.target_id in (None, line.target_id)
        and made.direction in (None, line.direction)
        and (line.target_number is None or made.target_number in (None, "", line.target_number))
    )


def _is_in_time(intent: Intent, made: Run | Batch) -> bool:
    """It leaves within a quarter of the settling time, and is created soon after."""
    if made.created_at is None:
        return True
    latest = intent.at + timedelta(seconds=intent.slack_seconds + LATEST_CREATION_SECONDS)
    return intent.earliest <= made.created_at <= latest


LATEST_CREATION_SECONDS = 900.0
"""A delayed request creates its runs at most this long after its intent."""


@frozen
class Suspects:
    """What a person should look at before a launch is settled by hand."""

    batches: tuple[Batch, ...] = ()
    """They match the launch."""
    hidden_batches: tuple[Batch, ...] = ()
    """They match if the service does not list prompts as they were sent."""
    runs: tuple[Run, ...] = ()
    """Each may be one of its runs, if the service does not show its batch."""


def suspects(state: State, intent: Intent, lists: Lists) -> Suspects:
    batches, requesters = _free_batches(state, lists), state.requesters(intent.credential)
    matching = [batch for batch in batches if _may_be(intent, batch, requesters)]
    if matching:
        return Suspects(tuple(matching))
    return Suspects(
        hidden_batches=tuple(_hidden_batches(state, intent, lists, batches, requesters)),
        runs=tuple(_hidden_runs(state, intent, lists, requesters)),
    )


def _may_be_hidden(
    state: State, intent: Intent, lists: Lists, batches: Sequence[Batch], requesters: frozenset[int]
) -> str:
    """Why a launch that no batch matches may have been carried out all the same; "" if it certainly was not."""
    if not lists.runs.whole:  # a batch may be listed long after its runs
        return "the service's list of runs cannot be read as far back as it"
    for batch in _hidden_batches(state, intent, lists, batches, requesters):
        return f"batch {batch.id} may be it, if the service does not list prompts as they were sent"
    for run in _hidden_runs(state, intent, lists, requesters):
        return f"run {run.id} may be one of its runs"
    return ""


def _hidden_batches(
    state: State, intent: Intent, lists: Lists, batches: Sequence[Batch], requesters: frozenset[int]
) -> Iterator[Batch]:
    if not _keeps_prompts(state, lists.runs.found.values()):
        for batch in batches:
            is_similar = _is_on_line(intent, batch) and _is_in_time(intent, batch)
            if is_similar and batch.size in (None, intent.calls) and not _is_anothers(batch, requesters):
                yield batch


def _hidden_runs(state: State, intent: Intent, lists: Lists, requesters: frozenset[int]) -> Iterator[Run]:
    in_listed = {run_id for batch in lists.batches.found.values() for run_id in batch.run_ids}
    prompts = _prompts(intent)
    shows_batches = lists.batches.whole and _shows_batches(state, lists.runs.found.values())
    for run in lists.runs.found.values():
        if run.id in in_listed or run.batch_id in lists.batches.found or state.is_claimed("run", run.id):
            continue  # its batch was looked at
        if shows_batches and run.batch_id is None and not run.problem:
            continue  # a single run: every launch is a batch
        if _is_anothers(run, requesters) or not (_is_on_line(intent, run) and _is_in_time(intent, run)):
            continue
        if run.prompt is None or run.problem or prompt_key(run.prompt) in prompts:
            yield run


def _shows_batches(state: State, runs: Iterable[Run]) -> bool:
    """Whether the service is known to list the batch of each run: a run of a launch shows it."""
    return any(run.batch_id is not None and state.is_claimed("run", run.id) for run in runs)


def _keeps_prompts(state: State, runs: Iterable[Run]) -> bool:
    """Whether the service is known to list prompts as they were sent: a run of a launch shows one of them."""
    for run in runs:
        if run.prompt is None or not state.is_claimed("run", run.id):
            continue
        launch = state.launch_of_run(run.id)
        if launch is not None and launch.intent is not None and prompt_key(run.prompt) in _prompts(launch.intent):
            return True
    return False


def asks_the_same(state: State, intent: Intent, run: Run) -> bool:
    """Whether a run may be one of a launch's, whenever it was made."""
    requesters = state.requesters(intent.credential)
    if run.requester_id is not None and requesters and run.requester_id not in requesters:
        return False
    return _is_on_line(intent, run) and (run.prompt is None or prompt_key(run.prompt) in _prompts(intent))


def bind(launch: Launch, runs: Iterable[Run]) -> dict[RunId, Asked]:
    """What each listed run of a launch was asked for, by its prompt and never by its position. If one prompt is left,
    the run need not show it."""
    assert launch.intent is not None
    asked = {each.prompt: each for each in launch.intent.asked}
    left = {each.prompt for each in launch.unbound()}
    bound: dict[RunId, Asked] = {}
    for run in runs:
        if run.id not in launch.run_ids or run.id in launch.calls:
            continue
        if len(asked) == 1 or (len(left) == 1 and run.prompt is None):
            bound[run.id] = asked[next(iter(left or asked))]
        elif run.prompt is not None and prompt_key(run.prompt) in asked:
            bound[run.id] = asked[prompt_key(run.prompt)]
    return bound
