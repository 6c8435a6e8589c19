"""Shows progress on standard error while calls are made.

On a terminal it is one line, redrawn in place. Otherwise, as in CI: a new line when something changed, at most every
few seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from planner.reports.neutral import for_terminal
from planner.reports.progress import ProgressState, line
from planner.shell import Shell

PLAIN_INTERVAL_SECONDS: Final = 5.0
_LIVE_INTERVAL_SECONDS: Final = 0.125
_CLEAR: Final = "\x1b[1G\x1b[2K"
"""To the first column, and erase the line."""


class ProgressDisplay:
    """Writes the first state, changes at most once per interval, and the last state on `close`."""

    def __init__(self, shell: Shell) -> None:
        self._stream, self._clock = shell.err, shell.clock.monotonic
        self._live_width = shell.width - 1 if shell.err_is_live else 0
        self._interval = _LIVE_INTERVAL_SECONDS if self._live_width else PLAIN_INTERVAL_SECONDS
        self._written_at: float | None = None
        self._written: ProgressState | None = None
        self._state: ProgressState | None = None

    def update(self, state: ProgressState) -> None:
        self._state = state
        now = self._clock()
        if self._written_at is None or now - self._written_at >= self._interval:
            self._write_state(now)

    def note(self, message: str) -> None:
        """Print a permanent message: a retry, an adopted run, a reached ceiling."""
        self._write(f"{_CLEAR if self._live_width and self._written else ''}{for_terminal(message)}\n")
        if self._live_width and self._written:
            self._write(line(self._written)[: self._live_width])

    def close(self) -> None:
        """Write the last state; afterwards nothing is written."""
        if self._state is None:
            return
        self._write_state(self._clock())
        if self._live_width:
            self._write("\n")
        self._state = None

    def _write_state(self, now: float) -> None:
        """Write the state if something other than time and reservations changed."""
        assert self._state is not None
        news = replace(self._state, reserved_cents=0, elapsed_seconds=0, left_seconds=None)
        if not self._live_width and self._written == news:
            return
        self._written, self._written_at = self._state if self._live_width else news, now
        text = line(self._state)
        self._write(f"{_CLEAR}{text[: self._live_width]}" if self._live_width else f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
