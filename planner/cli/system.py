"""The composition root: the only place that reads the real clock, environment, randomness and streams."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from planner.cli.streams import safe
from planner.key_redaction import keys_of
from planner.values import frozen

if TYPE_CHECKING:
    from planner.session.shell import Shell


def open_streams() -> None:
    """Make standard output and standard error safe to write to, so that a closed or narrow stream does not change the
    exit code."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open
    keys = keys_of(os.environ)
    sys.stdout, sys.stderr = (safe(stream, keys) for stream in (sys.stdout, sys.stderr))


@frozen
class Invocation:
    """What was typed for all commands, before the name of one (`options.GLOBAL`)."""

    verbose: int = 0


def shell(invocation: Invocation) -> Shell:
    import gc
    import platform
    import secrets
    import shutil

    import click

    from planner.clock import Clock
    from planner.session.shell import Shell

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
    if folder := os.environ.get(
        "PLANNER_SENTENCE_MODEL"
    ):  # imported late: few users set it, and the checks take long to import
        from planner.checks.meaning import look_in

        look_in(cwd / folder)
    return Shell(
        cwd=cwd,
        environ=os.environ,
        out=sys.stdout,
        err=sys.stderr,
        clock=Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic, sleep=_sleep),
        new_id=lambda: secrets.token_hex(8),
        width=shutil.get_terminal_size((100, 24)).columns,
        verbosity=invocation.verbose,
        process=f"process {os.getpid()} on {platform.node()}",
        user=_user(),
        chance=lambda: secrets.randbelow(1_000_000) / 1_000_000,
        pause=time.sleep,
    )


async def _sleep(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


def _user() -> str:
    """The owner of the process; the environment may lack the name."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # no user database, or an id without an entry, as in many containers
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
