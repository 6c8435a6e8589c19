"""The project for commands that read no plans: its store and redaction."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from planner.errors import PlanInvalidError, UsageError
from planner.planfile.files import PROJECT_FILE, plan_files
from planner.planfile.model import Project
from planner.planfile.project.places import misplaced_projects
from planner.session.policy_source import policy_source
from planner.session.selection import default_path
from planner.session.shell import Shell


def load_current_project(shell: Shell, policy_from: str | None = None) -> tuple[Path, Project]:
    """The project's root and planner.yaml, from the commit that policy comes from.

    Raises:
        PlanInvalidError: planner.yaml is invalid, or a project file is in a folder where it is not read: its store and
            redaction would be ignored.
        UsageError: the commit cannot be read.
    """
    source = policy_source(shell, policy_from)
    if source.base is None:
        folders = _folders_of_plans(shell.cwd / default_path(shell.cwd, source.root))
        misplaced = misplaced_projects(source.root, folders, cwd=shell.cwd)
        if misplaced.has_errors:
            raise PlanInvalidError(
                "a project file is in the wrong folder, so its store and redaction would be ignored", misplaced
            )
    project, diagnostics = source.project(shell.cwd)
    if diagnostics.has_errors:
        raise PlanInvalidError(f"{PROJECT_FILE} is invalid, so its store and redaction would be ignored", diagnostics)
    if source.note:
        shell.log(source.note)
    return source.root, project


def _folders_of_plans(path: Path) -> set[Path]:
    """Folders in which `planner run` would find plans; there may be none."""
    found: set[Path] = {path} if path.is_dir() else set()
    if found:
        with suppress(UsageError):  # no plans, or unreadable
            found.update(file.parent for file in plan_files([path]))
    return found
