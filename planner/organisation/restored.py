"""Notices tables that were restored from an older copy: the service then has calls that they do not know. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from planner.execution.journal_state import JournalState
from planner.execution.launches import KNOWN, UNSETTLED
from planner.execution.reconciling import prompt_key
from planner.organisation.documents import Submission
from planner.providers.base import Run

Like: TypeAlias = tuple[str | None, int | None, str]
"""Target and prompt."""


def unknown_runs(runs: Iterable[Run], journal: JournalState, credential: str) -> list[Run]:
    """Runs of this organisation that belong to no launch of the journal. An older copy may not know who we are: then
    any run may be ours."""
    claimed, ours = journal.claimed_run_ids(), journal.requesters(credential)
    return [
        run
        for run in runs
        if run.id not in claimed and (run.requester_id is None or not ours or run.requester_id in ours)
    ]


def calls_unknown(submission: Submission, begun_at: datetime, unknown: Iterable[Run], journal: JournalState) -> int:
    """How many calls like those of a consent were made since somebody first agreed, beyond those that open launches of
    the journal can explain."""
    wanted = {(job.line.target_type, job.line.target_id, prompt_key(job.prompt)) for job in submission.jobs}
    made = Counter[Like]()
    for run in unknown:
        like = (run.target_type, run.target_id, prompt_key(run.prompt))
        if like in wanted and run.created_at is not None and run.created_at > begun_at:
            made[like] += 1
    for launch in journal.launches((*UNSETTLED, *KNOWN)):
        slots = journal.slots_of(launch.launch_id)
        unbound = [slot for slot in slots if slot.run_id is None]
        # Runs that a launch has claimed are known, even if nobody sees yet which is for which slot.
        for slot in unbound[: len(slots) - len(launch.run_ids)]:
            made[launch.line.target_type, launch.line.target_id, prompt_key(slot.prompt)] -= 1
    return sum(number for number in made.values() if number > 0)
