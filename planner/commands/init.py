"""`planner init`: write a first plan and `planner.yaml`; with `--github`, the workflows for pull requests. Overwrites
nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from planner.commands.init_github import (
    Target,
    later_steps,
    run_steps,
    steps,
    target_of,
    turn_store_on,
    write_workflows,
)
from planner.commands.schema import SCHEMAS, write_plan_schema
from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, display_name, plan_files
from planner.reports.neutral import for_terminal
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.selection import DEFAULT_PATH

STARTER = Path(__file__).with_name("starter")
"""Templates of the files. The workflows are also in the documentation."""

PLAN = DEFAULT_PATH / "first.yaml"
_FILES = {PLAN: "first.yaml", Path(PROJECT_FILE): "planner.yaml"}


@frozen
class InitOptions:
    """`directory` is the project's folder; `github` also sets pull requests up."""

    directory: Path = Path()
    github: bool = False
    pin: str | None = None
    """The repository and commit of the workflows, as `OWNER/REPOSITORY@COMMIT`; None: where planner is from."""
    confirm: Callable[[str], bool] | None = None
    """Asks before commands of `gh` are run; None: they are only printed."""


def init(shell: Shell, options: InitOptions) -> int:
    """Write the missing files; return 0, or 4 if a command of `gh` failed. Raises `UsageError` inside a project, unless
    only workflows are wanted."""
    directory, github = options.directory, options.github
    folder = shell.cwd / directory
    project = _project_of(folder)
    if project is not None and github and directory != Path() and project.parent.resolve() != folder.resolve():
        raise UsageError(
            f"{for_terminal(display_name(project, shell.cwd))} is above this folder, and a project cannot be inside"
            " another",
            "Move that project and its plans into a folder of its own, too, or add a target to it instead.",
        )
    if project is not None and not github:
        raise UsageError(
            f"{for_terminal(display_name(project, shell.cwd))} exists: this is already a project",
            f"Add a plan instead, such as {DEFAULT_PATH / 'second.yaml'}: copy one, or see docs/plans.md. Workflows:"
            " planner init --github.",
        )
    repository = None
    if github:  # before anything is written
        repository = target_of(shell, folder if project is None else project.parent, options.pin)
    written: set[Path] = set()
    for target, source in ({} if project is not None else _FILES).items():
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
        schema = write_plan_schema(shell, directory / SCHEMAS)
        shell.print(f"wrote {for_terminal(schema.as_posix())}: editors complete and explain keys")
    if repository is not None:
        return _set_up_github(shell, options, repository, written)
    shell.print(_next_steps(directory, written))
    return 0


def _set_up_github(shell: Shell, options: InitOptions, target: Target, written: set[Path]) -> int:
    turn_store_on(shell, target.root / target.place / PROJECT_FILE)
    write_workflows(shell, target)
    shell.print(_next_steps(options.directory, written))
    shell.print("\nOn GitHub, before you merge:")
    code = run_steps(shell, target.root, steps(shell.environ, target.branch), options.confirm)
    again, require = later_steps(target.name)
    shell.print(
        f"\nAfter the merge, require the status. (The push records the prices; to repeat: {again})\n  {require}"
    )
    return code


def _project_of(folder: Path) -> Path | None:
    """The planner.yaml that applies in the folder; None if there is none up to the repository's root."""
    for each in (folder, *folder.parents):
        if found := _project_in(each):
            return found
        if os.path.lexists(each / ".git"):
            return None
    return None


def _project_in(folder: Path) -> Path | None:
    return folder / PROJECT_FILE if os.path.lexists(folder / PROJECT_FILE) else None


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
    yours = f"Fill in the lines marked <- in {PLAN}.\n" if PLAN in written else ""
    listed = "\n".join(f"  {step}" for step in steps)
    return f"\n{yours}Next:\n{listed}"
