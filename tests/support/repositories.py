"""Git repositories for tests, and the environment of a CI job that tests a pull request in one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

_IDENTITY = ("-c", "user.name=ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")

_OF_A_JOB = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TEST_ASSUME_DIFFERENT_OWNER"}
"""What a test sets for planner alone."""


def git(folder: Path, *arguments: str) -> str:
    """Run git as the people who own the repository do; return what it printed."""
    words = ["git", *_IDENTITY, "-c", "protocol.file.allow=always", *arguments]
    environ = {name: value for name, value in os.environ.items() if name not in _OF_A_JOB}
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True, env=environ).stdout.strip()


def commit(folder: Path, message: str = "change") -> str:
    """Commit everything in the folder but reports, which nobody should; return the commit's id."""
    git(folder, "add", "-A", "--", ".", ":!reports")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_remote(folder: Path, files: dict[str, str]) -> None:
    """A bare repository `remote.git` in the folder, whose branch `main` has these files."""
    seed = folder / "seed"
    for name, text in files.items():
        (seed / name).parent.mkdir(parents=True, exist_ok=True)
        (seed / name).write_text(text, encoding="utf-8")
    git(seed, "init", "-q", "-b", "main")
    commit(seed)
    git(folder, "clone", "-q", "--bare", "seed", "remote.git")


def github_event(monkeypatch: pytest.MonkeyPatch, folder: Path, payload: object, event: str = "pull_request") -> None:
    """The environment of a job that GitHub starts; `folder`, outside the repository, gets the payload."""
    file = folder / "event.json"
    file.write_text(payload if isinstance(payload, str) else json.dumps(payload), encoding="utf-8")
    monkeypatch.setenv("GITHUB_EVENT_NAME", event)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(file))


def pull_request(monkeypatch: pytest.MonkeyPatch, folder: Path, base: str, event: str = "pull_request") -> None:
    """The job tests a pull request against this commit."""
    github_event(monkeypatch, folder, {"pull_request": {"number": 42, "base": {"sha": base, "ref": "main"}}}, event)


def touch_plans(folder: Path) -> None:
    """Change the prompts of every plan in a folder: a pull request is only asked for calls that it causes."""
    for path in folder.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if "\nplan: " in text and "really" not in text:
            path.write_text(text.replace("You are ", "You are really "), encoding="utf-8")


def program(path: Path, lines: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
