"""The commit whose planner.yaml is the policy of a CI job.

The same root and commit are used for policy, judge, store, recorded answers, redaction and environments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from planner.ci.event import NamedCommit, named_by_github
from planner.ci.git import Git, Layout, without_repository
from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, root_of
from planner.planfile.model import Policy, Project
from planner.planfile.project import load_project, read_project
from planner.shell import Shell
from planner.stores.git_objects import GitAnswer
from planner.values import frozen

NO_BASE: Final = "none"
"""The `--base` with which every failure counts."""
_FILES: Final = ("100644", "100755")
"""The modes of files in git."""
STRICT: Final = Project(policy=Policy(max_cost_cents=1_000, max_calls=100, gate="strict"))
"""Used if the base commit has no planner.yaml: a small ceiling, no judge, no shared store, no environments."""


@frozen
class BaseCommit:
    """A commit and the project's folder in it: "" or ending with a slash. `name` is its display name, `what` describes
    it."""

    git: Git
    commit: str
    name: str
    what: str
    folder: str = ""
    has_project: bool = False
    """Whether that folder has a planner.yaml."""

    def read(self, name: str) -> bytes | None:
        """Read a file of the project's folder from the commit; None if it does not exist. Raises `UsageError` if it
        exists and cannot be read, for example in a partial clone."""
        path = self.folder + name
        found = self._entry(path)
        if found is None:
            return None
        mode, object_id = found
        if mode not in _FILES:
            raise UsageError(f"{self.name}:{path} is not a file", "Commit a file there, not a link or a folder.")
        content = self.git("cat-file", "blob", object_id)
        if content.code != 0:
            raise self._unreadable(path)
        return content.out

    def has(self, file: Path) -> bool:
        """Whether the commit has this file of the work tree; files outside of it are nobody's change. Raises
        `UsageError` in a partial clone that lacks the folder."""
        layout = self.git.layout()
        if not isinstance(layout, Layout) or not file.is_relative_to(layout.work_tree):
            return True
        return self._entry(file.relative_to(layout.work_tree).as_posix()) is not None

    def _entry(self, path: str) -> tuple[str, str] | None:
        listed = self.git("ls-tree", "-z", "--full-tree", self.commit, "--", path)
        if listed.code != 0:
            raise self._unreadable(path)
        about = listed.out.partition(b"\t")[0].decode().split(" ")
        return (about[0], about[2]) if len(about) == 3 else None

    def _unreadable(self, path: str) -> UsageError:
        return UsageError(
            f"planner cannot read {path} of {self.name} ({self.what}): it is missing in this partial clone",
            f"Fetch it first (git cat-file -e {self.commit}:{path}), or clone without a filter.",
        )

    def nearest(self, prefix: str) -> BaseCommit:
        """The same commit, with the nearest folder at or above `prefix` that has a planner.yaml as project folder;
        otherwise the repository's root."""
        parts = prefix.split("/")[:-1]
        for length in range(len(parts), -1, -1):
            folder = "".join(f"{part}/" for part in parts[:length])
            if self._entry(folder + PROJECT_FILE) is not None:
                return replace(self, folder=folder, has_project=True)
        return self


def base_commit(git: Git, named: NamedCommit) -> tuple[Path, BaseCommit]:
    """The project's root for `git.folder`, and the commit.

    Raises `UsageError` if there is no repository, or it lacks the commit.
    """
    layout = git.layout()
    if isinstance(layout, GitAnswer):
        raise without_repository(git, layout, "Run the command inside a git repository.")
    commit = _resolve(git, f"refs/remotes/{named.ref}") or _resolve(git, named.ref)
    if not commit:
        raise UsageError(
            f"this clone has no commit {named.ref!r} ({named.what}), so planner cannot read the policy", named.hint
        )
    prefix = git("rev-parse", "--show-prefix").out.removesuffix(b"\n").decode(errors="surrogateescape")
    base = BaseCommit(git, commit, named.name or commit[:12], named.what).nearest(prefix)
    return layout.work_tree / base.folder, base


def _resolve(git: Git, ref: str) -> str:
    """The commit id of a ref or expression; "" if there is none. For `origin/main`, git would prefer a tag of that
    name, so `base_commit` asks for the remote branch first."""
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").out.decode().strip()


@frozen
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
        data, file = self.base.read(PROJECT_FILE) or b"", f"{self.base.name}:{self.base.folder}{PROJECT_FILE}"
        project, diagnostics = read_project(data, file)
        return replace(project, root=self.root), diagnostics

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


def policy_source(shell: Shell, base: str | None, paths: Sequence[Path] = ()) -> PolicySource:
    """The source named by `base` (`--base`), otherwise by GitHub's event. Raises `UsageError` if the commit cannot be
    read."""
    if base is not None and base != NO_BASE:
        hint = "In CI, fetch it first: git fetch --depth=1 origin BRANCH, then use --base FETCH_HEAD."
        named = NamedCommit(base, "the commit of --base", hint, name=base)
    else:
        named = named_by_github(shell.environ)
    if named is None:
        return work_tree_source(shell, paths)
    return PolicySource(*base_commit(Git(shell.cwd, shell.environ), named))
