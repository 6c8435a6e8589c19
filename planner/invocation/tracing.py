"""`--trace FILE`: every request as a line of JSON, written as it ends. For whoever has to find out what went on with a service.

No key, no body, no prompt, no phone number: of a request only its method, path (which holds ids), sizes, time and fate; of an
error only its kind. The first line tells of the invocation.
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
from planner.invocation.shell import Shell
from planner.reports.neutral import for_json_text

SCHEMA_VERSION = "1.0"
TOLD_WAIT_SECONDS = 5.0
"""A read that is repeated only after so long is told of to everybody."""


class Trace:
    """Where it cannot be written any more (a full disk), it ends and says so; the invocation goes on."""

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
            self._shell.tell(f"the trace in {self._path} ends here: {error.strerror}; the calls go on")

    def close(self) -> None:
        stream, self._stream = self._stream, None
        with suppress(OSError):  # what it still held back cannot be written either
            if stream is not None:
                stream.close()


@contextmanager
def open_trace(shell: Shell, path: Path | None) -> Generator[Trace]:
    """Nothing is traced without a path. Raises `UsageError` where the file cannot be written, before anything is done."""
    try:
        stream = None if path is None else (shell.cwd / path).open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--trace {path} cannot be written: {error.strerror}", "Name a file in a folder that is there."
        ) from error
    trace = Trace(stream, path or Path(), shell)
    try:
        yield trace
    finally:
        trace.close()


@dataclass(slots=True)
class Telling:
    """What is said of requests while they are made; `note` is where to."""

    shell: Shell
    trace: Trace
    note: Callable[[str], None]

    def say(self, text: str) -> None:
        """To wherever that is at this moment: a progress line may have come or gone."""
        self.note(text)

    def exchange(self, exchange: Exchange) -> None:
        """To the trace, and with `-vv` to people."""
        self.trace.note(exchange)
        if self.shell.verbosity > 1:
            told = exchange.status if exchange.status is not None else exchange.error or exchange.fate.value
            self.note(f"{exchange.method} {exchange.path} → {told} in {exchange.seconds:.2f} s")

    def wait(self, error: PlannerError, seconds: float) -> None:
        """Why nothing seems to happen."""
        if self.shell.verbosity or seconds >= TOLD_WAIT_SECONDS:
            self.note(f"{error}; asking again in {seconds:.1f} s")
