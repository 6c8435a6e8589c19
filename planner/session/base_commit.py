"""The base commit: the source of policy on a pull request.

The command line or the CI system names it, never a file of the tree under test.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE
from planner.session.git import Answer, Git, without_repository

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = re.compile(
    r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/$))[^\s~^:?*\[\\\x00-\x1f\x7f-][^\s~^:?*\[\\\x00-\x1f\x7f]*"
)
_MAX_LINKS: Final = 8
_LINK: Final = "120000"
_NAME_ONE: Final = "Name the commit whose planner.yaml applies: --policy-from COMMIT."

_GITHUB: Final = {
    "pull_request": ("pull_request", "base", "sha"),
    "pull_request_target": ("pull_request", "base", "sha"),
    "pull_request_review": ("pull_request", "base", "sha"),
    "pull_request_review_comment": ("pull_request", "base", "sha"),
    "merge_group": ("merge_group", "base_sha"),
}
"""Path of the base commit in an event's payload."""
_GITLAB: Final = (
    "CI_MERGE_REQUEST_TARGET_BRANCH_SHA",
    "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA",
)
"""The newest commit of the target branch if GitLab names it, otherwise the merge base."""


def event_value(environ: Mapping[str, str], *keys: str) -> object:
    """A value of the GitHub event's payload; None if missing or unreadable."""
    try:
        found: Any = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    for key in keys:
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
    return found


def started_by_pull_request(environ: Mapping[str, str]) -> bool:
    """Whether the event is a comment on a pull request, or the end of a workflow that one started.

    Such jobs may have the pull request's files, but GitHub does not name its base commit.
    """
    match environ.get("GITHUB_EVENT_NAME"):
        case "issue_comment":
            return event_value(environ, "issue", "pull_request") is not None
        case "workflow_run":
            return str(event_value(environ, "workflow_run", "event")).startswith(("pull_request", "merge_group"))
        case _:
            return False


@dataclass(frozen=True, slots=True)
class NamedCommit:
    """A named commit. `ref` is passed to git, `what` describes it, `hint` says how to fetch it. `name` is its display
    name; None: the start of its id."""

    ref: str
    what: str
    hint: str
    name: str | None = None


def typed_commit(ref: str) -> NamedCommit:
    """The commit of `--policy-from`."""
    hint = "In CI, fetch it first: git fetch --depth=1 origin BRANCH, then use --policy-from FETCH_HEAD."
    return NamedCommit(ref, "the commit of --policy-from", hint, name=ref)


