"""The source of policy: planner.yaml of the work tree, or of a commit that the tree under test cannot change.

The same root and commit are used for policy, judge, store, recorded answers, redaction and environments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.diagnostics import Diagnostics
from planner.planfile.files import PROJECT_FILE
from planner.planfile.model import Policy, Project
from planner.planfile.project.load import load_project, read_project
from planner.planfile.project.places import root_of
from planner.session.base_commit import BaseCommit, base_commit, named_by_ci, typed_commit
from planner.session.git import Git
from planner.session.shell import Shell

STRICT: Final = Project(policy=Policy(max_cost_cents=1_000, max_calls=100))
"""Used if the base commit has no planner.yaml: a small ceiling, no judge, no shared store, no environments."""


@dataclass(frozen=True, slots=True)
class PolicySource:
    """`root` is the project's. `base` is None if the work tree is trusted."""

    root: Path
    base: BaseCommit | None = None

    def project(self, cwd: Path) -> tuple[Project, Diagnostics]:
        """The project and the diagnostics of its file. Raises `UsageError` if the commit cannot be read."""
        if self.base is None:
            return load_project(self.root, cwd=cwd)
        if not self.base.has_project:
            return STRICT, Diagnostics()
        return read_project(self.base.read(PROJECT_FILE) or b"", f"{self.base.name}:{self.base.folder}{PROJECT_FILE}")

    @property
    def note(self) -> str:
        """A note for the user; "" for the work tree."""
        if self.base is None:
            return ""
        if self.base.has_project:
            return f"policy: {self.base.folder}{PROJECT_FILE} of {self.base.name} ({self.base.what})"
        return (
            f"{self.base.name} ({self.base.what}) has no {PROJECT_FILE}, so strict built-in limits apply:"
            f" {STRICT.policy.max_calls} calls and ${(STRICT.policy.max_cost_cents or 0) / 100:.2f} per session,"
            " no judge, no shared store, no environments"
        )


def work_tree_source(shell: Shell, paths: Sequence[Path] = ()) -> PolicySource:
    """For commands that only inspect files of the work tree."""
    return PolicySource(root_of(shell.cwd, [shell.cwd / path for path in paths]))


def policy_source(shell: Shell, policy_from: str | None, paths: Sequence[Path] = ()) -> PolicySource:
    """The source named by `policy_from`, otherwise by the CI system.

    Raises `UsageError` if the named commit cannot be read.
    """
    named = typed_commit(policy_from) if policy_from is not None else named_by_ci(shell.environ)
    if named is None:
        return work_tree_source(shell, paths)
    return PolicySource(*base_commit(Git(shell.cwd, shell.environ), named))
