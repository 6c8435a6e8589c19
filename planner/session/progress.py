"""Shows progress on standard error while calls are made, and logs requests.

Progress on a terminal is one line, redrawn in place. Otherwise, as in CI: a new line when something changed, at most
every few seconds. Requests are logged with `-v` on standard error, and with `--trace FILE` as lines of JSON: the trace
has no keys, bodies, prompts or phone numbers, only method, path (with ids), sizes, times and outcome, and the kind of
an error. Its first line describes the session.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from pydantic_core import to_json

from planner import __version__
from planner.errors import PlannerError, UsageError
from planner.providers.requests import Exchange
from planner.quantities import duration, money
from planner.reports.neutral import for_json_text, for_terminal
from planner.shell import Shell
from planner.values import frozen

PLAIN_INTERVAL_SECONDS: Final = 5.0
_LIVE_INTERVAL_SECONDS: Final = 0.125
_CLEAR: Final = "\x1b[1G\x1b[2K"
"""To the first column, and erase the line."""


@frozen
class ProgressState:
    """The progress of a session: money billed (`spent`) and reserved for runs in flight. `left_seconds` is None if
    unknown."""

    runs_done: int
    runs_total: int
    in_flight: int
    spent_cents: int
    reserved_cents: int
    ceiling_cents: int | None
    elapsed_seconds: float
    left_seconds: float | None
    waiting: str = ""
    """Why a launch waits, such as `concurrency limit 20 (learned)`."""


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


def line(state: ProgressState) -> str:
    """`34 of 72 runs · $5.44 of $9.00 · about 2 min left · 12 in flight · 1 min 20 s elapsed · concurrency limit 20
    (learned)`."""
    ceiling = "" if state.ceiling_cents is None else f" of {money(state.ceiling_cents)}"
    parts = [f"{state.runs_done:,} of {state.runs_total:,} runs", f"{money(state.spent_cents)}{ceiling}"]
    if state.left_seconds is not None and state.runs_done < state.runs_total:
        parts.append(f"about {duration(max(1, round(state.left_seconds)))} left")
    if state.in_flight:
        parts.append(f"{state.in_flight:,} in flight")
    if state.reserved_cents:
        parts.append(f"{money(state.reserved_cents)} reserved")
    parts.append(f"{duration(int(state.elapsed_seconds))} elapsed")
    if state.waiting:
        parts.append(for_terminal(state.waiting))
    return " · ".join(parts)


SCHEMA_VERSION = "2.0"
LOGGED_WAIT_SECONDS = 5.0
"""Waits at least this long are shown without `-v` too."""


# The log of requests


class RequestLog:
    """`note` prints messages; it changes with the progress display. If the trace cannot be written (full disk), it ends
    with a message, and the session continues."""

    def __init__(self, shell: Shell, path: Path | None, stream: TextIO | None) -> None:
        self.note: Callable[[str], None] = shell.log
        self._shell = shell
        self._path = path
        self._stream = stream
        self._since = shell.clock.monotonic()

    def begin(self, session_id: str, started_at: datetime, started: float) -> None:
        """Start the trace. `started` is monotonic."""
        self._since = started
        self._write(
            {
                "schema_version": SCHEMA_VERSION,
                "tool_version": __version__,
                "session_id": session_id,
                "started_at": started_at.isoformat(),
            }
        )

    def log(self, text: str) -> None:
        self.note(text)

    def exchange(self, exchange: Exchange) -> None:
        """Trace a request, and print it with `-vv`."""
        self._write(
            {
                "offset_ms": round((exchange.started - self._since) * 1000, 1),
                "method": exchange.method,
                "path": exchange.path,
                "status": exchange.status,
                "duration_ms": round(exchange.seconds * 1000, 1),
                "sent_bytes": exchange.sent_bytes,
                "received_bytes": exchange.received_bytes,
                "outcome": exchange.outcome.value,
                "attempt": exchange.attempt,
                "repeated": exchange.is_repeated,
                "error": type(exchange.error).__name__ if exchange.error is not None else None,
                "request_id": exchange.request_id or None,
                "unreadable_rows": exchange.unreadable_rows,
            }
        )
        if self._shell.verbosity > 1:
            outcome = exchange.status if exchange.status is not None else exchange.error or exchange.outcome.value
            self.note(f"{exchange.method} {exchange.path} → {outcome} in {exchange.seconds:.2f} s")

    def wait(self, error: PlannerError, seconds: float) -> None:
        """Explain a wait before a repeated read."""
        if self._shell.verbosity or seconds >= LOGGED_WAIT_SECONDS:
            self.note(f"{error}; retrying in {seconds:.1f} s")

    def close(self) -> None:
        stream, self._stream = self._stream, None
        with suppress(OSError):  # buffered lines cannot be written either
            if stream is not None:
                stream.close()

    def _write(self, fields: dict[str, object]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(for_json_text(self._shell.keys.text(to_json(fields).decode())) + "\n")
            self._stream.flush()
        except OSError as error:
            self.close()
            self._shell.log(f"the trace {self._path} can no longer be written: {error.strerror}; calls continue")


@contextmanager
def open_request_log(shell: Shell, path: Path | None) -> Generator[RequestLog]:
    """Without a path, nothing is traced. Raises `UsageError` if the file cannot be written."""
    try:
        stream = None if path is None else (shell.cwd / path).open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--trace {path} cannot be written: {error.strerror}", "Name a file in an existing folder."
        ) from error
    log = RequestLog(shell, path, stream)
    try:
        yield log
    finally:
        log.close()