def named_by_ci(environ: Mapping[str, str]) -> NamedCommit | None:
    """The base commit of the pull request that this CI job tests; None if it tests none.

    Raises `UsageError` if the CI system does not name the base commit.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event in _GITHUB:
        kind = "merge group" if event == "merge_group" else "pull request"
        commit = event_value(environ, *_GITHUB[event])
        return _by_id(commit if isinstance(commit, str) else "", f"the base commit of this {kind}")
    if started_by_pull_request(environ):
        return _by_id("", "the base commit of the pull request that started this job")
    ids = [environ[name] for name in _GITLAB if environ.get(name)]
    if ids or environ.get("CI_MERGE_REQUEST_IID") or environ.get("CI_EXTERNAL_PULL_REQUEST_IID"):
        return _by_id(ids[0] if ids else "", "the base commit of this merge request")
    if commit := environ.get("BUILDKITE_MERGE_QUEUE_BASE_COMMIT"):
        return _by_id(commit, "the base commit of this merge group")
    if environ.get("BUILDKITE_PULL_REQUEST", "false") not in ("", "false"):
        return _by_branch(environ.get("BUILDKITE_PULL_REQUEST_BASE_BRANCH", ""))
    return None


def _by_id(commit: str, what: str) -> NamedCommit:
    if not _COMMIT_ID.fullmatch(commit):
        raise UsageError(f"the CI system does not name {what}, so planner cannot read the policy", _NAME_ONE)
    hint = f"Fetch it first (git fetch --no-tags --depth=1 origin {commit}), or name another commit with --policy-from."
    return NamedCommit(commit, what, hint)


def _by_branch(branch: str) -> NamedCommit:
    """Buildkite names only a branch. The remote-tracking ref is safe: a pull request cannot push one."""
    what = "the base branch of this pull request"
    if not _BRANCH.fullmatch(branch):
        raise UsageError(f"the CI system does not name {what}, so planner cannot read the policy", _NAME_ONE)
    ref = f"refs/remotes/origin/{branch}"
    hint = (
        f"Fetch it first (git fetch --no-tags --depth=1 origin +refs/heads/{branch}:{ref}),"
        " or name another commit with --policy-from."
    )
    return NamedCommit(ref, what, hint)


@dataclass(frozen=True, slots=True)
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
        """Read a file of the project's folder from the commit; None if it does not exist.

        Raises `UsageError` if it exists and cannot be read, for example in a partial clone.
        """
        path = posixpath.normpath(self.folder + name)
        for _ in range(_MAX_LINKS):
            if path.startswith(("../", "/")) or path == "..":
                raise UsageError(f"{self.name}:{name} leads outside the repository", "Name a file of the repository.")
            found = self._entry(path)
            if found is None:
                return None
            mode, kind, object_id = found
            content = self.git("cat-file", "blob", object_id) if kind == "blob" else None
            if content is None:
                raise UsageError(f"{self.name}:{path} is not a file", "Name a file of the repository.")
            if content.code != 0:
                raise self._unreadable(path)
            if mode != _LINK:
                return content.out
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), content.out.decode(errors="replace")))
        raise UsageError(f"{self.name}:{name} is a circular link", "Name a file of the repository.")

    def _entry(self, path: str) -> tuple[str, str, str] | None:
        """Mode, kind and object id of a path in the commit."""
        listed = self.git("ls-tree", "-z", "--full-tree", self.commit, "--", path)
        if listed.code != 0:
            raise self._unreadable(path)
        about = listed.out.partition(b"\t")[0].decode()
        mode, _, rest = about.partition(" ")
        kind, _, object_id = rest.partition(" ")
        return (mode, kind, object_id) if about else None

    def _unreadable(self, path: str) -> UsageError:
        return UsageError(
            f"planner cannot read {path} of {self.name} ({self.what}): it is missing in this partial clone",
            f"Fetch it first (git cat-file -e {self.commit}:{path}), or clone without a filter.",
        )

    def nearest(self, prefix: str) -> BaseCommit:
        """The same commit, with the nearest folder at or above `prefix` that has a planner.yaml as project folder;
        otherwise the repository's root."""
        for folder in _upwards(prefix):
            if self._entry(folder + PROJECT_FILE) is not None:
                return replace(self, folder=folder, has_project=True)
        return self


def _upwards(prefix: str) -> Iterator[str]:
    """`a/b/` → `a/b/`, `a/`, and "" (the root)."""
    parts = prefix.split("/")[:-1]
    for length in range(len(parts), -1, -1):
        yield "".join(f"{part}/" for part in parts[:length])


def base_commit(git: Git, named: NamedCommit) -> tuple[Path, BaseCommit]:
    """The project's root for `git.folder`, and the commit.

    Raises `UsageError` if there is no repository, or it lacks the commit.
    """
    layout = git.layout()
    if isinstance(layout, Answer):
        raise without_repository(git, layout, "Run the command inside a git repository.")
    commit = _resolve(git, f"refs/remotes/{named.ref}") or _resolve(git, named.ref)
    if not commit:
        raise UsageError(
            f"this clone has no commit {named.ref!r} ({named.what}), so planner cannot read the policy", named.hint
        )
    prefix = git("rev-parse", "--show-prefix").out.removesuffix(b"\n").decode(errors="surrogateescape")
    base = BaseCommit(git, commit, named.name or commit[:12], named.what).nearest(prefix)
    return (layout.work_tree or git.folder) / base.folder, base


def _resolve(git: Git, ref: str) -> str:
    """The commit id of a ref or expression; "" if there is none. For `origin/main`, git would prefer a tag of that name,
    so `base_commit` asks for the remote branch first."""
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").out.decode().strip()
