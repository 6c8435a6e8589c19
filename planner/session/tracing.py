"""`--trace FILE`: logs every request as a line of JSON when it ends.

Without keys, bodies, prompts or phone numbers: only method, path (with ids), sizes, times and outcome, and the kind of
an error. The first line describes the session.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pydantic_core import to_json

from planner import __version__
from planner.api.exchange import Exchange
from planner.errors import PlannerError, UsageError
from planner.reports.neutral import for_json_text
from planner.session.shell import Shell

SCHEMA_VERSION = "1.0"
LOGGED_WAIT_SECONDS = 5.0
"""Waits at least this long are shown without `-v` too."""


class Trace:
    """If the file cannot be written (full disk), the trace ends with a message, and the session continues."""

    def __init__(self, stream: TextIO | None, path: Path, shell: Shell) -> None:
        self._stream = stream
        self._path = path
        self._shell = shell
        self._since = shell.clock.monotonic()

    def begin(self, invocation_id: str, started_at: datetime, started: float) -> None:
        self._since = started
        self._write(
            {
                "schema_version": SCHEMA_VERSION,
                "tool_version": __version__,
                "invocation_id": invocation_id,
                "started_at": started_at.isoformat(),
            }
        )

    def note(self, exchange: Exchange) -> None:
        if self._stream is None:
            return
        self._write(
            {
                "offset_ms": round((exchange.started - self._since) * 1000, 1),
                "method": exchange.method,
                "path": exchange.path,
                "status": exchange.status,
                "duration_ms": round(exchange.seconds * 1000, 1),
                "sent_bytes": exchange.sent_bytes,
                "received_bytes": exchange.received_bytes,
                "fate": exchange.fate.value,
                "attempt": exchange.attempt,
                "repeated": exchange.is_repeated,
                "error": type(exchange.error).__name__ if exchange.error is not None else None,
            }
        )

    def _write(self, fields: dict[str, object]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(for_json_text(self._shell.keys.text(to_json(fields).decode())) + "\n")
            self._stream.flush()
        except OSError as error:
            self.close()
            self._shell.log(f"the trace in {self._path} ends: {error.strerror}; calls continue")

    def close(self) -> None:
        stream, self._stream = self._stream, None
        with suppress(OSError):  # buffered lines cannot be written either
            if stream is not None:
                stream.close()


@contextmanager
def open_trace(shell: Shell, path: Path | None) -> Generator[Trace]:
    """Open the trace; without a path nothing is traced. Raises `UsageError` if the file cannot be written."""
    try:
        stream = None if path is None else (shell.cwd / path).open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--trace {path} cannot be written: {error.strerror}", "Name a file in an existing folder."
        ) from error
    trace = Trace(stream, path or Path(), shell)
    try:
        yield trace
    finally:
        trace.close()


@dataclass(slots=True)
class RequestLog:
    """Messages about requests; `note` prints them."""

    shell: Shell
    trace: Trace
    note: Callable[[str], None]

    def log(self, text: str) -> None:
        """Print through the current `note`, which changes with the progress display."""
        self.note(text)

    def exchange(self, exchange: Exchange) -> None:
        """Trace a request, and print it with `-vv`."""
        self.trace.note(exchange)
        if self.shell.verbosity > 1:
            outcome = exchange.status if exchange.status is not None else exchange.error or exchange.fate.value
            self.note(f"{exchange.method} {exchange.path} → {outcome} in {exchange.seconds:.2f} s")

    def wait(self, error: PlannerError, seconds: float) -> None:
        """Explain a wait before a repeated read."""
        if self.shell.verbosity or seconds >= LOGGED_WAIT_SECONDS:
            self.note(f"{error}; retrying in {seconds:.1f} s")
