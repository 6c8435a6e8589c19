"""The plans as they were where a pull request branched off, and the calls that it leaves to the base branch.

An agent was edited at the service, results expired, or merged cases were never called: that concerns cases that are the
same in that commit. The pull request may neither pay for these calls nor wait for them. The default branch makes them
(`planner ci record --issue`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from planner.changes.configuration import called_fields, configuration_digest
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.model import Change, Reason
from planner.ci.git import Git, Layout
from planner.ci.policy import BaseCommit, PolicySource
from planner.errors import IncompleteError, UsageError
from planner.planfile.files import PROJECT_FILE, is_plan_file
from planner.planfile.model import Case, Project
from planner.planfile.project import load_project
from planner.results.outcomes import Action
from planner.values import frozen
from planner.workspace.selection import DEFAULT_PATH, read_files
from planner.workspace.stores import Workspace

MERGE_BASE: Final = "refs/planner/merge-base"
"""Where a job with a shallow clone puts the commit."""


class NoPlans(Enum):
    """Why a pull request has no plans, for its status and comment."""

    DELETED = "this pull request deletes the last plan: nothing is tested from now on"
    NONE = "there are no plans, here or on the base branch: nothing is tested"


def why_no_plans(work: Workspace) -> NoPlans:
    """Of a pull request without plans.

    Raises:
        IncompleteError: its branch is older than the plans of the base branch.
        UsageError: this is no pull request, or it adds a project without plans; or nobody knows where it branched off.
    """
    base = work.loaded.base
    if base is None:
        raise UsageError("there are no plans", "A plan is a .yaml or .yml file; planner init writes a first one.")
    if not _has_plans(work, base, base.commit):
        if (work.loaded.root / PROJECT_FILE).exists() and not base.has_project:
            raise UsageError(
                f"this pull request adds {PROJECT_FILE}, and no plan in {DEFAULT_PATH}/",
                "Add one, or name its folder: `paths` of the workflows.",
            )
        return NoPlans.NONE
    before = _merge_base(base.git, work)
    if not before:
        raise UsageError(
            "this pull request has no plans, and planner cannot find the commit where it branched off",
            "Fetch that commit, as the workflows of `planner init --github` do.",
        )
    if not _has_plans(work, base, before):
        raise IncompleteError(
            "this branch is older than the plans of its base branch",
            "Update the branch: merge the base branch into it, or rebase it.",
        )
    return NoPlans.DELETED


def _has_plans(work: Workspace, base: BaseCommit, commit: str) -> bool:
    """Raises `UsageError` if the commit cannot be read."""
    layout = base.git.layout()
    top = layout.work_tree.resolve() if isinstance(layout, Layout) else work.loaded.root.resolve()
    named = [(work.shell.cwd / path).resolve() for path in work.selection.paths]
    wanted = named or [work.loaded.root.resolve() / DEFAULT_PATH]
    folders = [path.relative_to(top).as_posix() for path in wanted if path.is_relative_to(top)]
    listed = base.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", *folders)
    if listed.code != 0:
        raise UsageError(f"the plans of {commit} cannot be read", "Fetch the commit, or clone without a filter.")
    return any(is_plan_file(path.rpartition("/")[2]) for path in listed.out.decode(errors="replace").split("\0"))


def cases_at_merge_base(work: Workspace) -> Mapping[str, Case]:
    """The cases of the plans, by id, at the commit where the pull request branched off; none if it or its plans cannot
    be read."""
    found = at_merge_base(work)
    return {} if found is None else found.cases


@frozen
class MergeBase:
    """The commit where the pull request branched off: its cases by id, and its planner.yaml."""

    project: Project
    cases: Mapping[str, Case] = field(default_factory=dict[str, Case])
    is_whole: bool = True
    """Whether all of its plans were valid."""


def at_merge_base(work: Workspace) -> MergeBase | None:
    """None if the commit cannot be read."""
    shell, selection, loaded = work.shell, work.selection, work.loaded
    git = Git(loaded.root, shell.environ)
    layout, commit = git.layout(), _merge_base(git, work)
    if not commit or not isinstance(layout, Layout):
        return None
    archive = git("archive", "--format=tar", commit)
    if archive.code != 0:
        return None
    with TemporaryDirectory() as name:
        tree = Path(name).resolve()
        try:
            (tree / ".git").mkdir()  # what a plan names must be inside of a repository, and no commit has this folder
            with tarfile.open(fileobj=io.BytesIO(archive.out)) as files:
                files.extractall(tree, filter="data")
        except (tarfile.TarError, OSError):
            return None
        cwd = tree / shell.cwd.resolve().relative_to(layout.work_tree.resolve())
        root = tree / loaded.root.resolve().relative_to(layout.work_tree.resolve())
        project = load_project(root, cwd=cwd)[0]
        if not cwd.is_dir():
            return MergeBase(project)
        source = PolicySource(root, loaded.base)
        try:
            found = read_files(replace(shell, cwd=cwd), selection.paths, selection.environment, source)
        except UsageError:  # it had no such plans
            return MergeBase(project)
        cases = {case.case_id: case for plan in found.plans for case in plan.cases}
        return MergeBase(project, cases, is_whole=not found.diagnostics.has_errors)


def _merge_base(git: Git, work: Workspace) -> str:
    named = git("rev-parse", "--verify", "--quiet", f"{MERGE_BASE}^{{commit}}").out.decode().strip()
    base = work.loaded.base
    if named or base is None:
        return named
    return git("merge-base", "HEAD", base.commit).out.decode().strip()


# Calls of untouched cases


_ASKED_FOR: Final = (Reason.RERUN, Reason.START_OVER)
"""Somebody wants these calls, whatever has changed."""


def leave_to_base(work: Workspace, changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes, without calls of cases that the pull request does not touch. Outside of one, or if the commit where
    it branched off is unknown, all of them."""
    changes = tuple(changes)
    needed = [
        change for change in changes if change.action is Action.CALL and change.reason not in _ASKED_FOR and change.case
    ]
    if work.place.base is None or not needed:
        return changes
    before = cases_at_merge_base(work)
    left = {
        change.case_id
        for change in needed
        if change.case is not None
        and (old := before.get(change.case_id)) is not None
        and _terms(old) == _terms(change.case)
    }
    return tuple(_left(change) if change.case_id in left else change for change in changes)


def _left(change: Change) -> Change:
    detail = f"not touched by this pull request: {change.reason.label}"
    return replace(
        change, action=Action.REUSE, reason=Reason.LEFT_TO_BASE, runs=0, detail=detail, kept_run_ids=(), judge=None
    )


def _terms(case: Case) -> tuple[object, ...]:
    """What decides which calls are made, and how they are judged."""
    config = case.target.config
    return (
        call_fingerprint(case_inputs(case, None)),
        check_fingerprint(case),
        configuration_digest(called_fields(config)) if config is not None else "",
        case.runs,
        case.retries,
    )
