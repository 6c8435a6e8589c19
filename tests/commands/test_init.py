"""`planner init`: what it writes works as it is, and what is there stays."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from repositories import git, program
from ruamel.yaml import YAML

from planner import __version__
from planner.commands import init_github
from planner.planfile.project import load_project
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[2]
CALLED = {"phone-plans": "plan", "phone-plans-call": "call", "phone-plans-main": "main"}
WORKFLOWS = tuple(CALLED)
NEXT = """\

Fill in the lines marked <- in plans/first.yaml.
Next:
  planner run --sandbox --consent-to-charge   try it: no key, no phone, no money
  planner plan                                calls to your own agent and their cost
"""


def empty(project: Project) -> Project:
    (project.root / "plans/hours.yaml").unlink()
    (project.root / "plans").rmdir()
    return project


def test_the_starter_files_work(project: Project) -> None:
    """The plan is valid, and passes on the sandbox within the policy; so do the next steps that it names."""
    ran = empty(project).planner("init")
    assert (ran.code, ran.err) == (0, "")
    schemas = "wrote schemas/plan.schema.json: editors complete and explain keys\n"
    assert ran.out == f"wrote plans/first.yaml\nwrote planner.yaml\n{schemas}{NEXT}"
    assert not (project.root / ".github").exists()
    assert project.planner("validate").out == "1 plan valid · 2 cases · 6 runs\n"
    assert project.planner("run", "--sandbox", "--consent-to-charge").code == 0
    first = (project.root / "plans/first.yaml").read_text().splitlines()[0]
    assert (project.root / "plans" / first.partition("$schema=")[2]).is_file()


def test_stored_files_are_private_and_ignored_by_git(project: Project) -> None:
    """Git ignores the store's folder and other users cannot read it, after any first command."""
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    empty(project).planner("init")
    assert project.planner("plan", "--sandbox").code == 0
    assert project.planner("run", "--sandbox", "--consent-to-charge", "--report-dir", ".planner/reports").code == 0
    seen = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert [line for line in seen.stdout.splitlines() if ".planner" in line] == []
    store = project.root / ".planner"
    assert [f"{path.stat().st_mode & 0o777:o}" for path in (store, store / "sandbox/log.db")] == ["700", "600"]


PIN = f"acme/planner@{'c' * 40}"
GITHUB = ("init", "--github", "--pin", PIN)


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> Project:
    """An empty repository with a remote, whose default branch is `trunk`."""
    git(tmp_path, "init", "-q", "--bare", "-b", "trunk", "remote.git")
    git(empty(project).root, "init", "-q", "-b", "trunk")
    git(project.root, "remote", "add", "origin", f"file://{tmp_path / 'remote.git'}")
    return project


def test_one_command_writes_what_github_needs(repository: Project) -> None:
    """Three callers, pinned, for the default branch; the store is on; nothing else is marked to fill in. A reviewer
    can read it."""
    ran = repository.planner(*GITHUB)
    assert ran.code == 0, ran.err
    written = [repository.root / name for name in re.findall(r"wrote ([^:\n]+)", ran.out)]
    assert sum(len(file.read_text().splitlines()) for file in written) <= 1_600
    for name in WORKFLOWS:
        text = (repository.root / f".github/workflows/{name}.yml").read_text()
        assert re.findall(r"    uses: (.*)", text) == [
            f"acme/planner/.github/workflows/{CALLED[name]}.yml@{'c' * 40} # planner {__version__}"
        ]
        assert "<-" not in text
    assert 'branches: ["trunk"]' in (repository.root / ".github/workflows/phone-plans-main.yml").read_text()
    assert repository.planner("plan", "--sandbox").code == 0
    assert load_project(repository.root, cwd=repository.root)[0].store == "git:refs/planner/results"
    assert "gh secret set THUNDERPHONE_API_KEY --env phone-calls" in ran.out
    assert "gh workflow run phone-plans-main.yml" in ran.out
    assert '"context": "phone-plans"' in ran.out


def test_workflows_for_a_project_that_exists(repository: Project) -> None:
    """Its file gets the store; a workflow that is there is kept, and so is a link to nowhere."""
    repository.write("planner.yaml", "version: 1 # mine")
    folder = repository.root / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "phone-plans.yml").symlink_to("nowhere.yml")
    ran = repository.planner(*GITHUB)
    assert ran.code == 0, ran.err
    first, *others = (f".github/workflows/{name}.yml" for name in WORKFLOWS)
    assert f"kept {first}: it exists\n" + "".join(f"wrote {name}\n" for name in others) in ran.out
    assert not (folder / "nowhere.yml").exists()
    assert (repository.root / "planner.yaml").read_text().startswith("version: 1 # mine\nstore: git:")
    assert not (repository.root / "plans").exists()
    once = (repository.root / "planner.yaml").read_text()
    assert repository.planner(*GITHUB).code == 0
    assert (repository.root / "planner.yaml").read_text() == once


