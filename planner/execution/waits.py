"""What a session waits for: runs in progress, unknown runs, unconfirmed launches, the service itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from planner.execution.engine import Job, Now
from planner.execution.launches import Launch, Slot
from planner.execution.reconciling import Unconfirmed
from planner.quantities import rounded_duration

LONGEST_TRY_SECONDS: Final = 250.0
"""If more time than this passes between two failed requests, assume that the process was suspended."""


@dataclass(slots=True)
class Outage:
    """How long the service has been unavailable. Times are monotonic seconds."""

    since: float | None = None
    """None while the service answers."""
    message: str = ""
    """The last error."""
    _seconds: float = 0.0
    """Without the time that this process was suspended."""
    _last: float = 0.0

    def failed(self, message: str, now: float) -> None:
        self.message = message
        if self.since is None:
            self.since, self._seconds = now, 0.0
        else:
            self._seconds += min(now - self._last, LONGEST_TRY_SECONDS)
        self._last = now

    def lasts(self, seconds: float) -> bool:
        """Whether it has lasted at least this long."""
        return self.since is not None and self._seconds >= seconds

    def gone_seconds(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since

    def describe(self, now: float, *, give_up_seconds: float) -> str:
        return (
            f"the service has been unavailable for {rounded_duration(self.gone_seconds(now))}"
            f" (giving up after {rounded_duration(give_up_seconds)}): {self.message}"
        )


FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0


@dataclass(slots=True)
class Watched:
    """A run under way, or a stored run with missing parts that is read once more. `slot.run_id` is set. Times are
    monotonic seconds."""

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
    problem: str = ""
    """Why its row in the service's list cannot be read; then nobody knows whether it has ended."""

    def age_seconds(self, now: Now) -> float:
        """Seconds since the service was to start this run."""
        return now.seconds_since(self.launch.sent_at)

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
