"""Legitimate shapes of git repositories: the policy is read from the base commit, and results are shared through a git ref."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from repositories import commit, git, pull_request, touch_plans

from tests.commands.conftest import HOURS, Project  # pyright: ignore[reportMissingImports]

SANDBOX = ("run", "--sandbox", "--consent-to-charge")
STORE = "store: git:refs/planner/results\n"
LIMITED = f"{STORE}policy: {{max_calls: 4}}\n"
FREE = f"{STORE}policy: {{max_calls: 40}}\n"


@dataclass(frozen=True)
class Upstream:
    """A bare repository with two commits on main. The first limits the calls; the second raises the limit."""

    bare: Path
    base: str
    head: str


@cache
def upstream_at(kept: Path, folder: str) -> Upstream:
    """Create it, with the project in this folder."""
    work = kept / "work"
    (work / folder / "plans").mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    (work / folder / "plans/hours.yaml").write_text(HOURS)
    (work / folder / "planner.yaml").write_text(LIMITED)
    base = commit(work)
    (work / folder / "planner.yaml").write_text(FREE)
    head = commit(work)
    bare = kept / "upstream.git"
    git(kept, "clone", "-q", "--bare", str(work), str(bare))
    git(bare, "config", "uploadpack.allowFilter", "true")
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    return Upstream(bare, base, head)


@pytest.fixture
def make_upstream(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Callable[[str], Upstream]:
    """A copy of the repository with the project in this folder."""

    def make(folder: str) -> Upstream:
        kept = upstream_at(tmp_path_factory.getbasetemp() / f"upstream-{folder}", folder)
        return replace(kept, bare=Path(shutil.copytree(kept.bare, outside / "upstream.git")))

    return make


Shape = Callable[[Upstream, Path, pytest.MonkeyPatch], Path]
"""Creates a checkout below a folder; returns the folder to work in."""


def _clone(upstream: Upstream, folder: Path, *options: str) -> Path:
    git(folder, "clone", "-q", *options, f"file://{upstream.bare}", "clone")
    return folder / "clone"


def _worktree(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(_clone(upstream, folder), "worktree", "add", "-q", "--detach", str(folder / "second"))
    return folder / "second"


def _submodule(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(folder, "init", "-q", "outer")
    git(folder / "outer", "submodule", "add", "-q", f"file://{upstream.bare}", "plans-of-all")
    return folder / "outer/plans-of-all"


def _shallow(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CI checkout, plus the base commit, fetched as the error message says."""
    clone = _clone(upstream, folder, "--depth=1")
    git(clone, "fetch", "-q", "--no-tags", "--depth=1", "origin", upstream.base)
    return clone


def _partial(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File contents are fetched on demand, as the error message says."""
    clone = _clone(upstream, folder, "--filter=blob:none")
    git(clone, "cat-file", "-e", f"{upstream.base}:planner.yaml")
    return clone


def _of_another_user(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout owned by another user, as in a container. The user's configuration trusts it."""
    clone = _clone(upstream, folder)
    (folder / "gitconfig").write_text(f"[safe]\n\tdirectory = {clone}\n\tdirectory = {upstream.bare}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return clone


def _below_the_project(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Planner starts below the project's root."""
    below = _clone(upstream, folder) / "voice/plans"
    (below / "plans").mkdir()
    (below / "plans/hours.yaml").write_text(HOURS)
    return below


def _named_by_a_hook(upstream: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Git sets these variables for its hooks."""
    clone = _clone(upstream, folder)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    return clone


SHAPES: dict[str, Shape] = {
    "a work tree beside it": _worktree,
    "a submodule": _submodule,
    "a shallow clone": _shallow,
    "a partial clone": _partial,
    "another user's, in safe.directory": _of_another_user,
    "a folder below the project": _below_the_project,
    "a hook's environment": _named_by_a_hook,
}


IN_A_FOLDER = {"a folder below the project"}
"""The project is in `voice/`."""


@pytest.mark.parametrize("shape", SHAPES)
def test_policy_and_store(
    project: Project,
    tmp_path: Path,
    outside: Path,
    make_upstream: Callable[[str], Upstream],
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
) -> None:
    """On the default branch, results are stored in the git ref, pushed and read again. On a pull request, the base commit's limit
    applies."""
    upstream = make_upstream("voice" if shape in IN_A_FOLDER else "")
    (tmp_path / "checkout").mkdir()
    folder = SHAPES[shape](upstream, tmp_path / "checkout", monkeypatch)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "schedule")
    ran = project.planner(*SANDBOX)
    assert ran.code == 0, ran.err
    assert git(upstream.bare, "for-each-ref", "--format=%(refname)", "refs/planner") == "refs/planner/results-sandbox"
    assert {action for action, _, _ in project.actions("--sandbox").values()} == {"reuse"}
    touch_plans(folder)
    pull_request(monkeypatch, outside, upstream.base)
    ran = project.planner("plan")
    assert (ran.code, "policy.max_calls allows 4" in " ".join(ran.out.split())) == (3, True), ran.err


def test_no_repository_at_all(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of plans is enough, with or without git on the machine. Only options that need a commit fail."""
    project.write("planner.yaml", "policy: {max_calls: 40}\n")
    for path in (os.environ["PATH"], "/nonexistent"):
        monkeypatch.setenv("PATH", path)
        assert project.planner("plan").code == 0
        assert project.planner(*SANDBOX).code == 0
        assert project.planner("ci", "gate", "--base", "main").code == 2
