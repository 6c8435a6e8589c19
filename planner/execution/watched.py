"""What is watched for: runs under way, launches whose runs are not all known, launches of unknown fate."""

from __future__ import annotations

from dataclasses import dataclass

from planner.execution.launches import Launch, Slot
from planner.execution.reconciling import Lost
from planner.execution.work import CaseWork

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0


@dataclass(slots=True)
class Watched:
    """A run under way, or one whose evidence was stored with parts missing and is read once more. Times in monotonic seconds;
    `slot.run_id` is set."""

    slot: Slot
    launch: Launch
    work: CaseWork
    since: float
    deadline: float
    resumed: bool
    ended_at: float | None = None
    held_cents: int | None = None
    """What the ledger holds for it, where that is no longer what the slot reserved."""
    read_again_at: float = 0.0
    """Not before: what the service tells of it could not be read the last time."""
    pause_seconds: float = 0.0

    def read_in_vain(self, now: float) -> None:
        """Each time a longer pause, for this run alone: that others can be read says nothing of an answer that makes no sense."""
        self.pause_seconds = min(max(FIRST_PAUSE_SECONDS, self.pause_seconds * 2), LONGEST_PAUSE_SECONDS)
        self.read_again_at = now + self.pause_seconds


@dataclass(slots=True)
class Unbound:
    """A launch that was carried out, some of whose runs are not matched to slots yet. Times in monotonic seconds."""

    launch: Launch
    slots: int
    since: float
    deadline: float


@dataclass(slots=True)
class Doubt:
    """A launch of unknown fate. `since` is when it was sent, in monotonic seconds."""

    lost: Lost
    since: float
    several: bool = False
    """More than one match: only a person can settle it."""
    other_key: bool = False
    """It was made with another key, which may see other runs: this one is not asked about it."""
