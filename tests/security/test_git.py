"""Attacks through git: folders and settings that make git run the attacker's program with the keys of the job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from repositories import commit, git, program, pull_request, touch_plans

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.security.conftest import Spy  # pyright: ignore[reportMissingImports]

STORE = "store: git:refs/planner/results\n"
SANDBOX = ("run", "--sandbox", "--consent-to-charge")
KEYS = {"THUNDERPHONE_API_KEY": "sk_live_key", "PLANNER_JUDGE_API_KEY": "sk_judge_key", "AWS_SECRET_ACCESS_KEY": "aws"}
ABSENT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of the job."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


TRAPS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "a remote that is a program": (
        {"remote.origin.url": "ext::{spy}", "protocol.ext.allow": "always", "protocol.allow": "always"},
        ("plan",),
    ),
    "a program in place of ssh": ({"remote.origin.url": "ssh://host/x", "core.sshCommand": "{spy}"}, ("plan",)),
    "a program in place of upload-pack": (
        {"remote.origin.url": "{outside}", "remote.origin.uploadpack": "{spy}"},
        ("plan",),
    ),
    "a program in place of receive-pack": (
        {"remote.origin.url": "{outside}/empty.git", "remote.origin.receivepack": "{spy}"},
        SANDBOX,
    ),
    "a missing object that a program would fetch": (
        {
            "remote.origin.url": "ext::{spy}",
            "remote.origin.promisor": "true",
            "extensions.partialClone": "origin",
            "protocol.ext.allow": "always",
        },
        ("ci", "gate", "--base", ABSENT),
    ),
    "a hook": ({"core.hooksPath": "{outside}/hooks"}, SANDBOX),
    "a work tree of its own": (
        {"core.bare": "false", "core.worktree": "..", "remote.origin.url": "ssh://host/x", "core.sshCommand": "{spy}"},
        ("plan",),
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_folder_that_looks_like_a_bare_repository(
    project: Project, outside: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    """The pull request commits HEAD, objects/, refs/ and a config into a folder with plans. The job runs planner in
    that folder.

    Before: `git -C` used the folder as a repository and ran the program that its config names, with every key of the
    job.
    Now: git runs with `safe.bareRepository=explicit`. The command exits with code 2, and nothing runs.
    """
    settings, command = TRAPS[trap]
    git(outside, "init", "-q", "--bare", "empty.git")
    program(outside / "hooks/reference-transaction", str(spy.program))
    voice = project.root / "voice"
    git(project.root, "init", "-q")
    git(project.root, "init", "-q", "--bare", "voice")
    for name, value in settings.items():
        git(voice, "config", "-f", "config", name, value.format(spy=spy.program, outside=outside))
    project.write("voice/planner.yaml", STORE)
    project.write("voice/plans/hours.yaml", (project.root / "plans/hours.yaml").read_text())
    monkeypatch.chdir(voice)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "schedule")  # of a job, which has a shared store in the sandbox, too
    ran = project.planner(*command)
    assert not spy.was_run
    assert (ran.code, "git refuses the repository" in ran.err or "needs a git repository" in ran.err) == (2, True)


def test_hooks_in_the_tree(project: Project, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team keeps its hooks in `.husky` (`core.hooksPath`). The pull request commits
    `.husky/reference-transaction`.

    Before: writing results to a git-ref store ran it.
    Now: git runs no hooks, and the results are stored.
    """
    program(project.root / ".husky/reference-transaction", str(spy.program))
    project.write("planner.yaml", STORE)
    git(project.root, "init", "-q")
    git(project.root, "config", "core.hooksPath", ".husky")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "schedule")
    commands = [project.planner(*SANDBOX).code, project.planner(*SANDBOX).code]
    assert commands == [0, 0]
    assert not spy.was_run
    assert git(project.root, "for-each-ref", "refs/planner")


