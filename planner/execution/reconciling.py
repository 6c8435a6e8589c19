"""Matches unconfirmed launches with the runs and batches that the service lists. No I/O.

They match by target, direction, mode, prompts, time (in the server's clock), and `name` where the service returns it.
Runs of other launches and other requesters are excluded. Launches that ask for the same are interchangeable: as many
runs as launches is a match, fewer match some, more need a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from planner.execution.journal_state import JournalState
from planner.execution.launches import Launch, Slot
from planner.execution.reads import Listed
from planner.providers.base import Batch, Run
from planner.values import frozen

LATEST_CREATION_SECONDS = 600.0
"""A delayed request creates its runs at most this long after it was sent."""
ANY_TIME_SECONDS = 3650 * 86400.0
NAME_PREFIX = "planner "
"""Prefix of the batch names that planner sends."""
_PROMPT_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@frozen
class Unconfirmed:
    """An unconfirmed launch with its slots in order. `requesters` are the ids of its possible requesters (empty:
    unknown)."""

    launch: Launch
    slots: tuple[Slot, ...]
    requesters: frozenset[int] = frozenset()

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(sorted(prompt_key(slot.prompt) for slot in self.slots))

    @property
    def where(self) -> tuple[object, ...]:
        """Who is called, and how."""
        line = self.launch.line
        return line.target_type, line.target_id, line.direction, line.mode, line.target_number

    @property
    def request(self) -> tuple[object, ...]:
        """Launches with the same request ask for the same runs."""
        return *self.where, self.prompts

    def has_run_like(self, other: Unconfirmed) -> bool:
        """Whether a run of one may have been matched to the other."""
        return self.where == other.where and not set(self.prompts).isdisjoint(other.prompts)

    @property
    def identity(self) -> tuple[object, ...]:
        """Launches with the same identity match the same runs."""
        return *self.request, self.requesters


@frozen
class Candidate:
    """Runs that may belong to an unconfirmed launch. `run_ids` is empty if a batch does not list them."""

    batch_id: int | None
    run_ids: tuple[int, ...]
    created_at: datetime | None
    exact: bool = False
    """The batch has the name of the launch."""
    is_partial: bool = False
    """These are not the runs that the launch asked for, but some of them may be its."""
    may_grow: bool = False
    """A larger launch may have made these runs, and others that are not listed yet."""


@frozen
class Match:
    """`found` is the match, if there is one. Several `candidates` without `found` need a person."""

    unconfirmed: Unconfirmed
    found: Candidate | None
    candidates: tuple[Candidate, ...]


@lru_cache(maxsize=4096)
def prompt_key(prompt: str | None) -> str:
    """Digest of a prompt, with line ends unified and outer white space removed, as a service may store it. A digest is
    its own key: of another machine's launch only digests are known."""
    if prompt is not None and _PROMPT_DIGEST.fullmatch(prompt):
        return prompt
    text = "\n".join((prompt or "").splitlines()).strip()
    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def unconfirmed_launches(launches: Iterable[Launch], journal: JournalState) -> list[Unconfirmed]:
    """Launches with their slots and possible requesters."""
    return [
        Unconfirmed(launch, journal.slots_of(launch.launch_id), journal.requesters_of(launch.launch_id))
        for launch in launches
    ]


def with_times_of_equals(item: Unconfirmed, found: Iterable[Unconfirmed]) -> Unconfirmed:
    """The launch, which also matches what was made at the time of equal launches that were `found`: if another machine
    gave its run to one of them, it has the run of that one."""
    slack_seconds = [
        abs((other.launch.sent_at - item.launch.sent_at).total_seconds()) + other.launch.slack_seconds
        for other in found
        if other.request == item.request
    ]
    widest = max([item.launch.slack_seconds, *slack_seconds])
    return replace(item, launch=replace(item.launch, slack_seconds=widest))


