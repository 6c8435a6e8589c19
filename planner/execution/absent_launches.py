"""Decides which unconfirmed launches were provably never sent. No I/O.

A launch that no list shows may be sent again only if no listed run can be its run. Runs are normally excluded by time
or prompt. That is only safe if an acknowledged launch shows that the service reports times and prompts as they were
sent:

* Times unreliable or unproven: a run with the same prompt may belong to the launch, at any time.
* Prompts altered or unproven: a run at the same time may belong to the launch, with any prompt.
* A row that cannot be read as a whole: its run may belong to the launch, with any prompt.
* Answer shared with another launch: never provably absent, since its runs may be attributed to the other launch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from planner.execution.journal_state import JournalState
from planner.execution.launches import Launch, LaunchProblem, LaunchState
from planner.execution.reads import Listed
from planner.execution.reconciling import (
    ANY_TIME_SECONDS,
    Candidate,
    Unconfirmed,
    calls_the_same,
    is_in_time,
    prompt_key,
    search_launches,
    unconfirmed_launches,
)
from planner.providers.base import Batch, Run


def possibly_sent(
    missing: Sequence[Unconfirmed], *, batches: Listed[Batch], runs: Listed[Run], journal: JournalState
) -> dict[str, tuple[Candidate, ...]]:
    """The missing launches that may have been sent after all, by id, with their candidates. No candidates are listed
    where the service's times are known to be wrong, since then nobody knows how far back the lists were read."""
    duplicates = {
        unconfirmed.launch.launch_id: ()
        for unconfirmed in missing
        if unconfirmed.launch.problem is LaunchProblem.DUPLICATE_ANSWER
    }
    missing = [unconfirmed for unconfirmed in missing if unconfirmed.launch.launch_id not in duplicates]
    if not missing:
        return duplicates
    unreadable = _unreadable(missing, runs.found, journal)
    missing = [unconfirmed for unconfirmed in missing if unconfirmed.launch.launch_id not in unreadable]
    answered = journal.launches([LaunchState.ACKNOWLEDGED])
    altered = _altered_prompts(missing, answered, runs.found, journal)
    missing = [unconfirmed for unconfirmed in missing if unconfirmed.launch.launch_id not in altered]
    agree = {
        unconfirmed.launch.launch_id: _times_agree(unconfirmed.launch, answered, runs.found) for unconfirmed in missing
    }
    any_time = [
        replace(unconfirmed, launch=replace(unconfirmed.launch, slack_seconds=ANY_TIME_SECONDS))
        for unconfirmed in missing
        if not agree[unconfirmed.launch.launch_id]
    ]
    return (
        duplicates
        | unreadable
        | altered
        | {
            match.unconfirmed.launch.launch_id: match.candidates
            for match in search_launches(any_time, batches=batches, runs=runs, journal=journal)
            if match.candidates or agree[match.unconfirmed.launch.launch_id] is False
        }
    )


def adopted_since(journal: JournalState, moment: datetime) -> set[tuple[object, ...]]:
    """What adopted launches since then asked for. Their own runs may not be listed yet: each may have the run of an
    equal launch, which is not absent then."""
    adopted = [launch for launch in journal.launches([LaunchState.ADOPTED]) if launch.sent_at > moment]
    return {item.request for item in unconfirmed_launches(adopted, journal)}


def _unreadable(
    missing: Iterable[Unconfirmed], runs: Mapping[int, Run], journal: JournalState
) -> dict[str, tuple[Candidate, ...]]:
    """Launches that an unclaimed run may belong to whose row cannot be read as a whole, with these candidates."""
    claimed = journal.claimed_run_ids()
    free = [run for run in runs.values() if run.problem and run.id not in claimed]
    possible = {
        unconfirmed.launch.launch_id: tuple(
            Candidate(run.batch_id, (run.id,), run.created_at)
            for run in free
            if calls_the_same(unconfirmed, run) and is_in_time(unconfirmed.launch, run.created_at)
        )
        for unconfirmed in missing
    }
    return {launch_id: candidates for launch_id, candidates in possible.items() if candidates}


def _altered_prompts(
    missing: Iterable[Unconfirmed], answered: Iterable[Launch], runs: Mapping[int, Run], journal: JournalState
) -> dict[str, tuple[Candidate, ...]]:
    """Launches that may have become unclaimed runs whose prompt is altered or missing, with these candidates."""
    claimed = journal.claimed_run_ids()
    free = [run for run in runs.values() if run.id not in claimed]
    if not free:
        return {}
    unaltered = _prompts_as_sent(answered, runs, journal)
    if unaltered:
        return {}
    possible = {
        unconfirmed.launch.launch_id: tuple(
            Candidate(run.batch_id, (run.id,), run.created_at)
            for run in free
            if (unaltered is False or not run.prompt)
            and calls_the_same(unconfirmed, run)
            and is_in_time(unconfirmed.launch, run.created_at)
        )
        for unconfirmed in missing
    }
    return {launch_id: candidates for launch_id, candidates in possible.items() if candidates}


def _prompts_as_sent(answered: Iterable[Launch], runs: Mapping[int, Run], journal: JournalState) -> bool | None:
    """Whether the service lists prompts of acknowledged launches as they were sent; None if no such launch is
    listed."""
    kept = [
        prompt_key(runs[run_id].prompt) in {prompt_key(slot.prompt) for slot in slots}
        for launch in answered
        if (shown := [run_id for run_id in launch.run_ids if run_id in runs])
        for slots in [journal.slots_of(launch.launch_id)]
        for run_id in shown
    ]
    return all(kept) if kept else None


def _times_agree(launch: Launch, answered: Iterable[Launch], runs: Mapping[int, Run]) -> bool | None:
    """Whether the listed times of the acknowledged launch closest in time match its own; None if no such launch is
    listed."""
    listed = [other for other in answered if any(run_id in runs for run_id in other.run_ids)]
    if not listed:
        return None
    nearest = min(listed, key=lambda other: abs(other.sent_at - launch.sent_at))
    return all(is_in_time(nearest, runs[run_id].created_at) for run_id in nearest.run_ids if run_id in runs)
