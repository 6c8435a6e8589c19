"""Clones of one repository whose results store is a git ref."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hours import HOURS

PLAN = HOURS.replace("on Saturday.", "on Saturday. Your number is +1 415 555 0199, member M-77.")
PROJECT = r"""store: git:refs/planner/results
redact: ['member M-\d+']
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    ran = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "plans").mkdir(parents=True)
    (work / "plans/hours.yaml").write_text(PLAN)
    (work / "planner.yaml").write_text(PROJECT)
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "add", "-A")
    git(work, "commit", "-qm", "plans")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "shared.git"))
    return tmp_path / "shared.git"


@pytest.fixture
def fresh_clone(remote: Path, project: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`planner` in a new shallow clone, as a job of CI has it."""

    def make(name: str) -> Any:
        project.root = remote.parent / name
        git(remote.parent, "clone", "-q", "--depth=1", f"file://{remote}", str(project.root))
        monkeypatch.chdir(project.root)
        return project

    return make
