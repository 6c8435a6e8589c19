"""Attacks through sandbox worlds of a pull request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from repositories import commit, git, pull_request

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Model  # pyright: ignore[reportMissingImports]


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


@pytest.mark.parametrize(
    "field",
    [
        "models: {writer: {base_url: '%s', model: x, api_key_env: THUNDERPHONE_API_KEY}}",
        "judge: {base_url: '%s', model: x, api_key_env: THUNDERPHONE_API_KEY}",
        "agents: {12: {model: writer}}",
        "agents: {12: {base_url: '%s'}}",
        "base_url: '%s'",
        "api_key_env: THUNDERPHONE_API_KEY",
    ],
)
def test_server_in_a_world(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """A world names a server of its own, and a variable with the key for it.

    Before: `planner run --sandbox` sent any variable of the environment to any host. Now: a world has no such field, and planner contacts
    nobody.
    """
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_live_hunter2hunter2")
    project.write("world.yaml", f"extends: demo\nversion: 1\nworld: mine\n{field.replace('%s', model.url)}\n")
    ran = project.planner("run", "--sandbox", "--world", "world.yaml", "--consent-to-charge")
    assert (ran.code, model.asked, model.reads) == (2, [], [])
    assert "hunter2" not in ran.out + ran.err
