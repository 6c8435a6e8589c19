"""Whether a launch that the service's lists do not show was never carried out: what has to be sure before it is sent again.

A run that asks for the same is ruled out by its time alone. That holds only where the service's times are those of its `Date`
header, by which a launch's own time is told; where an answered launch of ours shows that they are not, or none shows that they
are, such a run may be the launch's. So it is with a run of its time, which is ruled out by its prompt alone: where an answered
launch shows that the service alters prompts, or none shows that it does not and this one has none. Nor is a launch sure to be
absent that was answered with what another was answered with: its runs may be taken for the other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from planner.api.wire import WireBatch, WireRun
from planner.execution.journal import Journal
from planner.execution.launches import ANSWERED_TWICE, Launch, LaunchState
from planner.execution.listing import Listed
from planner.execution.looking import look_for
from planner.execution.reconciling import Candidate, Lost, calls_the_same, is_in_time, prompt_key

ANY_TIME_SECONDS = 3650 * 86400.0


def unproven(
    missing: Sequence[Lost], *, batches: Listed[WireBatch], runs: Listed[WireRun], journal: Journal
) -> dict[str, tuple[Candidate, ...]]:
    """Of launches that nothing shows, those that may have been carried out all the same, by id: with what they may have become,
    or with nothing where the service's times are known to be wrong, so that nobody knows how far back its lists were read."""
    twice = {lost.launch.launch_id: () for lost in missing if lost.launch.detail.startswith(ANSWERED_TWICE)}
    missing = [lost for lost in missing if lost.launch.launch_id not in twice]
    if not missing:
        return twice
    answered = journal.launches([LaunchState.ACKNOWLEDGED])
    altered = _of_altered_prompts(missing, answered, runs.found, journal)
    missing = [lost for lost in missing if lost.launch.launch_id not in altered]
    agree = {lost.launch.launch_id: _times_agree(lost.launch, answered, runs.found) for lost in missing}
    whenever = [
        replace(lost, launch=replace(lost.launch, slack_seconds=ANY_TIME_SECONDS))
        for lost in missing
        if not agree[lost.launch.launch_id]
    ]
    return (
        twice
        | altered
        | {
            match.lost.launch.launch_id: match.candidates
            for match in look_for(whenever, batches=batches, runs=runs, journal=journal)
            if match.candidates or agree[match.lost.launch.launch_id] is False
        }
    )


def _of_altered_prompts(
    missing: Iterable[Lost], answered: Iterable[Launch], runs: Mapping[int, WireRun], journal: Journal
) -> dict[str, tuple[Candidate, ...]]:
    """Launches that unclaimed runs may be whose prompt says nothing, with these."""
    claimed = journal.claimed_run_ids()
    free = [run for run in runs.values() if run.id not in claimed]
    if not free:
        return {}
    as_sent = _prompts_as_sent(answered, runs, journal)
    if as_sent:
        return {}
    possible = {
        lost.launch.launch_id: tuple(
            Candidate(run.batch_id, (run.id,), run.created_at, exact=False)
            for run in free
            if (as_sent is False or not run.scenario_prompt)
            and calls_the_same(lost, run)
            and is_in_time(lost.launch, run.created_at)
        )
        for lost in missing
    }
    return {launch_id: candidates for launch_id, candidates in possible.items() if candidates}


def _prompts_as_sent(answered: Iterable[Launch], runs: Mapping[int, WireRun], journal: Journal) -> bool | None:
    """Whether the service shows the prompts of answered launches as they were sent; None where no such one is listed."""
    kept = [
        prompt_key(runs[run_id].scenario_prompt) in {prompt_key(slot.prompt) for slot in slots}
        for launch in answered
        if (shown := [run_id for run_id in launch.run_ids if run_id in runs])
        for slots in [journal.slots_of(launch.launch_id)]
        for run_id in shown
    ]
    return all(kept) if kept else None


def _times_agree(launch: Launch, answered: Iterable[Launch], runs: Mapping[int, WireRun]) -> bool | None:
    """Whether the service's times of the answered launch nearest to this one fit its own; None where no such one is listed."""
    listed = [other for other in answered if any(run_id in runs for run_id in other.run_ids)]
    if not listed:
        return None
    nearest = min(listed, key=lambda other: abs(other.sent_at - launch.sent_at))
    return all(is_in_time(nearest, runs[run_id].created_at) for run_id in nearest.run_ids if run_id in runs)