def search_launches(
    unconfirmed: Sequence[Unconfirmed], *, batches: Listed[Batch], runs: Listed[Run], journal: JournalState
) -> list[Match]:
    """One match per launch, without runs that the journal attributes to other launches."""
    claimed, claimed_batches = journal.claimed_run_ids(), journal.claimed_batch_ids()
    free_batches = [
        batch
        for batch in batches.found.values()
        if batch.id not in claimed_batches and not claimed & set(batch.run_ids)  # not all batches list their runs
    ]
    # A batch that was matched, but answered no launch, may be another launch's: what is left of it is free.
    whole_ids = journal.answered_batch_ids() | {batch.id for batch in free_batches}
    in_batches = {run_id for batch in free_batches for run_id in batch.run_ids}
    free_runs = [
        run
        for run in runs.found.values()
        if run.id not in claimed and run.id not in in_batches and run.batch_id not in whole_ids
    ]
    groups: dict[tuple[object, ...], list[Unconfirmed]] = {}
    # launches with a number or a known requester match fewer runs, so they choose first
    for item in sorted(unconfirmed, key=lambda item: (item.launch.line.target_number is None, not item.requesters)):
        groups.setdefault(item.identity, []).append(item)
    free = _Free(free_runs, free_batches)
    matches = [match for group in groups.values() for match in _match_group(group, free)]
    missing = [match.unconfirmed for match in matches if not match.candidates and len(match.unconfirmed.slots) > 1]
    found = [match for match in matches if match.unconfirmed not in missing]
    for group in groups.values():
        found += _match_unlisted([item for item in group if item in missing], free, missing)
    return found


_Key = tuple[int | None, tuple[int, ...]]


@dataclass(slots=True)
class _Free:
    """What the service shows and no launch of the journal has. `taken` are candidates that were matched now, and
    `taken_runs` their runs."""

    runs: Sequence[Run]
    batches: Sequence[Batch]
    taken: set[_Key] = field(default_factory=set[_Key])
    taken_runs: set[int] = field(default_factory=set[int])

    def take(self, candidate: Candidate) -> None:
        self.taken.add(_key(candidate))
        self.taken_runs.update(candidate.run_ids)

    def candidates(self, item: Unconfirmed) -> list[Candidate]:
        if len(item.slots) == 1:
            singles = (run for run in self.runs if run.batch_id is None and run_fits(item, run))
            found = [Candidate(None, (run.id,), run.created_at) for run in singles]
        else:
            found = [candidate for batch in self.batches if (candidate := _batch_candidate(item, batch))]
        return [candidate for candidate in found if _key(candidate) not in self.taken]

    def unlisted(self, item: Unconfirmed, others: Sequence[Unconfirmed]) -> list[Candidate]:
        """Runs created together that may be the launch's, whose batch the list of batches may miss. `others` are the
        launches that may have made them, too."""
        free = [run for run in self.runs if run.id not in self.taken_runs]
        # A batch with a run that the launch did not ask for is not the launch's.
        foreign = {run.batch_id for run in free if run.batch_id is not None and not run_fits(item, run)}
        made: dict[int | None, list[Run]] = {}
        for run in free:
            if run.batch_id not in foreign and run_fits(item, run):
                made.setdefault(run.batch_id, []).append(run)
        return [
            Candidate(
                batch_id,
                tuple(run.id for run in together),
                together[0].created_at,
                is_partial=tuple(sorted(prompt_key(run.prompt) for run in together)) != item.prompts,
                may_grow=any(
                    len(other.slots) > len(together) and all(run_fits(other, run) for run in together)
                    for other in others
                ),
            )
            for batch_id, together in made.items()
        ]


def _match_group(group: list[Unconfirmed], free: _Free) -> list[Match]:
    """Match launches that ask for the same. What they match is taken."""
    possible = {item.launch.launch_id: free.candidates(item) for item in group}
    matches: list[Match] = []
    remaining = list(group)
    for item in group:  # a name is unique
        exact = [candidate for candidate in possible[item.launch.launch_id] if candidate.exact]
        if len(exact) == 1:
            matches.append(Match(item, exact[0], tuple(exact)))
            free.take(exact[0])
            remaining.remove(item)
    return matches + _match_alike(remaining, possible, free)


def _match_unlisted(group: Sequence[Unconfirmed], free: _Free, missing: Sequence[Unconfirmed]) -> list[Match]:
    """Match launches by their runs alone."""
    return _match_alike(group, {item.launch.launch_id: free.unlisted(item, missing) for item in group}, free)


def _match_alike(group: Sequence[Unconfirmed], possible: Mapping[str, Sequence[Candidate]], free: _Free) -> list[Match]:
    by_age = sorted(group, key=lambda item: item.launch.sent_at)
    distinct = {
        _key(candidate): candidate
        for item in by_age
        for candidate in possible[item.launch.launch_id]
        if _key(candidate) not in free.taken
    }
    if len(distinct) > len(by_age) or any(candidate.is_partial for candidate in distinct.values()):
        return [
            Match(item, None, tuple(each for each in possible[item.launch.launch_id] if _key(each) in distinct))
            for item in by_age
        ]
    found = _by_time(by_age, possible, distinct.values())
    for candidate in found.values():
        free.take(candidate)
    return [
        Match(item, found.get(item.launch.launch_id), tuple(filter(None, [found.get(item.launch.launch_id)])))
        for item in by_age
    ]


