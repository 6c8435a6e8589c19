"""Launches of earlier invocations that stand in for no call of this change set: their cases are kept (after `--rerun all`, say),
were edited or removed since, or are not selected. Nobody waits for them, and they hold nothing up; but what they may have cost is told until it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import anyio

from planner.api.wire import WireBatch, WireRun
from planner.errors import PlannerError, StoreError
from planner.evidence.reading import evidence_from_wire
from planner.execution.absence import unproven
from planner.execution.clock import Clock
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, OTHER_KEY, UNSETTLED, Launch, LaunchState, Slot
from planner.execution.listing import Listed, read_list
from planner.execution.looking import look_for, lost_launches
from planner.execution.reconciling import LATEST_CREATION_SECONDS, Lost, Match, bind_slots
from planner.execution.rereading import LONGEST_RUN
from planner.execution.transactions import Transactions
from planner.execution.work import UnsettledLaunch
from planner.invocation.selection import Loaded
from planner.invocation.shell import Shell
from planner.reports.quantities import count, money
from planner.results.model import OpenLaunch

_WHOSE = "cases that are kept, were edited or removed since, or are not selected"


@dataclass(frozen=True, slots=True)
class Stray:
    """`unbilled` are runs of such launches, answered or found at the service, whose bill is not known yet; `billed` those whose
    bill this invocation has found."""

    unsettled: tuple[UnsettledLaunch, ...] = ()
    unbilled: tuple[Slot, ...] = ()
    billed: tuple[Slot, ...] = ()

    @property
    def unsettled_cents(self) -> int:
        return sum(launch.reserved_cents for launch in self.unsettled)

    @property
    def held_cents(self) -> int:
        """What may still be billed."""
        return self.unsettled_cents + sum(slot.reserved_cents for slot in self.unbilled)

    def problems(self) -> list[str]:
        told: list[str] = []
        if self.unsettled:
            launches = count(len(self.unsettled), "launch", "launches")
            told.append(f"{launches} of unknown fate (up to {money(self.unsettled_cents)}) for {_WHOSE}")
        if self.unbilled:
            cents = sum(slot.reserved_cents for slot in self.unbilled)
            calls = count(len(self.unbilled), "call")
            told.append(f"{calls} of earlier launches (up to {money(cents)}) for {_WHOSE}: not billed yet")
        if self.billed:
            cents = sum(slot.cost_cents or 0 for slot in self.billed)
            calls = count(len(self.billed), "call")
            runs = ", ".join(str(slot.run_id) for slot in self.billed)
            told.append(f"{calls} of earlier launches cost {money(cents)}, for {_WHOSE}: run {runs}")
        return told

    def told(self, reconcile: str) -> list[str]:
        """For `planner plan`, which looks nowhere."""
        problems = self.problems()
        if not problems:
            return []
        what = "those of unknown fate" if self.unbilled else "them"
        shown = f"; {reconcile} shows {what}" if self.unsettled else ""
        return [*problems[:-1], f"{problems[-1]}. `planner run` looks for them{shown}"]

    def next_steps(self, reconcile: str) -> list[str]:
        """`reconcile`: the command that shows them."""
        return [f"What became of them, as far as the service tells: {reconcile}"] if self.unsettled else []


NO_STRAY = Stray()


def launch_documents(launches: Iterable[UnsettledLaunch]) -> list[OpenLaunch]:
    return [
        OpenLaunch(
            launch_id=launch.launch_id,
            cases=list(launch.case_ids),
            reserved_cents=launch.reserved_cents,
            state="several candidates" if launch.several else "not found yet",
            detail=launch.detail,
        )
        for launch in launches
    ]


def stray_of(journal: Journal, standing_in: AbstractSet[str], *, shared: bool, now: datetime) -> Stray:
    """`standing_in` are the launches that are gone on with. Where the store is shared, a launch may be another machine's, that
    is at it this moment: those are left alone as long as their answer may come."""
    latest = now - timedelta(seconds=LATEST_CREATION_SECONDS) if shared else None

    def strays(states: Iterable[LaunchState]) -> list[Launch]:
        return [
            launch
            for launch in journal.launches(states)
            if launch.launch_id not in standing_in and (latest is None or launch.sent_at < latest)
        ]

    return Stray(
        # INTENDED: it never left
        tuple(_unsettled(journal, launch) for launch in strays(UNSETTLED - {LaunchState.INTENDED})),
        tuple(
            slot
            for launch in strays(KNOWN)
            if launch.sent_at > now - LONGEST_RUN  # what has no bill by then is not waited for, as in the engine
            for slot in journal.slots_of(launch.launch_id)
            if slot.run_id is not None and slot.consumed_by is slot.evidence is slot.cost_cents is None
        ),
    )


def _unsettled(journal: Journal, launch: Launch, *, several: bool = False) -> UnsettledLaunch:
    slots = journal.slots_of(launch.launch_id)
    return UnsettledLaunch(
        launch.launch_id,
        tuple(sorted({slot.case_id for slot in slots})),
        sum(slot.reserved_cents for slot in slots),
        several,
        launch.detail,
    )


async def look_for_stray(
    shell: Shell, transactions: Transactions, journal: Journal, stray: Stray, interrupted: anyio.Event, loaded: Loaded
) -> Stray:
    """One look at the service's lists, which costs nothing: what is left of `stray`, and what became known. Whatever the service
    does, the invocation goes on."""
    if not (stray.unsettled or stray.unbilled):
        return stray
    found = [stray]
    settle_seconds = loaded.project.execution.settle_seconds

    async def look(scope: anyio.CancelScope) -> None:
        try:
            found.append(await _looked_for(transactions, journal, stray, shell.clock, settle_seconds))
        except StoreError:
            raise
        except PlannerError as error:
            shell.tell(f"earlier launches could not be looked for: {error}")
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look, tasks.cancel_scope)
        await interrupted.wait()
        tasks.cancel_scope.cancel()
    return found[-1]


async def _looked_for(
    transactions: Transactions, journal: Journal, stray: Stray, clock: Clock, settle_seconds: float
) -> Stray:
    client = transactions.client
    looked = clock.now() + timedelta(seconds=client.clock_offset_seconds)  # before: what is read is as new as this
    other = journal.launched_with_other(client.credential)
    launches = [launch for launch in journal.launches(UNSETTLED) if launch.launch_id not in other]
    billed_of = {slot.launch_id for slot in stray.unbilled} - other
    asked = [
        *launches,
        *(launch for launch in journal.launches(KNOWN) if launch.launch_id in billed_of),
    ]
    unsettled = [
        replace(launch, several=True, detail=f"{OTHER_KEY}: {launch.detail}")
        for launch in stray.unsettled
        if launch.launch_id in other
    ]
    if not asked:
        return replace(stray, unsettled=tuple(unsettled))
    runs = await read_list(client.runs, oldest=min(launch.earliest for launch in asked))
    unbilled = [slot for slot in stray.unbilled if slot.launch_id not in other]
    ids = {launch.launch_id for launch in stray.unsettled} - other
    if ids:
        batches = await read_list(client.batches, oldest=min(launch.earliest for launch in launches))
        missing: list[Lost] = []
        for match in _matches(journal, launches, runs, batches, ids):
            launch = match.lost.launch
            age_seconds = (looked - launch.sent_at).total_seconds()
            if match.found is not None:
                unbilled += _adopted(journal, match, runs.found)
            elif not match.candidates and runs.whole and age_seconds >= settle_seconds:
                missing.append(match.lost)
            else:
                unsettled.append(_unsettled(journal, launch, several=bool(match.candidates)))
        doubtful = unproven(missing, batches=batches, runs=runs, journal=journal)
        for launch in (lost.launch for lost in missing):
            if launch.launch_id in doubtful:
                unsettled.append(_unsettled(journal, launch, several=True))
            else:
                journal.settle(launch.launch_id, LaunchState.ABSENT, detail="not at the service when it had settled")
    ended = {slot.key: run for slot in unbilled if (run := runs.found.get(slot.run_id or -1)) is not None and run.ended}
    for run in ended.values():
        transactions.expect_of(run)
    await transactions.read()
    found = [await _billed(transactions, slot, ended[slot.key]) for slot in unbilled if slot.key in ended]
    billed = [slot for slot in found if slot is not None]
    not_asked = tuple(slot for slot in stray.unbilled if slot.launch_id in other)
    journal.collect(billed)
    known = {slot.key for slot in billed}
    left = tuple(slot for slot in unbilled if slot.key not in known)
    return Stray(tuple(unsettled), (*not_asked, *left), tuple(billed))


def _matches(
    journal: Journal,
    launches: Sequence[Launch],
    runs: Listed[WireRun],
    batches: Listed[WireBatch],
    wanted: AbstractSet[str],
) -> list[Match]:
    """Of those `wanted`, in the light of all. What may as well be a launch's that is gone on with is left to that one."""
    lost = lost_launches(launches, journal)
    theirs = {item.identity for item in lost if item.launch.launch_id not in wanted}
    return [
        Match(match.lost, None, match.candidates or ()) if match.lost.identity in theirs else match
        for match in look_for(lost, batches=batches, runs=runs, journal=journal)
        if match.lost.launch.launch_id in wanted
    ]


def _adopted(journal: Journal, match: Match, runs: dict[int, WireRun]) -> list[Slot]:
    """Its runs that are known."""
    launch, found = match.lost.launch, match.found
    assert found is not None
    journal.settle(
        launch.launch_id,
        LaunchState.ADOPTED,
        detail=launch.detail,
        batch_id=found.batch_id,
        run_ids=found.run_ids,
        bindings=bind_slots(match.lost.slots, runs, found.run_ids),
    )
    return [slot for slot in journal.slots_of(launch.launch_id) if slot.run_id is not None]


async def _billed(transactions: Transactions, slot: Slot, run: WireRun) -> Slot | None:
    """With the bill of its run, where the service tells of one."""
    charged_cents = None if run.call_id is None else transactions.charged_cents(run.call_id)
    transactions.forget(run.call_id)
    try:
        call = None if run.call_id is None else await transactions.client.call(run.call_id)
    except PlannerError:  # the next invocation asks again
        call = None
    cents = evidence_from_wire(run, call, None, None, None, charged_cents).cost_cents
    return None if cents is None else replace(slot, cost_cents=cents, completed_at=run.completed_at)
