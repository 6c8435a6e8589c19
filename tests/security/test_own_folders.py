"""Stores and report folders that a pull request commits, or puts a link in the place of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from repositories import git

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

COMMANDS = (
    ("plan",),
    ("run", "--consent-to-charge", "--sandbox"),
    ("recheck",),
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
        if "--report-dir" in arguments and command[0] not in ("run", "recheck"):
            continue
        if "--store" in arguments and command[0] == "transcript":
            continue
        ran = project.planner(*command, *arguments)
        assert ran.code == 2, (command, ran.out, ran.err)
        assert what in ran.err


@pytest.mark.parametrize(
    "names", [["latest/default/hours.json"], ["journal.sqlite"], [".gitignore"], ["sandbox/service.jsonl"]]
)
def test_a_committed_store(repository: Project, names: list[str]) -> None:
    """The pull request commits `.planner/` with results that say `passed`, or a journal that says what is spent.

    Before: its cases counted as passed, and nobody was called. Now: every command that reads the store refuses it.
    """
    for name in names:
        repository.write(f".planner/{name}", "{}")
        git(repository.root, "add", "-f", f".planner/{name}")
    git(repository.root, "commit", "-q", "-m", "results")
    assert_refused(repository, "git tracks .planner/")


def test_a_store_that_is_only_staged(repository: Project) -> None:
    """As above, where a job applied the change without committing it."""
    repository.write(".planner/latest/default/hours.json", "{}")
    git(repository.root, "add", "-f", ".planner")
    assert_refused(repository, "git tracks .planner/")


def test_a_store_that_is_a_submodule(repository: Project) -> None:
    """The pull request makes `.planner` a submodule of its own repository of results; the job checks submodules out.

    Before: read as the store. Now: refused.
    """
    (repository.root / ".planner").mkdir()
    head = git(repository.root, "rev-parse", "HEAD")
    git(repository.root, "update-index", "--add", "--cacheinfo", f"160000,{head},.planner")
    assert_refused(repository, "git tracks .planner")


def test_a_store_that_is_a_committed_link(repository: Project) -> None:
    """The pull request commits a link `.planner` to a folder of its own in the repository.

    Before: followed, and its results counted. Now: refused.
    """
    repository.write("docs/results/latest/default/hours.json", "{}")
    (repository.root / ".planner").symlink_to("docs/results")
    git(repository.root, "add", "-A", "-f")
    git(repository.root, "commit", "-q", "-m", "link")
    assert_refused(repository, "git tracks")


def test_a_store_that_links_to_tracked_results(repository: Project) -> None:
    """A job is talked into making the link; the results that it leads to are in the repository. Before: read. Now: refused."""
    repository.write("docs/results/latest/default/hours.json", "{}")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "-m", "results")
    (repository.root / ".planner").symlink_to("docs/results")
    assert_refused(repository, "git tracks docs/results")


def test_a_store_that_leads_out_of_the_repository(repository: Project, outside: Path) -> None:
    """The link leads to a folder of the machine: results of another repository would be read, and its files written.

    Before: followed. Now: refused; whoever wants results there says so with `--store`.
    """
    (repository.root / ".planner").symlink_to(outside)
    assert_refused(repository, "leads out of the repository")


@pytest.mark.parametrize("name", ["journal.sqlite", "latest", "sandbox/service.jsonl", "evidence"])
def test_a_link_in_the_store(repository: Project, outside: Path, name: str) -> None:
    """A cache restores `.planner/` with a link in it: SQLite would write a journal where it leads.

    Before: the journal and the sandbox's state were written through the link. Now: refused.
    """
    link = repository.root / ".planner" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "elsewhere")
    assert_refused(repository, "leads out of the repository")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["results.json", "report.html", "old/report.md"])
def test_committed_reports(repository: Project, name: str) -> None:
    """The pull request commits reports that say `passed`: a later step uploads them, or takes them for the baseline.

    Before: they stood as this job's where planner ended before it could write its own. Now: refused.
    """
    repository.write(f"reports/{name}", "{}")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "-m", "reports")
    assert_refused(repository, "git tracks reports", "--report-dir", "reports")


def test_reports_that_lead_out_of_the_repository(repository: Project, outside: Path) -> None:
    """The report folder is a link: reports overwrite files of the machine. Before: written. Now: refused."""
    (repository.root / "reports").symlink_to(outside)
    assert_refused(repository, "leads out of the repository", "--report-dir", "reports")
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_half_written_report(repository: Project) -> None:
    """The pull request commits links where planner writes reports before it renames them, to a workflow of the repository.

    Before: the workflow was overwritten. Now: the link is removed, and what it leads to stays.
    """
    workflow = repository.write(".github/workflows/ci.yml", "on: push\n")
    (repository.root / "reports").mkdir()
    (repository.root / "reports/.report.md.new").symlink_to(workflow)
    assert repository.planner("run", "--sandbox", "--consent-to-charge").code in (0, 1)
    assert workflow.read_text() == "on: push\n"
    assert (repository.root / "reports/report.md").is_file()


def test_a_named_store_that_is_committed(repository: Project) -> None:
    """As `.planner/`, with `--store`. Before: read. Now: refused."""
    repository.write("results/latest/default/hours.json", "{}")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "-m", "results")
    assert_refused(repository, "git tracks results/latest", "--store", "results")


def test_the_repository_itself_as_a_store(repository: Project) -> None:
    """`--store .` in a repository that has committed a `latest/`. Before: read. Now: refused, but not for other files."""
    assert repository.planner("plan", "--store", ".").code == 0
    repository.write("latest/default/hours.json", "{}")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "-m", "results")
    assert_refused(repository, "git tracks latest/default/hours.json", "--store", ".")


def test_what_stays_allowed(repository: Project, outside: Path) -> None:
    """A store and reports of one's own, ignored or not yet ignored by git, and a store outside of the repository."""
    for options in ((), ("--store", str(outside / "store")), ("--report-dir", "out")):
        ran = repository.planner("run", "--sandbox", "--consent-to-charge", *options)
        assert ran.code in (0, 1), ran.err
        assert repository.planner("plan", "--sandbox", *(options if "--store" in options else ())).code == 0


def test_a_folder_in_no_repository(project: Project) -> None:
    """Without git there is nothing that could have come with a checkout."""
    assert subprocess.run(["git", "rev-parse"], cwd=project.root, capture_output=True, check=False).returncode != 0
    assert project.planner("run", "--sandbox", "--consent-to-charge").code in (0, 1)
    assert project.planner("plan", "--sandbox").code == 0
