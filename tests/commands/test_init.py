"""`planner init`: what it writes works as it is, and what is there stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[2]
WORKFLOWS = ("phone-plans", "phone-plans-call", "phone-plans-main")
NEXT = """\

Fill in the lines marked <- in plans/first.yaml, planner.yaml.
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
    schemas = "wrote schemas/: editors complete and explain keys\n"
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
    assert [f"{path.stat().st_mode & 0o777:o}" for path in (store, store / "sandbox/journal.sqlite")] == ["700", "600"]


def test_workflows_are_written_on_request_and_nothing_is_overwritten(project: Project) -> None:
    """Also in a project, whose files are left alone; a workflow that is there is kept, and so is a link to nowhere."""
    project.write("planner.yaml", "# mine\n")
    (project.root / ".github/workflows").mkdir(parents=True)
    (project.root / ".github/workflows/phone-plans.yml").symlink_to("nowhere.yml")
    ran = project.planner("init", "--github")
    assert ran.code == 0
    first, *others = (f".github/workflows/{name}.yml" for name in WORKFLOWS)
    assert ran.out.startswith(f"kept {first}: it exists\n" + "".join(f"wrote {name}\n" for name in others))
    assert "Store the API key in the environment phone-calls" in ran.out
    assert (project.root / "planner.yaml").read_text() == "# mine\n"
    assert not (project.root / ".github/workflows/nowhere.yml").exists()


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
    documented = {path.name: path.read_text() for path in (ROOT / "docs/workflows").iterdir()}
    assert {path.name: path.read_text() for path in (ROOT / "planner/commands/starter").glob("*.yml")} == documented
