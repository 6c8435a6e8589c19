"""Reading ended runs once more, free: evidence and bills that the service did not have yet when they were first read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from planner.api.client import ApiClient
from planner.api.wire import WireRun
from planner.errors import IncompleteError
from planner.evidence import Evidence
from planner.execution.clock import Clock
from planner.execution.collecting import collect
from planner.execution.listing import read_list

LONGEST_RUN = timedelta(days=1)
"""From a run's creation to its end: so far beyond its end the list is read."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A stored run with parts missing. `completed_at` is None where it was never told."""

    run_id: int
    grade_wanted: bool
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reread:
    """What was read, by run id; `problem` is why some could not be (empty: all that the service still lists were)."""

    found: Mapping[int, Evidence]
    problem: str = ""


async def reread(client: ApiClient, stale: Mapping[int, Stale], clock: Clock) -> Reread:
    """One look at each; nothing is awaited. A run that is not listed any more is left as it is."""
    ends = [item.completed_at for item in stale.values() if item.completed_at is not None]
    oldest = min(ends) - LONGEST_RUN if len(ends) == len(stale) else None
    found: dict[int, Evidence] = {}
    problems: list[str] = []

    async def read(run: WireRun, item: Stale) -> None:
        age = (clock.now() - run.completed_at).total_seconds() if run.completed_at else 0.0
        try:
            found[run.id] = await collect(
                client,
                run,
                clock=clock,
                wait_seconds=0.0,
                await_grade=item.grade_wanted,
                ended_seconds_ago=age + client.clock_offset_seconds,
            )
        except IncompleteError as error:
            problems.append(str(error))

    try:
        runs = await read_list(client.runs, oldest=oldest, wanted=stale.keys())
    except IncompleteError as error:
        return Reread({}, str(error))
    async with anyio.create_task_group() as tasks:
        for run_id, item in stale.items():
            run = runs.found.get(run_id)
            if run is not None and run.ended:
                tasks.start_soon(read, run, item)
    return Reread(found, problems[0] if problems else "")
