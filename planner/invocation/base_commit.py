"""The commit that policy comes from, where the tree under test was proposed by somebody else.

It is named by the command line or by the CI system, never by a file of the tree. All that is read here is read from that commit.
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
from planner.invocation.git import Answer, Git, without_repository
from planner.planfile.files import PROJECT_FILE

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = re.compile(
    r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/$))[^\s~^:?*\[\\\x00-\x1f\x7f-][^\s~^:?*\[\\\x00-\x1f\x7f]*"
)
_MAX_LINKS: Final = 8
_LINK: Final = "120000"
_NAME_ONE: Final = "Name the commit whose planner.yaml holds: --policy-from COMMIT."

_GITHUB: Final = {
    "pull_request": ("pull_request", "base", "sha"),
    "pull_request_target": ("pull_request", "base", "sha"),
    "pull_request_review": ("pull_request", "base", "sha"),
    "pull_request_review_comment": ("pull_request", "base", "sha"),
    "merge_group": ("merge_group", "base_sha"),
}
"""Where an event's payload has the base commit."""
_GITLAB: Final = (
    "CI_MERGE_REQUEST_TARGET_BRANCH_SHA",
    "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA",
)
"""The target branch's newest commit where GitLab names it, else the one that the merge request began at."""


@dataclass(frozen=True, slots=True)
class NamedCommit:
    """A commit as it was named: `ref` is what git is asked for, `what` says what it is, `hint` how to fetch it. `name` is how it
    is shown; None: by the start of its id."""

    ref: str
    what: str
    hint: str
    name: str | None = None


def typed_commit(ref: str) -> NamedCommit:
    """What was typed after `--policy-from`."""
    hint = "In CI, fetch it first: git fetch --depth=1 origin BRANCH, then name FETCH_HEAD."
    return NamedCommit(ref, "named by --policy-from", hint, name=ref)


def named_by_ci(environ: Mapping[str, str]) -> NamedCommit | None:
    """The base commit of the pull request that this CI job tests; None where it tests none.

    Raises `UsageError` where it tests one and its base commit is not named.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event in _GITHUB:
        return _by_id(_in_payload(environ, event), f"the base commit of this {event}")
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
        raise UsageError(f"{what} is not named by the CI system, so no policy can be read", _NAME_ONE)
    hint = f"Name another with --policy-from, or fetch it first: git fetch --no-tags --depth=1 origin {commit}"
    return NamedCommit(commit, what, hint)


def _by_branch(branch: str) -> NamedCommit:
    """Buildkite names no commit. The branch as the remote has it: a pull request can push no such ref."""
    what = "the base branch of this pull request"
    if not _BRANCH.fullmatch(branch):
        raise UsageError(f"{what} is not named by the CI system, so no policy can be read", _NAME_ONE)
    ref = f"refs/remotes/origin/{branch}"
    hint = (
        "Name another with --policy-from, or fetch it first:"
        f" git fetch --no-tags --depth=1 origin +refs/heads/{branch}:{ref}"
    )
    return NamedCommit(ref, what, hint)


def _in_payload(environ: Mapping[str, str], event: str) -> str:
    """The id that the event's payload has; "" where it has none, or cannot be read."""
    try:
        found: Any = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    for key in _GITHUB[event]:
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class BaseCommit:
    """A commit, and the folder of it that is the project's: "" or with a slash at its end. `name` is how it is shown, `what` says
    what it is."""

    git: Git
    commit: str
    name: str
    what: str
    folder: str = ""
    has_project: bool = False
    """Whether a planner.yaml is in that folder."""

    def read(self, name: str) -> bytes | None:
        """A file of the project's folder as the commit has it; None where it has none.

        Raises `UsageError` where that cannot be read, which is not the same: a partial clone lacks contents that the commit has.
        """
        path = posixpath.normpath(self.folder + name)
        for _ in range(_MAX_LINKS):
            if path.startswith(("../", "/")) or path == "..":
                raise UsageError(f"{self.name}:{name} leads out of the repository", "Name a file of the repository.")
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
        raise UsageError(f"{self.name}:{name} is a link that leads to itself", "Name a file of the repository.")

    def _entry(self, path: str) -> tuple[str, str, str] | None:
        """Mode, kind and id of what the commit has there."""
        listed = self.git("ls-tree", "-z", "--full-tree", self.commit, "--", path)
        if listed.code != 0:
            raise self._unreadable(path)
        about = listed.out.partition(b"\t")[0].decode()
        mode, _, rest = about.partition(" ")
        kind, _, object_id = rest.partition(" ")
        return (mode, kind, object_id) if about else None

    def _unreadable(self, path: str) -> UsageError:
        return UsageError(
            f"{self.what} cannot be read here: this clone lacks {path} of {self.name}",
            f"Fetch it first: git cat-file -e {self.commit}:{path}, or check out without a filter.",
        )

    def nearest(self, prefix: str) -> BaseCommit:
        """The same commit, with the nearest folder at or above `prefix` that has a planner.yaml as the project's; the repository's
        root where none has one."""
        for folder in _upwards(prefix):
            if self._entry(folder + PROJECT_FILE) is not None:
                return replace(self, folder=folder, has_project=True)
        return self


def _upwards(prefix: str) -> Iterator[str]:
    """`a/b/` → `a/b/`, `a/`, and the root, which is empty."""
    parts = prefix.split("/")[:-1]
    for length in range(len(parts), -1, -1):
        yield "".join(f"{part}/" for part in parts[:length])


def base_commit(git: Git, named: NamedCommit) -> tuple[Path, BaseCommit]:
    """The project's root for whoever is in `git.folder`, and the commit.

    Raises `UsageError` where there is no repository, or it does not have the commit.
    """
    layout = git.layout()
    if isinstance(layout, Answer):
        raise without_repository(git, layout, "Run it inside of one.")
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{named.ref}^{{commit}}")
    if found.code != 0:
        raise UsageError(
            f"this repository has no commit {named.ref!r}, {named.what}, so no policy can be read", named.hint
        )
    commit = found.out.decode().strip()
    prefix = git("rev-parse", "--show-prefix").out.removesuffix(b"\n").decode(errors="surrogateescape")
    base = BaseCommit(git, commit, named.name or commit[:12], named.what).nearest(prefix)
    return (layout.work_tree or git.folder) / base.folder, base
