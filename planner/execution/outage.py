"""How long the service has been unavailable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from planner.quantities import rounded_duration

LONGEST_TRY_SECONDS: Final = 250.0
"""If more time than this passes between two failed requests, assume that the process was suspended."""


@dataclass(slots=True)
class Outage:
    """Times are monotonic seconds."""

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
