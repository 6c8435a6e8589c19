"""What the plans had where a pull request branched off: only cases of that commit can be removed by it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from planner.errors import UsageError
from planner.results.model import CaseResult
from planner.session.git import Git
from planner.session.policy_source import PolicySource
from planner.session.selection import Loaded, Selection, read_files
from planner.session.shell import Shell

MERGE_BASE: Final = "refs/planner/merge-base"
"""Where a job with a shallow clone puts the commit."""


def added_elsewhere(
    shell: Shell, selection: Selection, loaded: Loaded, baseline: Mapping[str, CaseResult]
) -> dict[str, CaseResult]:
    """The base branch's cases that the plans lack, and that this pull request did not remove: the base branch got them
    later. If the commit is unknown, all that the plans lack."""
    present = {case.case_id for plan in loaded.plans for case in plan.cases}
    missing = {case_id: case for case_id, case in baseline.items() if case_id not in present}
    if not missing:
        return {}
    before = _case_ids(shell, selection, loaded)
    return {case_id: case for case_id, case in missing.items() if case_id not in before}


def _case_ids(shell: Shell, selection: Selection, loaded: Loaded) -> Iterable[str]:
    """The cases of the plans at that commit; none if it or its plans cannot be read."""
    git = Git(loaded.root, shell.environ)
    layout, commit = git.layout(), _commit(git, loaded)
    work_tree = getattr(layout, "work_tree", None)
    if not commit or work_tree is None:
        return ()
    archive = git("archive", "--format=tar", commit)
    if archive.code != 0:
        return ()
    with TemporaryDirectory() as name:
        tree = Path(name).resolve()
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.out)) as files:
                files.extractall(tree, filter="data")
        except (tarfile.TarError, OSError):
            return ()
        cwd = tree / shell.cwd.resolve().relative_to(work_tree.resolve())
        root = tree / loaded.root.resolve().relative_to(work_tree.resolve())
        if not cwd.is_dir():
            return ()
        try:
            found = read_files(
                replace(shell, cwd=cwd), selection.paths, selection.environment, PolicySource(root, loaded.base)
            )
        except UsageError:  # it had no such plans
            return ()
        return {case.case_id for plan in found.plans for case in plan.cases}


def _commit(git: Git, loaded: Loaded) -> str:
    named = git("rev-parse", "--verify", "--quiet", f"{MERGE_BASE}^{{commit}}").out.decode().strip()
    if named or loaded.base is None:
        return named
    return git("merge-base", "HEAD", loaded.base.commit).out.decode().strip()
