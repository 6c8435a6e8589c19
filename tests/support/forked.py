"""`planner` in a process of its own, as `python -m planner` starts it but with its imports done: most of the time that it takes to
serve a sandbox.

It is forked from a process that has imported them and nothing of a test. How a start goes that imports as it goes, and what a
signal meets there, is shown where tests run `python -m planner`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "pytest",  # of the script that started this process, which multiprocessing imports again
        "planner.__main__",
        "planner.cli.calls",
        "planner.commands.sandbox",
        "planner.sandbox.service.server",
        "uvicorn.lifespan.off",
        "uvicorn.loops.asyncio",
    ]
)


@dataclass(frozen=True)
class Forked:
    """What it writes, on either of its streams, comes out of `output`."""

    process: ForkServerProcess
    output: TextIO

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.output.close()


def planner(*arguments: str, cwd: Path) -> Forked:
    """With the environment as it is now."""
    reader, writer = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_main, args=(writer, dict(os.environ), cwd, arguments), daemon=True)
    process.start()
    writer.close()
    output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
    reader.close()
    return Forked(process, output)


def _main(writer: Connection, environment: dict[str, str], cwd: Path, arguments: Sequence[str]) -> None:
    from planner.__main__ import main

    os.dup2(writer.fileno(), 1)
    os.dup2(writer.fileno(), 2)
    writer.close()
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["planner", *arguments]
    sys.exit(main())
