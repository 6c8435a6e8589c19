"""`--base REF`: on a pull request the base branch's planner.yaml applies."""

from __future__ import annotations

import subprocess

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def _git(project: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)


@pytest.fixture
def repository(project: Project) -> Project:
    """A base branch with a policy of 4 calls, and a change on top that lifts it."""
    project.write("planner.yaml", "policy: {max_calls: 4}\n")
    _git(project, "init", "-q", "-b", "main")
    _git(project, "add", "-A")
    _git(project, "commit", "-q", "-m", "base")
    _git(project, "checkout", "-q", "-b", "change")
    project.write("planner.yaml", "policy: {max_calls: 400}\n")
    _git(project, "commit", "-qam", "lift the limit")
    return project


def test_suggested_commands_keep_base(repository: Project, service: Served) -> None:
    """The command of the plan holds to the same commit."""
    assert "--base change" in repository.planner("ci", "run", "--base", "change").err
    _git(repository, "branch", "-f", "change-2")
    _git(repository, "checkout", "-q", "main")
    _git(repository, "branch", "-f", "change", "main")
    assert repository.planner("ci", "run", "--base", "change", CONSENT).code == 3
    assert service.ledger()["runs"] == []


def test_a_fault_names_the_commit(repository: Project) -> None:
    """A broken config of the base branch is shown as the commit's."""
    repository.write("planner.yaml", "polcy: {}\n")
    _git(repository, "commit", "-qam", "broken")
    ran = repository.planner("ci", "gate", "--base", "HEAD")
    assert ran.code == 2
    assert "HEAD:planner.yaml:1:1: error: unknown key" in ran.err


def test_outside_of_a_repository_and_without_git(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are said plainly."""
    ran = project.planner("ci", "gate", "--base", "HEAD")
    assert (ran.code, "is not in a git repository" in ran.err, "fatal" in ran.err) == (2, True, False)
    monkeypatch.setenv("PATH", "")
    ran = project.planner("ci", "gate", "--base", "HEAD")
    assert (ran.code, "git is not installed" in ran.err) == (2, True)
