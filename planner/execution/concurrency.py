"""How many runs the service lets us have at once: learned, since it does not say.

Doubling until the first 429, then by halves between what fits and what did not, then one run more a round (TCP's congestion
control, RFC 5681 and 9438, with runs for segments). A refusal tells more than a lost packet does: the decrease is to the
runs in flight, and no further. Where more fit than once were refused, the steps double again.
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
    too_many: int | None = None
    """So many at once were refused, the latest time that any were."""
    pause_until: float = 0.0
    _pause_seconds: float = 0.0
    _probe: int = 1

    @property
    def current(self) -> int:
        limit = max(1, int(self.learned))
        return limit if self.ceiling is None else min(limit, self.ceiling)

    def accepted(self, runs: int, *, in_flight: int) -> None:
        """A launch of `runs`, with which `in_flight` are under way."""
        self._pause_seconds = 0.0
        if self.too_many is None:
            self.learned = max(self.learned, 2.0 * in_flight)
        elif in_flight >= self.too_many:  # no more: somebody else has left
            self._probe = min(2 * self._probe, in_flight)
            self.learned = max(self.learned, float(in_flight + self._probe))
        elif self.learned < self.too_many - 1:
            gap = self.too_many - 1 - self.learned
            self.learned += min(max(gap / 2, 1.0), gap)
        else:
            self.learned += runs / self.learned

    def refused(
        self, runs: int, *, in_flight: int, others: int = 0, now: float, retry_after_seconds: float | None
    ) -> float:
        """A launch of `runs` met 429 while `in_flight` were under way. Returns the pause in seconds.

        `others` are in launches that were sent at the same time: most likely it is they that have the places. More than one
        run: half of them may fit, and asking for less is another question, asked at once. One: what is in flight is all that
        fits; the first such refusal needs no pause, since nothing is launched until a run ends, later ones do.
        """
        self.too_many = in_flight + others + runs
        self._probe = 1
        self.learned = max(1.0, float(in_flight + others + runs // 2))
        pause = 0.0 if runs > 1 else self._pause_seconds
        if runs == 1:
            self._pause_seconds = min(max(self._pause_seconds * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            if in_flight == 0:
                pause = max(pause, FIRST_PAUSE_SECONDS)
        if retry_after_seconds:  # an invitation to come back at once would be taken up for ever
            pause = retry_after_seconds
        self.pause_until = now + pause
        return pause