def _by_time(
    by_age: Sequence[Unconfirmed], possible: Mapping[str, Sequence[Candidate]], candidates: Iterable[Candidate]
) -> dict[str, Candidate]:
    """Give each candidate, oldest first, to the latest launch that it may belong to. A run that is listed later may be
    older than these, and then only an earlier launch may have it."""
    found: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda each: (each.created_at is None, each.created_at)):
        for item in reversed(by_age):
            launch_id = item.launch.launch_id
            if launch_id not in found and _key(candidate) in map(_key, possible[launch_id]):
                found[launch_id] = candidate
                break
    return found


def _key(candidate: Candidate) -> _Key:
    return candidate.batch_id, candidate.run_ids


def _batch_candidate(unconfirmed: Unconfirmed, batch: Batch) -> Candidate | None:
    launch = unconfirmed.launch
    if not _may_be_of(unconfirmed, batch):
        return None
    if batch.name == launch.name:
        return Candidate(batch.id, tuple(batch.run_ids), batch.created_at, exact=True)
    if (batch.name or "").startswith(NAME_PREFIX):
        return None  # another launch's batch; the service may have chosen any other name
    if not _same_target(launch, batch) or not is_in_time(launch, batch.created_at):
        return None
    count = batch.size or len(batch.run_ids)
    if (
        count != len(unconfirmed.slots)
        or tuple(sorted(prompt_key(prompt) for prompt in batch.prompts)) != unconfirmed.prompts
    ):
        return None
    return Candidate(batch.id, tuple(batch.run_ids), batch.created_at)


def run_fits(unconfirmed: Unconfirmed, run: Run) -> bool:
    """Whether a run may belong to a launch."""
    return asks_the_same(unconfirmed, run) and is_in_time(unconfirmed.launch, run.created_at)


def asks_the_same(unconfirmed: Unconfirmed, run: Run) -> bool:
    """Whether a run is what a launch asked for, apart from its time."""
    return calls_the_same(unconfirmed, run) and prompt_key(run.prompt) in unconfirmed.prompts


def calls_the_same(unconfirmed: Unconfirmed, run: Run) -> bool:
    """Like `asks_the_same`, but ignores the prompt, which a service may alter."""
    return (
        _may_be_of(unconfirmed, run)
        and _same_target(unconfirmed.launch, run)
        and (run.mode is None or run.mode == unconfirmed.launch.line.mode)
    )


def _same_target(launch: Launch, made: Run | Batch) -> bool:
    """Missing fields match. A number that was not requested may be chosen by the service."""
    line = launch.line
    return (
        made.target_type in (None, line.target_type)
        and made.target_id in (None, line.target_id)
        and made.direction in (None, line.direction)
        and (line.target_number is None or made.target_number in (None, "", line.target_number))
    )


def is_in_time(launch: Launch, created_at: datetime | None) -> bool:
    """A missing time matches: calling twice would be the costlier mistake."""
    if created_at is None:
        return True
    latest = launch.sent_at + timedelta(seconds=launch.slack_seconds + LATEST_CREATION_SECONDS)
    return launch.earliest <= created_at <= latest


def _may_be_of(unconfirmed: Unconfirmed, made: Run | Batch) -> bool:
    return made.requester_id is None or not unconfirmed.requesters or made.requester_id in unconfirmed.requesters


def bind_slots(slots: Sequence[Slot], runs: Mapping[int, Run], run_ids: Sequence[int]) -> dict[int, int]:
    """Map slots (by ordinal) to the launch's runs by prompt, never by position.

    If all prompts are equal, or one slot and one run are left, the prompt need not be known. Runs that are not listed
    yet stay unbound.
    """
    free: dict[str, list[int]] = {}
    for slot in slots:
        if slot.run_id is None:
            free.setdefault(prompt_key(slot.prompt), []).append(slot.ordinal)
    bound = {slot.run_id for slot in slots}
    bindings: dict[int, int] = {}
    for run_id in run_ids:
        if run_id in bound:
            continue
        if len(free) == 1:
            prompt = next(iter(free))
        elif run_id in runs and prompt_key(runs[run_id].prompt) in free:
            prompt = prompt_key(runs[run_id].prompt)
        else:
            continue
        bindings[free[prompt].pop(0)] = run_id
        if not free[prompt]:
            del free[prompt]
    return bindings
