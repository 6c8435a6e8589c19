"""The project of a command that reads no plans: its store, and what it does not want others to see."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from planner.errors import PlanInvalidError, UsageError
from planner.invocation.policy_source import policy_source
from planner.invocation.selection import default_path
from planner.invocation.shell import Shell
from planner.planfile.files import PROJECT_FILE, plan_files
from planner.planfile.model import Project
from planner.planfile.project_places import misplaced_projects


def project_here(shell: Shell, policy_from: str | None = None) -> tuple[Path, Project]:
    """The project's root and what its planner.yaml sets, as of the commit that policy comes from.

    Raises `PlanInvalidError` for one that has a fault, and for a project file that nobody reads: another store would be looked
    in than the one it names, and words shown that it was to hide. `UsageError` where the commit cannot be read.
    """
    source = policy_source(shell, policy_from)
    if source.base is None:
        folders = _folders_of_plans(shell.cwd / default_path(shell.cwd, source.root))
        misplaced = misplaced_projects(source.root, folders, cwd=shell.cwd)
        if misplaced.has_errors:
            raise PlanInvalidError(
                "a project file is where nobody reads it, so neither its store nor what it hides would hold", misplaced
            )
    project, diagnostics = source.project(shell.cwd)
    if diagnostics.has_errors:
        raise PlanInvalidError(
            f"{PROJECT_FILE} has faults, so neither its store nor what it hides would hold", diagnostics
        )
    if source.note:
        shell.tell(source.note)
    return source.root, project


def _folders_of_plans(path: Path) -> set[Path]:
    """Those that `planner run` would find plans in; none is needed here."""
    found: set[Path] = {path} if path.is_dir() else set()
    if found:
        with suppress(UsageError):  # a folder without plans, or that cannot be read
            found.update(file.parent for file in plan_files([path]))
    return found
