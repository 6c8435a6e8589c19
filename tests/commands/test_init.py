"""`planner init`: what it writes works as it is, and what is there stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[2]
WORKFLOWS = ("phone-plans", "phone-plans-call", "phone-plans-main")
NEXT = """\

Fill in the lines marked <- in plans/first.yaml, planner.yaml, .github/workflows/phone-plans*.yml.
Store the API key in the environment phone-calls of the repository, for its default branch only. Private
repositories without a paid plan have no environments: there everyone with write access can use the key.
Next:
  planner run --sandbox --consent-to-charge   try it: no key, no phone, no money
  planner schema                              lets editors complete and explain keys
  planner plan --refresh                      calls to your own agent and their cost (needs a key)
Each run overwrites reports/; consider adding it to .gitignore.
"""


def empty(project: Project) -> Project:
    (project.root / "plans/hours.yaml").unlink()
    (project.root / "plans").rmdir()
    return project


def test_the_starter_files_work(project: Project) -> None:
    """The plan is valid, and passes on the sandbox within the policy; so do the next steps that it names."""
    ran = empty(project).planner("init")
    assert (ran.code, ran.err) == (0, "")
    workflows = "".join(f"wrote .github/workflows/{name}.yml\n" for name in WORKFLOWS)
    assert ran.out == f"wrote plans/first.yaml\nwrote planner.yaml\n{workflows}{NEXT}"
    assert project.planner("validate").out == "1 plan valid · 2 cases · 6 runs\n"
    assert project.planner("run", "--sandbox", "--consent-to-charge").code == 0
    assert project.planner("schema").code == 0
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


def test_init_overwrites_nothing(project: Project) -> None:
    """Plans, a project, a workflow that are there are kept, and so is a link to nowhere."""
    project.write("planner.yaml", "# mine\n")
    (project.root / ".github/workflows").mkdir(parents=True)
    for name in WORKFLOWS:
        (project.root / f".github/workflows/{name}.yml").symlink_to("nowhere.yml")
    ran = project.planner("init")
    assert ran.code == 0
    assert ran.out.startswith(
        "kept plans: it contains plans\nkept planner.yaml: it exists\n"
        + "".join(f"kept .github/workflows/{name}.yml: it exists\n" for name in WORKFLOWS)
        + "\nNext:\n"
    )
    assert (project.root / "planner.yaml").read_text() == "# mine\n"
    assert sorted(path.name for path in project.root.rglob("*.y*ml")) == [
        "hours.yaml",
        "phone-plans-call.yml",
        "phone-plans-main.yml",
        "phone-plans.yml",
        "planner.yaml",
    ]
    assert not (project.root / ".github/workflows/nowhere.yml").exists()


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
