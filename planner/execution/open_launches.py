"""Open launches of earlier sessions, unconfirmed or not billed, that no current case needs, because their cases are
kept, edited, removed or not selected.

No session waits for them, but their possible cost is reported until it is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from planner.execution.engine import UnsettledLaunch
from planner.execution.launches import KNOWN, LONGEST_RUN, UNSETTLED, Launch, LaunchState, Slot
from planner.execution.reconciling import LATEST_CREATION_SECONDS
from planner.quantities import count, money
from planner.results.model import OpenLaunch
from planner.values import frozen

if TYPE_CHECKING:  # `planner plan` does not search
    from planner.execution.journal import Journal

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
        tuple(unsettled_launch(journal, launch) for launch in left(UNSETTLED)),
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
