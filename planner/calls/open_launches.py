"""Launches of earlier sessions, unconfirmed or not billed, that no current case needs, because their cases are kept,
edited, removed or not selected. No I/O.

No session waits for them, but their possible cost is reported until it is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from planner.calls.model import LATEST_CREATION_SECONDS, Unsettled
from planner.calls.slots import Slot, cases_of, finished_runs, launches_of, slots_of
from planner.log.fold import LONGEST_RUN, State
from planner.quantities import count, money
from planner.results.model import OpenLaunch
from planner.values import frozen

_WHOSE: Final = "cases that are kept, edited, removed or not selected"


@frozen
class OpenLaunches:
    """`unbilled` are their runs without a bill; `billed` those whose bill this session found."""

    unsettled: tuple[Unsettled, ...] = ()
    unbilled: tuple[Slot, ...] = ()
    billed: tuple[Slot, ...] = ()

    @property
    def unsettled_cents(self) -> int:
        return sum(launch.intent.cents for launch in self.unsettled)

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


def launch_documents(launches: Iterable[Unsettled]) -> list[OpenLaunch]:
    return [
        OpenLaunch(
            launch_id=launch.intent.launch_id,
            cases=list(cases_of(launch.intent)),
            reserved_cents=launch.intent.cents,
            state="several candidates" if launch.needs_person else "not found yet",
            detail=launch.why,
            again_at=None if launch.needs_person else launch.again_at,
        )
        for launch in launches
    ]


def open_launches_of(state: State, resumed: AbstractSet[str], *, shared: bool, now: datetime) -> OpenLaunches:
    """Those that are not `resumed`. In a shared store, recent launches are skipped: another machine may be waiting for
    their answer."""
    latest = now - timedelta(seconds=LATEST_CREATION_SECONDS) if shared else None
    left = launches_of(
        state,
        lambda launch, intent: launch.launch_id not in resumed and (latest is None or intent.at < latest),
    )
    finished = finished_runs(state)
    return OpenLaunches(
        tuple(
            Unsettled(launch.intent, needs_person=False, why="")
            for launch in left
            if launch.is_open and launch.intent is not None
        ),
        tuple(
            slot
            for launch in left
            if launch.has_runs
            for slot in slots_of(launch)
            # As the driver, do not wait longer for a bill.
            if slot.intent.at > now - LONGEST_RUN
            and slot.run_id is not None
            and slot.run_id not in finished
            and slot.evidence is slot.cost_cents is None
        ),
    )
