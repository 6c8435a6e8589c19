"""Attacks on the folders that planner writes: a pull request commits the store or the reports, or replaces them with links."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import git

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

COMMANDS = (
    ("plan",),
    ("run", "--consent-to-charge", "--sandbox"),
    ("run", "--offline"),
    ("reconcile",),
    ("history",),
    ("transcript", "hours/cancel@clinic"),
)


@pytest.fixture
def repository(project: Project) -> Project:
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", "plans")
    git(project.root, "commit", "-q", "-m", "plans")
    return project


def assert_refused(project: Project, what: str, *arguments: str) -> None:
    for command in COMMANDS:
        if "--report-dir" in arguments and command[0] != "run":
            continue
        if "--store" in arguments and command[0] == "transcript":
            continue
        ran = project.planner(*command, *arguments)
        assert ran.code == 2, (command, ran.out, ran.err)
        assert what in ran.err


@pytest.mark.parametrize("names", [["runs/one.json"], ["journal.sqlite"], [".gitignore"], ["sandbox/service.jsonl"]])
def test_committed_store(repository: Project, names: list[str]) -> None:
    """The pull request commits `.planner/` with results that passed, or with a journal that shows nothing spent.

    Before: its cases counted as passed, and no calls were made.
    Now: every command that reads the store refuses it.
    """
    for name in names:
        repository.write(f".planner/{name}", "{}")
        git(repository.root, "add", "-f", f".planner/{name}")
    git(repository.root, "commit", "-q", "-m", "results")
    assert_refused(repository, "git tracks .planner/")


def test_store_that_is_a_submodule(repository: Project) -> None:
    """The pull request makes `.planner` a submodule, and the job checks submodules out.

    Before: the submodule was read as the store.
    Now: refused.
    """
    (repository.root / ".planner").mkdir()
    head = git(repository.root, "rev-parse", "HEAD")
    git(repository.root, "update-index", "--add", "--cacheinfo", f"160000,{head},.planner")
    assert_refused(repository, "git tracks .planner")


def test_store_link_out_of_the_repository(repository: Project, outside: Path) -> None:
    """`.planner` links to a folder of the machine, such as the results of another repository.

    Before: planner read and wrote files there.
    Now: refused. To use such a folder, name it with `--store`.
    """
    (repository.root / ".planner").symlink_to(outside)
    assert_refused(repository, "outside the repository")


@pytest.mark.parametrize("name", ["journal.sqlite", "calls", "sessions", "sandbox/service.jsonl", "evidence"])
def test_link_inside_the_store(repository: Project, outside: Path, name: str) -> None:
    """A restored cache contains a link inside `.planner/`.

    Before: the journal and the state of the sandbox were written where the link leads.
    Now: refused.
    """
    link = repository.root / ".planner" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "elsewhere")
    assert_refused(repository, "outside the repository")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["results.json", "report.html", "old/report.md"])
def test_committed_reports(repository: Project, name: str) -> None:
    """The pull request commits reports that say `passed`, for a later step to upload or use as the baseline.

    Before: if planner stopped before it wrote its own, the job used the committed ones.
    Now: refused.
    """
    repository.write(f"reports/{name}", "{}")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "-m", "reports")
    assert_refused(repository, "git tracks reports", "--report-dir", "reports")


def test_reports_link_out_of_the_repository(repository: Project, outside: Path) -> None:
    """The report folder is a link to a folder of the machine. Before: reports overwrote files there. Now: refused."""
    (repository.root / "reports").symlink_to(outside)
    assert_refused(repository, "outside the repository", "--report-dir", "reports")
    assert list(outside.iterdir()) == []


def test_link_in_place_of_a_temporary_report(repository: Project) -> None:
    """The pull request commits a link under the temporary name of a report. It leads to a workflow of the repository.

    Before: planner overwrote the workflow.
    Now: planner removes the link and leaves the workflow unchanged.
    """
    workflow = repository.write(".github/workflows/ci.yml", "on: push\n")
    (repository.root / "reports").mkdir()
    (repository.root / "reports/.report.md.new").symlink_to(workflow)
    assert repository.planner("run", "--sandbox", "--consent-to-charge").code in (0, 1)
    assert workflow.read_text() == "on: push\n"
    assert (repository.root / "reports/report.md").is_file()


def test_repository_as_the_store(repository: Project) -> None:
    """The workflow passes `--store .`, and the pull request commits `runs/`.

    Before: planner read it.
    Now: refused. Other tracked files of the repository are allowed.
    """
    assert repository.planner("plan", "--store", ".").code == 0
    repository.write("runs/one.json", "{}")
    git(repository.root, "add", "runs")
    git(repository.root, "commit", "-q", "-m", "results")
    assert_refused(repository, "git tracks runs/one.json", "--store", ".")


def test_allowed_folders(repository: Project, outside: Path) -> None:
    """Allowed: stores and report folders that git does not track, ignored or not, and stores outside the repository."""
    for options in ((), ("--store", str(outside / "store")), ("--report-dir", "out")):
        ran = repository.planner("run", "--sandbox", "--consent-to-charge", *options)
        assert ran.code in (0, 1), ran.err
        assert repository.planner("plan", "--sandbox", *(options if "--store" in options else ())).code == 0