@pytest.mark.parametrize("lacks", ["blob:none", "tree:0"])
def test_missing_object_of_a_partial_clone(
    project: Project, outside: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """The clone is partial, and its ssh command is a program of the tree, which the pull request edits.

    Before: reading planner.yaml of the base commit ran the program to fetch the missing object.
    Now: git fetches nothing. The command exits with code 2 and shows how to fetch the object.
    """
    project.write("planner.yaml", "policy: {max_calls: 4}\n")
    git(project.root, "init", "-q", "-b", "main")
    base = commit(project.root)
    project.write("planner.yaml", "policy: {max_calls: 400}\n")
    commit(project.root)
    git(project.root, "config", "uploadpack.allowFilter", "true")
    git(outside, "clone", "-q", f"--filter={lacks}", f"file://{project.root}", "clone")
    clone = outside / "clone"
    git(clone, "remote", "set-url", "origin", "ssh://host/x")
    git(clone, "config", "core.sshCommand", str(spy.program))
    monkeypatch.chdir(clone)
    pull_request(monkeypatch, outside, base)
    ran = project.planner("plan")
    assert not spy.was_run
    assert (ran.code, f"git cat-file -e {base}:planner.yaml" in ran.err) == (2, True)


def test_keys_in_the_environment_of_git(project: Project, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team's ssh wrapper is a file of the tree, which the pull request edits. A git-ref store needs it.

    Before: the wrapper received the whole environment.
    Now: it receives only the variables that a login needs, and no key of the service, the judge or a store.
    """
    project.write("planner.yaml", STORE)
    git(project.root, "init", "-q")
    git(project.root, "remote", "add", "origin", "ssh://host/x")
    git(project.root, "config", "core.sshCommand", str(spy.program))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    monkeypatch.setenv("GIT_NAMESPACE", "elsewhere")
    assert project.planner("plan").code in (2, 4)
    assert spy.environment.get("SSH_AUTH_SOCK") == "/agent"
    assert not set(KEYS) & set(spy.environment)
    assert "GIT_NAMESPACE" not in spy.environment


@pytest.mark.parametrize("folder", ["tools", ".", ""])
def test_git_program_in_the_tree(project: Project, spy: Spy, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """`PATH` contains a relative folder, and the pull request commits a program `git` there.

    Before: planner ran it with every key.
    Now: planner searches only absolute folders of `PATH`.
    """
    program(project.root / folder / "git", str(spy.program))
    git(project.root, "init", "-q")
    project.write("planner.yaml", STORE)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert project.planner("plan").code == 0
    assert not spy.was_run


def test_replaced_base_commit(project: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ref below `refs/replace/` replaces the content of the base commit. A mirror that fetches all refs brings it
    along.

    Before: the policy was read from the replacement.
    Now: git ignores replacements.
    """
    project.write("planner.yaml", "policy: {max_calls: 4}\n")
    git(project.root, "init", "-q")
    base = commit(project.root)
    project.write("planner.yaml", "policy: {max_calls: 400}\n")
    head = commit(project.root)
    git(project.root, "replace", base, head)
    touch_plans(project.root)
    pull_request(monkeypatch, outside, base)
    ran = project.planner("plan")
    assert (ran.code, "policy.max_calls allows 4" in " ".join(ran.out.split())) == (3, True)


def test_repository_above_the_workspace(project: Project, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's workspace is an unpacked archive, and another job left a repository in a folder above it.

    Before: git used that repository and its settings.
    Now: planner ignores repositories above the workspace that the CI system names.
    """
    git(project.root, "init", "-q")
    git(project.root, "remote", "add", "origin", "ssh://host/x")
    git(project.root, "config", "core.sshCommand", str(spy.program))
    project.write("job/planner.yaml", STORE)
    project.write("job/plans/hours.yaml", (project.root / "plans/hours.yaml").read_text())
    monkeypatch.chdir(project.root / "job")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.root / "job"))
    ran = project.planner("plan")
    assert not spy.was_run
    assert (ran.code, "is not in a git repository" in ran.err) == (2, True)
