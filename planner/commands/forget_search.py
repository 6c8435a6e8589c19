"""`planner forget --containing TEXT`: find the calls in which something was said."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from planner.clock import aware
from planner.errors import PlannerError
from planner.execution.launches import LONGEST_RUN
from planner.execution.reading import Transactions, collect, read_list
from planner.execution.reads import WaitPolicy
from planner.interruption import interruptible
from planner.quantities import count
from planner.records.facts import CallFact
from planner.records.searching import runs_with, says, stored_calls
from planner.shell import Shell
from planner.stores.store import Reader
from planner.values import frozen
from planner.workspace.selection import Selection
from planner.workspace.service import KEY, open_client
from planner.workspace.stores import OpenedStore


@frozen
class Search:
    """What to look for, and where."""

    shell: Shell
    selection: Selection
    place: OpenedStore
    stores: Sequence[Reader]
    text: str


def search(work: Search) -> tuple[list[int], list[str]]:
    """The runs in which it was said, and what could not be searched. Calls without an original here are read from the
    service, if there is a key."""
    found = {run_id for store in work.stores for run_id in runs_with(store, lambda each: says(each, work.text))}
    whole = {run_id for store in work.stores for run_id in runs_with(store, lambda each: not each.redacted)}
    known = {call_id: fact for store in work.stores for call_id, fact in stored_calls(store).items()}
    others = [fact for fact in known.values() if fact.run_id not in found | whole]
    if not others:
        return sorted(found), []
    if not work.selection.sandbox and not work.shell.environ.get(KEY):
        return sorted(found), [f"{count(len(others), 'call')}, redacted here: the service is searched with {KEY}"]
    at_service, unread = anyio.run(_at_service, work, others)
    return sorted(found | at_service), unread


async def _at_service(work: Search, calls: Sequence[CallFact]) -> tuple[set[int], list[str]]:
    ends = [aware(fact.data.completed_at) for fact in calls if fact.data.completed_at is not None]
    oldest = min(ends) - LONGEST_RUN if len(ends) == len(calls) else None
    wanted = {fact.run_id for fact in calls}
    found: set[int] = set()
    unread: list[str] = []
    async with interruptible(), open_client(work.shell, work.place, work.selection) as client:
        listed = await read_list(client.runs, oldest=oldest, wanted=wanted)
        transactions = Transactions(client, work.shell.log)
        for run_id in sorted(wanted):
            run = listed.found.get(run_id)
            if run is None or not run.ended:
                unread.append(f"run {run_id}, which the service does not list")
                continue
            try:
                read = await collect(client, run, WaitPolicy(), clock=work.shell.clock, transactions=transactions)
            except PlannerError as error:
                unread.append(f"run {run_id}, which cannot be read: {error}")
                continue
            if read.turns is None and run.call_id is not None:
                unread.append(f"run {run_id}, whose transcript the service does not show")
            found |= {run_id} if says(read, work.text) else set()
    return found, unread
