"""Runs that have not ended. While they may change the outcome of their case, it is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from planner.changes.model import Change
from planner.execution.jobs import RunRecord
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, LONGEST_RUN, UNSETTLED, Launch, LaunchState, Slot
from planner.planfile.model import Case
from planner.results.model import Run
from planner.results.outcomes import CaseOutcome
from planner.values import frozen
from planner.verdicts.cases import CaseVerdict, judge_case
from planner.verdicts.early_stopping import settled


@frozen
class OpenRuns:
    """The open runs of one case."""

    launched: int = 0
    """Launched or unconfirmed runs that are not among the runs of the case."""
    run_ids: frozenset[int] = frozenset()
    """Runs of the case that have not ended, or that open runs replace."""


NO_OPEN_RUNS = OpenRuns()


def judge_with_open_runs(
    case: Case, runs: Sequence[Run], open_runs: OpenRuns, cents_per_run: float | None
) -> CaseVerdict:
    """The verdict on `runs`; unknown if open runs could change it."""
    verdict = judge_case(case, runs, cents_per_run=cents_per_run)
    ended = [run for run in runs if run.run_id not in open_runs.run_ids]
    remaining = open_runs.launched + len(runs) - len(ended)
    if not remaining or settled(case, ended, remaining) is not None:
        return verdict
    return verdict._replace(outcome=CaseOutcome.UNKNOWN, outcome_reason="", more_runs=None)


def open_runs_at_end(
    journal: Journal,
    invocation_id: str,
    resumed: AbstractSet[tuple[str, int]],
    records: Sequence[RunRecord],
    overdue: Sequence[RunRecord],
    now: datetime,
) -> dict[str, OpenRuns]:
    """By case id, the runs that are open at the end of a session that launched or `resumed` (keys of slots) them.

    `records` are the runs it reported, `overdue` those of them that it stopped waiting for. An accepted run is given up after a day;
    an unconfirmed launch stays open until it is confirmed.
    """
    reported = {(record.launch_id, record.ordinal) for record in records}
    slots = [slot for slot in journal.unconsumed_slots() if slot.key not in reported]
    launch_ids = {slot.launch_id for slot in slots} | {record.launch_id for record in overdue}
    launches = {launch_id: launch for launch_id in launch_ids if (launch := journal.launch(launch_id))}
    launched: Counter[str] = Counter()
    for slot in slots:
        launch = launches[slot.launch_id]
        if (slot.key in resumed or launch.invocation_id == invocation_id) and _is_open(launch, now):
            launched[slot.case_id] += 1
    unended: dict[str, set[int]] = {}
    for record in overdue:
        if (launch := launches.get(record.launch_id)) and _is_open(launch, now):
            unended.setdefault(record.case_id, set()).add(record.run_id)
    return {
        case_id: OpenRuns(launched[case_id], frozenset(unended.get(case_id, ())))
        for case_id in launched.keys() | unended.keys()
    }


def open_runs_of_stored(
    changes: Iterable[Change], resumable: Mapping[str, Sequence[Slot]], journal: Journal, now: datetime
) -> dict[str, OpenRuns]:
    """By case id, the open runs of a session that makes no calls: the next session resumes `resumable`, and counts them together
    with the runs that each change keeps."""
    found: dict[str, OpenRuns] = {}
    for change in changes:
        slots = resumable.get(change.case_id, ())
        launches = [journal.launch(slot.launch_id) for slot in slots if slot.evidence is None]
        if any(launch is not None and _is_open(launch, now) for launch in launches):
            stored = change.prior.runs if change.prior else ()
            replaced = {run.run_id for run in stored} - set(change.kept_run_ids)
            found[change.case_id] = OpenRuns(len(slots), frozenset(replaced))
    return found


def _is_open(launch: Launch, now: datetime) -> bool:
    if launch.state in KNOWN:
        return now - launch.sent_at < LONGEST_RUN
    return launch.state in UNSETTLED and launch.state is not LaunchState.INTENDED  # which was never sent
