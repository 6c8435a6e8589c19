"""The composition root: the only place that reads the real clock, environment, randomness and streams."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from planner.key_redaction import KeyRedactor, keys_of
from planner.values import frozen

if TYPE_CHECKING:
    from planner.shell import Shell


class _SafeStream:
    """A text stream that replaces API keys and control characters in everything written to it, tracebacks included."""

    def __init__(self, stream: TextIO, keys: KeyRedactor) -> None:
        self.stream = stream
        self._keys = keys
        self.was_written = False

    def write(self, text: str) -> int:
        self.was_written = True
        text = self._keys.text(text) if self._keys else text
        if not text.replace("\n", "").isprintable():
            from planner.reports.neutral import printable

            text = printable(text, terminal=self.stream.isatty())
        self.stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _SafeMessages(_SafeStream):
    """Standard error. If it can no longer be written, because its reader has gone, nothing more is shown and all else
    continues: a message that nobody reads must not stop paid calls or change the exit code."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        self.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open


def safe(stream: TextIO, keys: KeyRedactor, kind: type[_SafeStream] = _SafeStream) -> TextIO:
    """The stream without keys and control characters, with unencodable characters escaped."""
    if isinstance(stream, _SafeStream):
        stream = stream.stream
    elif isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return cast("TextIO", kind(cast("TextIO", stream), keys))


def _boottime() -> Callable[[], float] | None:
    """Seconds that also pass while the machine sleeps: on macOS, its monotonic clock counts them."""
    clock = getattr(time, "CLOCK_BOOTTIME" if sys.platform == "linux" else "CLOCK_MONOTONIC", None)
    return None if clock is None else partial(time.clock_gettime, clock)


def open_streams() -> None:
    """Make standard output and standard error safe to write to, so that a closed or narrow stream does not change the
    exit code."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open
    keys = keys_of(os.environ)
    sys.stdout, sys.stderr = safe(sys.stdout, keys), safe(sys.stderr, keys, _SafeMessages)


def has_output() -> bool:
    """Whether something was written to standard output."""
    return isinstance(sys.stdout, _SafeStream) and sys.stdout.was_written


@frozen
class GlobalOptions:
    """What was typed for all commands, before the name of one."""

    verbose: int = 0


def shell(global_options: GlobalOptions, verbosity: int = 0) -> Shell:
    """`verbosity`: the number of `-v` after the name of the command."""
    import gc
    import platform
    import secrets
    import shutil

    import click

    from planner.clock import Clock
    from planner.shell import Shell

    if not gc.isenabled():
        # Disabled since the start (`__main__`). Imported objects live to the end, so exclude them from collection.
        gc.freeze()
        # Most other objects are long-lived and acyclic. With Python's default threshold, collection takes a fifth of
        # the time of a large plan.
        gc.set_threshold(50_000, 20, 10)
        gc.enable()
    try:
        cwd = Path.cwd()
    except FileNotFoundError as error:
        raise click.ClickException("the working directory no longer exists: cd to another one") from error
    return Shell(
        cwd=cwd,
        environ=os.environ,
        out=sys.stdout,
        err=sys.stderr,
        clock=Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic, sleep=_sleep, boottime=_boottime()),
        new_id=lambda: secrets.token_hex(8),
        width=shutil.get_terminal_size((100, 24)).columns,
        verbosity=global_options.verbose + verbosity,
        process=f"process {os.getpid()} on {platform.node()}",
        user=_user(),
        chance=lambda: secrets.randbelow(1_000_000) / 1_000_000,
        pause=time.sleep,
    )


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


def _user() -> str:
    """The owner of the process; the environment may lack the name."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # no user database, or an id without an entry, as in many containers
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
