"""Attacks through sandbox worlds of a pull request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from repositories import commit, git, pull_request

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize("way", ["extends", "link", "name"])
def test_world_outside_the_repository(
    project: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The pull request's world extends a file of the machine or is a link to one, or `--world` names one.

    Before: diagnostics showed parts of that file.
    Now: planner does not read the file.
    """
    secret = outside / "secret.yaml"
    secret.write_text("version: 1\nworld: gho_secret value\n")
    project.write("world.yaml", f"extends: {json.dumps(str(secret))}\nversion: 1\nworld: mine\n")
    if way == "link":
        (project.root / "world.yaml").unlink()
        (project.root / "world.yaml").symlink_to(secret)
    git(project.root, "init", "-q")
    base = commit(project.root)
    pull_request(monkeypatch, outside, base)
    ran = project.planner("plan", "--sandbox", "--world", str(secret) if way == "name" else "world.yaml")
    assert (ran.code, "leads out of the repository" in ran.err) == (2, True)
    assert "gho_secret" not in ran.out + ran.err
