"""What a session waits for: runs under way, launches with unbound runs, and unconfirmed launches. Times are monotonic
seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from planner.evidence import Evidence
from planner.execution.jobs import Job
from planner.execution.launches import Launch, Slot
from planner.execution.reconciling import Unconfirmed

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0


@dataclass(slots=True)
class Watched:
    """A run under way, or a stored run with missing parts that is read once more. `slot.run_id` is set."""

    slot: Slot
    launch: Launch
    job: Job
    since: float
    deadline: float
    resumed: bool
    ended_at: float | None = None
    reservation_cents: int | None = None
    """Its current reservation, if it differs from the slot's."""
    retry_at: float = 0.0
    """Time of the next attempt after its data could not be read."""
    pause_seconds: float = 0.0

    def back_off(self, now: float) -> None:
        """Wait longer after each failure, for this run only: an unreadable run says nothing about others."""
        self.pause_seconds = min(max(FIRST_PAUSE_SECONDS, self.pause_seconds * 2), LONGEST_PAUSE_SECONDS)
        self.retry_at = now + self.pause_seconds


@dataclass(slots=True)
class Unbound:
    """A confirmed launch with runs that are not bound to slots yet."""

    launch: Launch
    slots: int
    since: float
    deadline: float


@dataclass(slots=True)
class Search:
    """The search for an unconfirmed launch. `since` is when it was sent."""

    unconfirmed: Unconfirmed
    since: float
    needs_person: bool = False
    """Only a person can settle it."""
    other_key: bool = False
    """The launch used another API key, so the current key is not used to search for it."""


class Ended(NamedTuple):
    """A run to judge. `evidence` is None if only its digest is known, or if it is missing."""

    slot: Slot
    launch: Launch
    resumed: bool
    evidence: Evidence | None = None
    unread: str = ""
    """Why the evidence of an ended run could not be read."""
