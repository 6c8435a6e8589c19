"""Nobody reads standard output or standard error any more: `planner run … | head`, a viewer that ended, a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.conftest import Project

RUN = ("run", "--sandbox", "--consent-to-charge")


@contextmanager
def pipe_without_reader() -> Generator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


def ran(root: Path, *, stdout: int = subprocess.DEVNULL, stderr: int | None = None) -> int:
    """The exit code."""
    command = [sys.executable, "-m", "planner", *RUN]
    return subprocess.run(command, cwd=root, check=False, stdout=stdout, stderr=stderr).returncode


@pytest.mark.parametrize(("broken", "code"), [("stderr", 0), ("stdout", 141)])
def test_a_reader_that_leaves_costs_no_result(project: Project, broken: str, code: int) -> None:
    """All calls are made, and the reports have them. It is never a bug of planner (5) or a failing agent (1)."""
    with pipe_without_reader() as writer:
        assert ran(project.root, **{broken: writer}) == code
    results = json.loads((project.root / "reports/results.json").read_text(encoding="utf-8"))
    assert results["exit_code"] == 0
    assert results["cost"]["actual_cents"] > 0


def test_messages_that_fill_the_disk_stop_no_call(project: Project) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert ran(project.root, stderr=full.fileno()) == 0