def test_a_project_in_a_folder(repository: Project) -> None:
    """Its workflows are at the root of the repository, and have its name."""
    ran = repository.planner(*GITHUB, "--dir", "apps/Voice bot")
    assert ran.code == 0, ran.err
    text = (repository.root / ".github/workflows/phone-plans-Voice-bot.yml").read_text()
    assert 'with: {working-directory: "apps/Voice bot", name: Voice-bot}' in text
    document = YAML(typ="safe").load(text)
    assert document["jobs"]["phone-plans"]["with"] == {"working-directory": "apps/Voice bot", "name": "Voice-bot"}
    assert (repository.root / "apps/Voice bot/planner.yaml").exists()
    assert not (repository.root / "apps/Voice bot/.github").exists()
    assert '"context": "phone-plans/Voice-bot"' in ran.out


@pytest.mark.parametrize("code", [0, 1])
def test_gh_sets_the_repository_up(repository: Project, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The key is read from the environment, passed on standard input, and never an argument. A command that fails is named."""
    log = repository.root / "gh.log"
    program(repository.root / "bin/gh", f'echo "$@ $(cat)" >> {log}; test -z "$THUNDERPHONE_API_KEY" && exit {code}')
    monkeypatch.setenv("PATH", f"{repository.root / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_live_1")
    ran = repository.planner(*GITHUB, "--yes")
    assert ran.code == (4 if code else 0), ran.err
    assert len(log.read_text().splitlines()) == 3
    assert "secret set THUNDERPHONE_API_KEY --env phone-calls sk_live_1\n" in log.read_text()
    assert "-f name=trunk" in log.read_text()
    assert "sk_live_1" not in ran.out + ran.err
    assert ("gh secret set THUNDERPHONE_API_KEY` instead" in ran.err) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pin", "v0.2.0"], "OWNER/REPOSITORY@"),
        (["--pin", "acme/planner@v0.2.0"], "OWNER/REPOSITORY@"),
        ([], "--pin OWNER/REPOSITORY@COMMIT"),
    ],
)
def test_without_a_pin_nothing_is_written(
    repository: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(init_github, "_checked_out", lambda _: None)
    ran = repository.planner("init", "--github", *arguments)
    assert (ran.code, said in ran.err) == (2, True)
    assert not (repository.root / "planner.yaml").exists()


def test_without_a_repository_nothing_is_written(project: Project) -> None:
    ran = empty(project).planner(*GITHUB)
    assert (ran.code, "git init" in ran.err) == (2, True)
    git(project.root, "init", "-q")
    ran = project.planner(*GITHUB)
    assert (ran.code, "gh repo create" in ran.err) == (2, True)
    assert not (project.root / "planner.yaml").exists()


def test_the_pin_is_that_of_the_program(repository: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A released wheel has it in a file; pip records it; a checkout of GitHub has it in git."""
    built = tmp_path / "built_from.json"
    monkeypatch.setattr(init_github, "_BUILT_FROM", built)
    recorded = {"url": "https://github.com/acme/copy.git", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}}
    monkeypatch.setattr(init_github, "distribution", lambda _: Recorded(json.dumps(recorded)))
    repository.planner("init", "--github")
    assert f"acme/copy/.github/workflows/plan.yml@{'a' * 40}" in first_workflow(repository)
    (repository.root / ".github/workflows/phone-plans.yml").unlink()
    built.write_text(json.dumps({"repository": "acme/released", "commit": "b" * 40}))
    repository.planner("init", "--github")
    assert f"acme/released/.github/workflows/plan.yml@{'b' * 40}" in first_workflow(repository)


@dataclass
class Recorded:
    text: str

    def read_text(self, _: str) -> str:
        return self.text


def first_workflow(project: Project) -> str:
    return (project.root / ".github/workflows/phone-plans.yml").read_text()


def test_init_in_a_project_is_refused(project: Project) -> None:
    """Also in a folder of one; what to add instead is named. Plans without a project are kept."""
    assert "kept plans: it contains plans\nwrote planner.yaml\n" in project.planner("init").out
    for folder in (".", "plans"):
        ran = project.planner("init", "--dir", folder)
        assert (ran.code, ran.out, "plans/second.yaml" in ran.err) == (2, "", True)


def test_init_in_an_unwritable_folder(project: Project) -> None:
    """One line that says what is in the way."""
    (project.root / "plans/hours.yaml").unlink()
    (project.root / "plans").rmdir()
    project.write("plans", "a file\n")
    ran = project.planner("init")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("planner: plans/first.yaml cannot be written: File exists\n")


def test_the_workflows_are_those_in_the_documentation() -> None:
    """After a change in docs/workflows/, copy them to planner/commands/starter/."""
    documented = {name: (ROOT / f"docs/workflows/{name}.yml").read_text() for name in WORKFLOWS}
    assert {path.stem: path.read_text() for path in (ROOT / "planner/commands/starter").glob("*.yml")} == documented
