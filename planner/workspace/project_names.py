"""Projects of one repository that have the same name, so that they would share results and lose each other's."""

from __future__ import annotations

import os
from pathlib import Path

from planner.ci.git import Git
from planner.diagnostics import Diagnostics, Related, Span
from planner.errors import PlannerError
from planner.planfile.files import PROJECT_FILE, display_name
from planner.planfile.project import name_place
from planner.planfile.reporter import Reporter
from planner.shell import Shell


def repository_of(folder: Path) -> Path | None:
    """The work tree that contains the folder, found by `.git`, which no commit can contain; None if there is none."""
    at = folder.parent.resolve() / folder.name
    return next((parent for parent in (at, *at.parents) if os.path.lexists(parent / ".git")), None)


def check_project_names(shell: Shell, root: Path) -> Diagnostics:
    """An error for each other project in the work tree that has the name of the one in `root`.

    Only if that has a `name`, or is in a folder: a single project at the top needs no git.
    """
    diagnostics = Diagnostics()
    root = root.resolve()
    repository = repository_of(root)
    if repository is None:
        return diagnostics
    own, place = _name_of(root, repository, shell.cwd)
    if not own:
        return diagnostics
    for folder in project_folders(shell, repository):
        if folder == root:
            continue
        name, other = _name_of(folder, repository, shell.cwd)
        if name == own:
            detail = f"{other.file} has the name `{name}`, too; give one of them another `name`"
            Reporter(diagnostics).error("project-name-taken", detail, place, Related("the other one", other))
    return diagnostics


def project_folders(shell: Shell, repository: Path) -> list[Path]:
    """The folders of the work tree that have a planner.yaml, which git does not ignore."""
    try:
        listed = Git(repository, shell.environ)("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except PlannerError:
        return []  # without git, no other machine shares the results
    paths = [path for path in listed.out.split(b"\0") if path.rpartition(b"/")[2] == PROJECT_FILE.encode()]
    folders = dict.fromkeys((repository / os.fsdecode(path)).parent for path in paths)
    return [folder for folder in folders if (folder / PROJECT_FILE).is_file()]


def _name_of(folder: Path, repository: Path, cwd: Path) -> tuple[str, Span]:
    """`name` of the project, or else its folder in the repository, and where that is written."""
    name, place = name_place(folder / PROJECT_FILE, display_name(folder / PROJECT_FILE, cwd))
    return name if name is not None else folder_name(folder, repository), place


def folder_name(folder: Path, repository: Path | None) -> str:
    """The name of a project without `name`: its folder in the repository, "" for the top and outside of one."""
    return "" if repository in (None, folder) else folder.relative_to(repository).as_posix()
