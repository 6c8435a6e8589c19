"""Reads ended runs again for evidence and bills that were missing, free of charge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import anyio

from planner.clock import Clock
from planner.errors import IncompleteError
from planner.evidence import Evidence
from planner.execution.collecting import WaitPolicy, collect
from planner.execution.launches import LONGEST_RUN
from planner.execution.listing import read_list
from planner.execution.transactions import Transactions
from planner.providers.base import Run
from planner.values import frozen


@frozen
class Stale:
    """A stored run with missing parts. `completed_at` is None if unknown."""

    run_id: int
    grade_wanted: bool
    completed_at: datetime | None


@frozen
class Reread:
    """Evidence by run id. `problem` says why some runs could not be read; empty if all listed ones were."""

    found: Mapping[int, Evidence]
    problem: str = ""


async def reread(transactions: Transactions, stale: Mapping[int, Stale], clock: Clock) -> Reread:
    """Read each run once, without waiting. Runs that are no longer listed are skipped."""
    client = transactions.client
    ends = [item.completed_at for item in stale.values() if item.completed_at is not None]
    oldest = min(ends) - LONGEST_RUN if len(ends) == len(stale) else None
    found: dict[int, Evidence] = {}
    problems: list[str] = []

    async def read(run: Run, item: Stale) -> None:
        age = (clock.now() - run.completed_at).total_seconds() if run.completed_at else 0.0
        try:
            wait = WaitPolicy(grade=item.grade_wanted, ended_seconds_ago=age + client.clock_offset_seconds)
            found[run.id] = await collect(client, run, wait, clock=clock, transactions=transactions)
        except IncompleteError as error:
            problems.append(str(error))

    try:
        runs = await read_list(client.runs, oldest=oldest, wanted=stale.keys())
    except IncompleteError as error:
        return Reread({}, str(error))
    ended = {run_id: run for run_id in stale if (run := runs.found.get(run_id)) is not None and run.ended}
    for run in ended.values():
        transactions.expect_of(run)
    await transactions.read()
    async with anyio.create_task_group() as tasks:
        for run_id, run in ended.items():
            tasks.start_soon(read, run, stale[run_id])
    for run in ended.values():
        transactions.forget(run.call_id)
    return Reread(found, problems[0] if problems else "")
