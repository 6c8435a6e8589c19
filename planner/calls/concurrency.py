"""Learns how many runs the service accepts at the same time.

The limit doubles until the first 429, then bisects between accepted and refused numbers, then grows by one run per
round (TCP congestion control, RFC 5681 and 9438, with runs as segments). After a 429 the limit drops only to the runs
in flight, since a refusal is more precise than a lost packet. If more runs fit than were once refused, the steps double
again.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_LIMIT = 8
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class ConcurrencyLimit:
    """`ceiling` is the configured limit (`policy.max_concurrent_runs`). `pause_until` is in monotonic seconds."""

    ceiling: int | None = None
    learned: float = FIRST_LIMIT
    too_many: int | None = None
    """The number of concurrent runs at the last refusal."""
    pause_until: float = 0.0
    _pause_seconds: float = 0.0
    _probe: int = 1

    @property
    def current(self) -> int:
        limit = max(1, int(self.learned))
        return limit if self.ceiling is None else min(limit, self.ceiling)

    def accepted(self, runs: int, *, in_flight: int) -> None:
        """A launch of `runs` was accepted; `in_flight` are now under way."""
        self._pause_seconds = 0.0
        if self.too_many is None:
            self.learned = max(self.learned, 2.0 * in_flight)
        elif in_flight >= self.too_many:  # capacity has grown, perhaps because another client finished
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
        """A launch of `runs` was refused with 429 while `in_flight` were under way. Returns the pause in seconds.

        `others` are runs in launches sent at the same time, which probably took the capacity. If more than one run was
        refused, a smaller launch is tried at once. If one run was refused, the runs in flight are the limit: the first
        refusal needs no pause, since nothing is launched until a run ends; later ones do.
        """
        self.too_many = in_flight + others + runs
        self._probe = 1
        self.learned = max(1.0, float(in_flight + others + runs // 2))
        pause = 0.0
        if runs == 1:
            pause = self._pause_seconds
            self._pause_seconds = min(max(self._pause_seconds * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            if in_flight == 0:
                pause = max(pause, FIRST_PAUSE_SECONDS)
        if retry_after_seconds:  # a zero would cause a busy loop
            pause = retry_after_seconds
        self.pause_until = now + pause
        return pause
