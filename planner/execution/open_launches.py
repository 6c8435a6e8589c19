"""Open launches of earlier sessions, unconfirmed or not billed, that no current case needs, because their cases are
kept, edited, removed or not selected.

No session waits for them, but their possible cost is reported until it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from planner.clock import Clock
from planner.errors import PlannerError
from planner.execution.engine import Now, SessionTerms, UnsettledLaunch
from planner.execution.fold import apply
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import KNOWN, LONGEST_RUN, UNSETTLED, Launch, LaunchState, Slot
from planner.execution.observing import searchable, settled
from planner.execution.reading import read_list
from planner.execution.reads import Lists
from planner.execution.reconciling import LATEST_CREATION_SECONDS, unconfirmed_launches
from planner.execution.state import State
from planner.quantities import count, money
from planner.results.model import OpenLaunch
from planner.values import frozen

if TYPE_CHECKING:  # `planner plan` does not search
    from planner.execution.journal import Journal
    from planner.execution.reading import Transactions
    from planner.providers.base import Run

_WHOSE = "cases that are kept, edited, removed or not selected"


@frozen
class OpenLaunches:
    """`unbilled` are their runs without a bill; `billed` those whose bill this session found."""

    unsettled: tuple[UnsettledLaunch, ...] = ()
    unbilled: tuple[Slot, ...] = ()
    billed: tuple[Slot, ...] = ()

    @property
    def unsettled_cents(self) -> int:
        return sum(launch.reserved_cents for launch in self.unsettled)

    @property
    def reserved_cents(self) -> int:
        """What may still be charged."""
        return self.unsettled_cents + sum(slot.reserved_cents for slot in self.unbilled)

    def problems(self) -> list[str]:
        lines: list[str] = []
        if self.unsettled:
            launches = count(len(self.unsettled), "unconfirmed launch", "unconfirmed launches")
            lines.append(f"{launches} (up to {money(self.unsettled_cents)}) for {_WHOSE}")
        if self.unbilled:
            cents = sum(slot.reserved_cents for slot in self.unbilled)
            calls = count(len(self.unbilled), "call")
            lines.append(f"{calls} of earlier launches (up to {money(cents)}) for {_WHOSE}: not billed yet")
        if self.billed:
            cents = sum(slot.cost_cents or 0 for slot in self.billed)
            calls = count(len(self.billed), "call")
            runs = ", ".join(str(slot.run_id) for slot in self.billed)
            lines.append(f"{calls} of earlier launches cost {money(cents)}, for {_WHOSE}: run {runs}")
        return lines

    def notes(self, reconcile: str) -> list[str]:
        """The problems as notes of `planner plan`, which does not search for the launches."""
        problems = self.problems()
        if not problems:
            return []
        what = "the unconfirmed ones" if self.unbilled else "them"
        shown = f"; {reconcile} shows {what}" if self.unsettled else ""
        return [*problems[:-1], f"{problems[-1]}. `planner run` searches for them{shown}"]


def launch_documents(launches: Iterable[UnsettledLaunch]) -> list[OpenLaunch]:
    return [
        OpenLaunch(
            launch_id=launch.launch_id,
            cases=list(launch.case_ids),
            reserved_cents=launch.reserved_cents,
            state="several candidates" if launch.needs_person else "not found yet",
            detail=launch.detail,
            again_at=None if launch.needs_person else launch.again_at,
        )
        for launch in launches
    ]


def open_launches_of(journal: Journal, resumed: AbstractSet[str], *, shared: bool, now: datetime) -> OpenLaunches:
    """Those that are not `resumed`. In a shared store, recent launches are skipped: another machine may be waiting for
    their answer."""
    latest = now - timedelta(seconds=LATEST_CREATION_SECONDS) if shared else None

    def left(states: Iterable[LaunchState]) -> list[Launch]:
        return [
            launch
            for launch in journal.launches(states)
            if launch.launch_id not in resumed and (latest is None or launch.sent_at < latest)
        ]

    return OpenLaunches(
        # INTENDED launches were never sent
        tuple(unsettled_launch(journal, launch) for launch in left(UNSETTLED - {LaunchState.INTENDED})),
        tuple(
            slot
            for launch in left(KNOWN)
            if launch.sent_at > now - LONGEST_RUN  # like the engine, do not wait longer for a bill
            for slot in journal.slots_of(launch.launch_id)
            if slot.run_id is not None and slot.consumed_by is slot.evidence is slot.cost_cents is None
        ),
    )


def unsettled_launch(journal: Journal, launch: Launch, *, needs_person: bool = False) -> UnsettledLaunch:
    """What may be charged for a launch that is not settled."""
    slots = journal.slots_of(launch.launch_id)
    return UnsettledLaunch(
        launch.launch_id,
        tuple(sorted({slot.case_id for slot in slots})),
        sum(slot.reserved_cents for slot in slots),
        needs_person,
        launch.detail,
    )


async def search_open_launches(
    earlier: OpenLaunches, journal: Journal, terms: SessionTerms, transactions: Transactions, clock: Clock
) -> OpenLaunches:
    """Search the service's lists once (free), by the rules of launches that are resumed, and return what is still open
    and what was found. Raises the errors of requests."""
    if not (earlier.unsettled or earlier.unbilled):
        return earlier
    client = transactions.client
    # Taken before reading: the lists are as of now.
    now = Now(clock.monotonic(), clock.now() + timedelta(seconds=client.clock_offset_seconds), 0.0)
    state = State(terms, journal, transactions.charges)
    for launch in earlier.unsettled:
        state.search(launch.launch_id, now)
    searched = _searched(state)
    other = state.launched_with_other
    unbilled = [slot for slot in earlier.unbilled if slot.launch_id not in other]
    asked_of = {*searched, *(slot.launch_id for slot in unbilled)}
    unread = [slot for slot in earlier.unbilled if slot.launch_id in other]
    billed: list[Slot] = []
    if asked_of:
        oldest = min(state.launch(launch_id).earliest for launch_id in asked_of)
        runs = await read_list(client.runs, oldest=oldest)
        if searched:
            batches = await read_list(client.batches, oldest=oldest)
            for event in settled(state, Lists(now.seconds, runs, batches, {}, searched), now):
                journal.record(event)
                apply(state, event, now)
        adopted = (slot for launch_id in searched for slot in journal.slots_of(launch_id) if slot.run_id is not None)
        unbilled += adopted
        billed = await _billed(transactions, unbilled, runs.found)
        journal.record(evidence_stored(billed))
    known = {slot.key for slot in billed}
    left = [slot for slot in unbilled if slot.key not in known]
    unsettled = (
        unsettled_launch(journal, search.unconfirmed.launch, needs_person=search.needs_person)
        for search in state.unconfirmed.values()
    )
    return OpenLaunches(tuple(unsettled), (*unread, *left), tuple(billed))


def _searched(state: State) -> frozenset[str]:
    """The launches to search for. A run that may also belong to a resumed launch is left to that one."""
    open_launches = unconfirmed_launches(state.journal.launches(UNSETTLED), state.journal)
    resumed = {item.request for item in open_launches if item.launch.launch_id not in state.unconfirmed}
    return frozenset(
        launch_id for launch_id in searchable(state) if state.unconfirmed[launch_id].unconfirmed.request not in resumed
    )


async def _billed(transactions: Transactions, slots: Iterable[Slot], runs: Mapping[int, Run]) -> list[Slot]:
    """The slots whose bill is known now, with it."""
    ended = [(slot, run) for slot in slots if (run := runs.get(slot.run_id or -1)) is not None and run.ended]
    for _, run in ended:
        transactions.charges.expect_of(run)
    await transactions.read()
    billed: list[Slot] = []
    for slot, run in ended:
        charged_cents = None if run.call_id is None else transactions.charges.charged_cents(run.call_id)
        transactions.charges.forget(run.call_id)
        with suppress(PlannerError):  # the next session tries again
            cents = await transactions.client.bill_cents(run, charged_cents)
            if cents is not None:
                billed.append(replace(slot, cost_cents=cents, completed_at=run.completed_at))
    return billed
