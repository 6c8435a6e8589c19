"""Logs requests: with `-v` on standard error, and with `--trace FILE` as lines of JSON.

The trace has no keys, bodies, prompts or phone numbers, only method, path (with ids), sizes, times and outcome, and the
kind of an error. Its first line describes the session.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pydantic_core import to_json

from planner import __version__
from planner.errors import PlannerError, UsageError
from planner.providers.requests import Exchange
from planner.reports.neutral import for_json_text
from planner.shell import Shell

SCHEMA_VERSION = "2.0"
LOGGED_WAIT_SECONDS = 5.0
"""Waits at least this long are shown without `-v` too."""


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
