"""The composition root: clock, environment, randomness and streams come from here, and from nowhere else."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from planner.cli.streams import made_fit, without_keys
from planner.key_redaction import keys_of

if TYPE_CHECKING:
    from planner.invocation.shell import Shell


def open_streams() -> None:
    """What a closed descriptor, a narrow encoding or a closed terminal leaves is made fit to write to: it must not cost the
    exit code."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
    keys = keys_of(os.environ)
    sys.stdout, sys.stderr = (without_keys(made_fit(stream), keys) for stream in (sys.stdout, sys.stderr))


def shell(verbosity: int) -> Shell:
    import gc
    import platform
    import secrets
    import shutil

    import anyio
    import click

    from planner.execution.clock import Clock
    from planner.invocation.shell import Shell

    if not gc.isenabled():
        # Off since the start (`__main__`). What was imported is set apart: it stays to the end, and is never looked through.
        gc.freeze()
        # Nearly all that is made besides lives long and refers to nothing that refers back: looked through after every 700
        # objects, as Python does by itself, it takes a fifth of what a large plan takes.
        gc.set_threshold(50_000, 20, 10)
        gc.enable()
    try:
        cwd = Path.cwd()
    except FileNotFoundError as error:
        raise click.ClickException("the working directory is not there any more: cd to one that is") from error
    if folder := os.environ.get("PLANNER_SENTENCE_MODEL"):  # few have one, and the checks take long to import
        from planner.checks.meaning import look_in

        look_in(cwd / folder)
    return Shell(
        cwd=cwd,
        environ=os.environ,
        out=sys.stdout,
        err=sys.stderr,
        clock=Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic, sleep=anyio.sleep),
        new_id=lambda: secrets.token_hex(8),
        width=shutil.get_terminal_size((100, 24)).columns,
        verbosity=verbosity,
        process=f"process {os.getpid()} on {platform.node()}",
        user=_user(),
        chance=lambda: secrets.randbelow(1_000_000) / 1_000_000,
        pause=time.sleep,
    )


def _user() -> str:
    """By the process's owner: the environment may not tell."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # no such list, or a number that is not in it, as in many containers
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
