"""Files whose content may be secret are not sent to the service as a prompt, and not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import commit, git, pull_request

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt_file: %s
    expect: [{check: call, status: completed}]
"""
SECRET = "STRIPE_KEY=hunter2 {{ unknown }}"


@pytest.fixture
def repository(project: Project) -> Project:
    project.write("plans/hours.yaml", PLAN % "prompt.md")
    project.write("plans/prompt.md", "Ask when the clinic is open on Saturday.")
    project.write(".gitignore", "secrets.txt\n.env\nbuild/\n")
    git(project.root, "init", "-q")
    commit(project.root)
    return project


@pytest.mark.parametrize("name", [".env", "secrets.txt", "link.md", "build/prompt.md", ".ssh/config", "axis"])
@pytest.mark.parametrize("command", [("validate",), ("plan", "--sandbox"), ("run", "--sandbox", "--consent-to-charge")])
def test_private_file_as_a_prompt(repository: Project, name: str, command: tuple[str, ...]) -> None:
    """The plan names a hidden file, one that git ignores or a link to one, as a prompt or as the values of an axis.

    Before: its content was sent to the service, and shown in plans and reports. Now: exit code 2, and nothing of it is shown.
    """
    for private in (".env", "secrets.txt", "build/prompt.md", ".ssh/config"):
        repository.write(f"plans/{private}", SECRET)
    (repository.root / "plans/link.md").symlink_to("secrets.txt")
    plan = PLAN % name
    if name == "axis":
        plan = plan.replace("prompt_file: axis", "prompt: '{{ a }}'\n    matrix: {axes: {a: {file: secrets.txt}}}")
    repository.write("plans/hours.yaml", plan)
    ran = repository.planner(*command)
    assert ran.code == 2
    assert "hunter2" not in ran.out + ran.err
    reports = [path.read_text() for path in repository.root.glob("reports/*") if path.is_file()]
    assert not any("hunter2" in report for report in reports)


def test_unignored_file_of_a_pull_request(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of the job writes a file with a key, which git ignores. The pull request changes `.gitignore`, and names the file.

    Before: its content was sent to the service. Now: a job of a pull request reads only files that git tracks.
    """
    base = git(repository.root, "rev-parse", "HEAD")
    repository.write(".gitignore", "")
    repository.write("plans/hours.yaml", PLAN % "secrets.txt")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    repository.write("plans/secrets.txt", SECRET)
    ran = repository.planner("plan", "--sandbox")
    assert (ran.code, "hunter2" in ran.out + ran.err) == (2, False)
    repository.write("plans/hours.yaml", PLAN % "prompt.md")
    assert repository.planner("plan", "--sandbox").code == 0


def test_ordinary_files(repository: Project) -> None:
    """New files need not be committed on one's own machine, and what git tracks may be ignored by it, too."""
    assert repository.planner("validate").code == 0
    repository.write(".gitignore", "prompt.md\n")
    assert repository.planner("validate").code == 0
    repository.write("plans/new.md", "Ask when the clinic is open.")
    repository.write("plans/hours.yaml", PLAN % "new.md")
    assert repository.planner("validate").code == 0
