"""`planner init`: write a first plan and `planner.yaml`; with `--github`, the workflows for pull requests. Overwrites
nothing."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from planner.commands.schema import SCHEMAS, write_schemas
from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, display_name, plan_files
from planner.reports.neutral import for_terminal
from planner.session.selection import DEFAULT_PATH
from planner.session.shell import Shell

STARTER = Path(__file__).with_name("starter")
"""Templates of the files. The workflows are also in the documentation."""

PLAN = DEFAULT_PATH / "first.yaml"
WORKFLOWS = Path(".github/workflows")
_NAMES = ("phone-plans.yml", "phone-plans-call.yml", "phone-plans-main.yml")
_FILES = {PLAN: "first.yaml", Path(PROJECT_FILE): "planner.yaml"}
_WORKFLOW_FILES = {WORKFLOWS / name: name for name in _NAMES}


def init(shell: Shell, directory: Path, *, github: bool = False) -> int:
    """Write the missing files; return 0. Raises `UsageError` inside a project, unless only workflows are wanted."""
    folder = shell.cwd / directory
    project = _project_of(folder)
    if project is not None and not github:
        raise UsageError(
            f"{for_terminal(display_name(project, shell.cwd))} is there: this is a project already",
            f"Add a plan instead, such as {DEFAULT_PATH / 'second.yaml'}: copy one, or see docs/plans.md. Workflows:"
            " planner init --github.",
        )
    files = {} if project is not None else _FILES
    written: set[Path] = set()
    for target, source in (files | (_WORKFLOW_FILES if github else {})).items():
        path = folder / target
        name = for_terminal(display_name(path, shell.cwd))
        if target == PLAN and _has_plans(folder / DEFAULT_PATH):
            shell.print(f"kept {for_terminal(display_name(path.parent, shell.cwd))}: it contains plans")
        elif _wrote(path, (STARTER / source).read_bytes(), name):
            written.add(target)
            shell.print(f"wrote {name}")
        else:
            shell.print(f"kept {name}: it exists")
    if project is None:
        write_schemas(shell, directory / SCHEMAS)
        shell.print(
            f"wrote {for_terminal(display_name(folder / SCHEMAS, shell.cwd))}/: editors complete and explain keys"
        )
    shell.print(_next_steps(directory, written))
    return 0


def _project_of(folder: Path) -> Path | None:
    """The planner.yaml that applies in the folder; None if there is none up to the repository's root."""
    for each in (folder, *folder.parents):
        if os.path.lexists(each / PROJECT_FILE):
            return each / PROJECT_FILE
        if os.path.lexists(each / ".git"):
            return None
    return None


def _has_plans(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(plan_files([folder]))
    except UsageError:
        return False


def _wrote(path: Path, content: bytes, name: str) -> bool:
    """Write the file; False if something of that name exists, even a broken link."""
    if os.path.lexists(path):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{name} cannot be written: {error.strerror}", "Fix this, then run the same command again."
        ) from error
    return True


def _next_steps(directory: Path, written: set[Path]) -> str:
    steps = [f"cd {shlex.quote(str(directory))}"] if directory != Path() else []
    steps += [
        "planner run --sandbox --consent-to-charge   try it: no key, no phone, no money",
        "planner plan                                calls to your own agent and their cost",
    ]
    written_workflows = [path for path in written if path.parent == WORKFLOWS]
    marked = [str(path) for path in (PLAN, Path(PROJECT_FILE)) if path in written]
    marked += [f"{WORKFLOWS}/phone-plans*.yml"] if written_workflows else []
    yours = f"Fill in the lines marked <- in {', '.join(marked)}.\n" if marked else ""
    if written_workflows:
        yours += (
            "Store the API key in the environment phone-calls of the repository, for its default branch only. Private\n"
            "repositories without a paid plan have no environments: there everyone with write access can use the key.\n"
        )
    listed = "\n".join(f"  {step}" for step in steps)
    return f"\n{yours}Next:\n{listed}"
