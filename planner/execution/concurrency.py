"""How many runs the service lets us have at once: learned, since it does not say.

Doubling until the first 429, then additive increase and a decrease to what was seen to fit (TCP's congestion avoidance,
RFC 5681, with runs for segments; the refusal tells more than a lost packet does, so the decrease is to the runs in flight).
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_LIMIT = 8
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class ConcurrencyLimit:
    """`ceiling` is ours (`--max-concurrent`, policy); `pause_until` is in monotonic seconds."""

    ceiling: int | None = None
    learned: float = FIRST_LIMIT
    refused_before: bool = False
    pause_until: float = 0.0
    _pause_seconds: float = 0.0

    @property
    def current(self) -> int:
        limit = max(1, int(self.learned))
        return limit if self.ceiling is None else min(limit, self.ceiling)

    def accepted(self, runs: int) -> None:
        self.learned += runs / self.learned if self.refused_before else runs
        self._pause_seconds = 0.0

    def refused(self, runs: int, *, in_flight: int, now: float, retry_after_seconds: float | None) -> float:
        """A launch of `runs` met 429 while `in_flight` were under way. Returns the pause in seconds.

        More than one: half of them may fit, and asking for less is another question, asked at once. One: what is in flight
        is all that fits; the first such refusal needs no pause, since nothing is launched until a run ends, later ones do.
        """
        self.refused_before = True
        self.learned = max(1.0, float(in_flight + runs // 2))
        pause = 0.0 if runs > 1 else self._pause_seconds
        if runs == 1:
            self._pause_seconds = min(max(self._pause_seconds * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            if in_flight == 0:
                pause = max(pause, FIRST_PAUSE_SECONDS)
        if retry_after_seconds:  # an invitation to come back at once would be taken up for ever
            pause = retry_after_seconds
        self.pause_until = now + pause
        return pause
