"""The plans as they were where a pull request branched off."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from planner.ci.git import Git, Layout
from planner.ci.policy import PolicySource
from planner.errors import UsageError
from planner.planfile.model import Case
from planner.workspace.selection import read_files
from planner.workspace.stores import Workspace

MERGE_BASE: Final = "refs/planner/merge-base"
"""Where a job with a shallow clone puts the commit."""


def cases_at_merge_base(work: Workspace) -> Mapping[str, Case]:
    """The cases of the plans, by id, at the commit where the pull request branched off; none if it or its plans cannot
    be read."""
    shell, selection, loaded = work.shell, work.selection, work.loaded
    git = Git(loaded.root, shell.environ)
    layout, commit = git.layout(), _merge_base(git, work)
    if not commit or not isinstance(layout, Layout):
        return {}
    archive = git("archive", "--format=tar", commit)
    if archive.code != 0:
        return {}
    with TemporaryDirectory() as name:
        tree = Path(name).resolve()
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.out)) as files:
                files.extractall(tree, filter="data")
        except (tarfile.TarError, OSError):
            return {}
        cwd = tree / shell.cwd.resolve().relative_to(layout.work_tree.resolve())
        root = tree / loaded.root.resolve().relative_to(layout.work_tree.resolve())
        if not cwd.is_dir():
            return {}
        source = PolicySource(root, loaded.base)
        try:
            found = read_files(replace(shell, cwd=cwd), selection.paths, selection.environment, source)
        except UsageError:  # it had no such plans
            return {}
        return {case.case_id: case for plan in found.plans for case in plan.cases}


def _merge_base(git: Git, work: Workspace) -> str:
    named = git("rev-parse", "--verify", "--quiet", f"{MERGE_BASE}^{{commit}}").out.decode().strip()
    base = work.loaded.base
    if named or base is None:
        return named
    return git("merge-base", "HEAD", base.commit).out.decode().strip()
