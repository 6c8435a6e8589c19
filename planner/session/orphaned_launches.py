"""Orphaned launches: unconfirmed or unbilled launches of earlier sessions that no current case needs, because their
cases are kept, edited, removed or not selected.

No session waits for them, but their possible cost is reported until it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from planner.errors import PlannerError, StoreError
from planner.execution.absent_launches import possibly_sent
from planner.execution.engine import UnsettledLaunch
from planner.execution.events import Moved
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import KNOWN, LONGEST_RUN, OTHER_KEY, UNSETTLED, Launch, LaunchState, Slot
from planner.execution.reading import read_list
from planner.execution.reconciling import (
    LATEST_CREATION_SECONDS,
    Match,
    bind_slots,
    search_launches,
    unconfirmed_launches,
)
from planner.quantities import count, money
from planner.results.model import OpenLaunch
from planner.session.interruption import until_interrupted
from planner.values import frozen

if TYPE_CHECKING:  # `planner plan` does not search
    from planner.execution.journal import Journal
    from planner.execution.reading import Listed, Transactions
    from planner.execution.reconciling import Unconfirmed
    from planner.providers.base import Batch, Run
    from planner.session.run_session import RunSession

_WHOSE = "cases that are kept, edited, removed or not selected"


@frozen
class OrphanedLaunches:
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
        )
        for launch in launches
    ]


def orphans_of(journal: Journal, resumed_slots: AbstractSet[str], *, shared: bool, now: datetime) -> OrphanedLaunches:
    """The orphaned launches; `resumed` are launches that this session resumes. In a shared store, recent launches are
    skipped: another machine may be waiting for their answer."""
    latest = now - timedelta(seconds=LATEST_CREATION_SECONDS) if shared else None

    def orphaned(states: Iterable[LaunchState]) -> list[Launch]:
        return [
            launch
            for launch in journal.launches(states)
            if launch.launch_id not in resumed_slots and (latest is None or launch.sent_at < latest)
        ]

    return OrphanedLaunches(
        # INTENDED launches were never sent
        tuple(unsettled_launch(journal, launch) for launch in orphaned(UNSETTLED - {LaunchState.INTENDED})),
        tuple(
            slot
            for launch in orphaned(KNOWN)
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


async def search_orphans(session: RunSession, orphans: OrphanedLaunches) -> OrphanedLaunches:
    """Search the service's lists once (free) and return the remaining orphaned launches with what was found. Errors of
    the service do not stop the session."""
    if not (orphans.unsettled or orphans.unbilled):
        return orphans

    async def search() -> OrphanedLaunches:
        try:
            return await _search(session, orphans)
        except StoreError:
            raise
        except PlannerError as error:
            session.shell.log(f"the search for earlier launches failed: {error}")
            return orphans

    return await until_interrupted(search, session.interrupted) or orphans


async def _search(session: RunSession, orphans: OrphanedLaunches) -> OrphanedLaunches:
    journal, client = session.journal, session.transactions.client
    # Taken before reading: the lists are as of now.
    looked = session.shell.clock.now() + timedelta(seconds=client.clock_offset_seconds)
    other = journal.launched_with_other(client.credential)
    launches = [launch for launch in journal.launches(UNSETTLED) if launch.launch_id not in other]
    not_asked = [slot for slot in orphans.unbilled if slot.launch_id in other]
    unbilled = [slot for slot in orphans.unbilled if slot.launch_id not in other]
    billed_of = {slot.launch_id for slot in unbilled}
    asked = [*launches, *(launch for launch in journal.launches(KNOWN) if launch.launch_id in billed_of)]
    unsettled = [
        replace(launch, needs_person=True, detail=f"{OTHER_KEY}: {launch.detail}")
        for launch in orphans.unsettled
        if launch.launch_id in other
    ]
    if not asked:
        return replace(orphans, unsettled=tuple(unsettled))
    runs = await read_list(client.runs, oldest=min(launch.earliest for launch in asked))
    if ids := {launch.launch_id for launch in orphans.unsettled} - other:
        batches = await read_list(client.batches, oldest=min(launch.earliest for launch in launches))
        missing: list[Unconfirmed] = []
        for match in _matches(journal, launches, runs, batches, ids):
            launch = match.unconfirmed.launch
            is_settled = (looked - launch.sent_at).total_seconds() >= session.loaded.project.execution.settle_seconds
            if match.found is not None:
                unbilled += _adopted(journal, match, runs.found)
            elif not match.candidates and runs.whole and is_settled:
                missing.append(match.unconfirmed)
            else:
                unsettled.append(unsettled_launch(journal, launch, needs_person=bool(match.candidates)))
        uncertain = possibly_sent(missing, batches=batches, runs=runs, journal=journal)
        for launch in (unconfirmed.launch for unconfirmed in missing):
            if launch.launch_id in uncertain:
                unsettled.append(unsettled_launch(journal, launch, needs_person=True))
            else:
                detail = "not listed by the service after the settling time"
                journal.record(Moved(launch.launch_id, LaunchState.ABSENT, detail=detail))
    billed = await _billed(session.transactions, unbilled, runs.found)
    journal.record(evidence_stored(billed))
    known = {slot.key for slot in billed}
    left = [slot for slot in unbilled if slot.key not in known]
    return OrphanedLaunches(tuple(unsettled), (*not_asked, *left), tuple(billed))


def _matches(
    journal: Journal,
    launches: Sequence[Launch],
    runs: Listed[Run],
    batches: Listed[Batch],
    wanted: AbstractSet[str],
) -> list[Match]:
    """Matches of the `wanted` launches. A run that may also belong to a resumed launch is left to that one."""
    unconfirmed = unconfirmed_launches(launches, journal)
    theirs = {item.identity for item in unconfirmed if item.launch.launch_id not in wanted}
    return [
        Match(match.unconfirmed, None, match.candidates or ()) if match.unconfirmed.identity in theirs else match
        for match in search_launches(unconfirmed, batches=batches, runs=runs, journal=journal)
        if match.unconfirmed.launch.launch_id in wanted
    ]


def _adopted(journal: Journal, match: Match, runs: Mapping[int, Run]) -> list[Slot]:
    """Adopt a match; return its bound slots."""
    launch, found = match.unconfirmed.launch, match.found
    assert found is not None
    bindings = bind_slots(match.unconfirmed.slots, runs, found.run_ids)
    journal.record(
        Moved(launch.launch_id, LaunchState.ADOPTED, launch.detail, found.batch_id, found.run_ids, bindings=bindings)
    )
    return [slot for slot in journal.slots_of(launch.launch_id) if slot.run_id is not None]


async def _billed(transactions: Transactions, slots: Iterable[Slot], runs: Mapping[int, Run]) -> list[Slot]:
    """The slots whose bill is known now, with it."""
    ended = [(slot, run) for slot in slots if (run := runs.get(slot.run_id or -1)) is not None and run.ended]
    for _, run in ended:
        transactions.expect_of(run)
    await transactions.read()
    billed: list[Slot] = []
    for slot, run in ended:
        charged_cents = None if run.call_id is None else transactions.charged_cents(run.call_id)
        transactions.forget(run.call_id)
        with suppress(PlannerError):  # the next session tries again
            cents = await transactions.client.bill_cents(run, charged_cents)
            if cents is not None:
                billed.append(replace(slot, cost_cents=cents, completed_at=run.completed_at))
    return billed
