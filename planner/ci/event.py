"""What a CI job tests, as GitHub's event or the command line names it: the base commit, the pull request, and the
namespace of its results. A file of the tree under test never names them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from planner.errors import UsageError
from planner.stores.store import BRANCHES, segment_for
from planner.values import frozen

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME_ONE: Final = "Name the commit whose planner.yaml applies: planner ci … --base COMMIT."

_GITHUB: Final = {
    "pull_request": ("pull_request", "base", "sha"),
    "pull_request_target": ("pull_request", "base", "sha"),
    "merge_group": ("merge_group", "base_sha"),
}
"""Path of the base commit in an event's payload."""
_UNSUPPORTED: Final = ("pull_request_review", "pull_request_review_comment", "workflow_run")
"""Events that do not say whose files a job has."""
_PULL_REQUEST_REF: Final = re.compile(r"refs/pull/([1-9][0-9]{0,17})/(?:merge|head)")
_QUEUE_REF: Final = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,17})-[0-9a-f]{7,64}")
BASE_BRANCH: Final = "PLANNER_BASE_BRANCH"
"""Names the branch that the pull request targets, where GitHub's event does not."""
DISPATCHED: Final = "pull-request"
"""The input of a dispatched workflow that names the pull request to call for."""
COMMAND: Final = "/planner run"
"""How a comment begins that agrees to calls."""
_MEANT: Final = re.compile(r"/planner\s+run(?![a-z])")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


def event_value(environ: Mapping[str, str], *keys: str) -> object:
    """A value of the GitHub event's payload; None if missing or unreadable."""
    try:
        found: Any = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    for key in keys:
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
    return found


def is_command(environ: Mapping[str, str]) -> bool:
    """Whether the event of this job is a comment with such a command outside quoted lines, well-formed or not: at least
    what the job `asked` of call.yml accepts."""
    if environ.get("GITHUB_EVENT_NAME") != "issue_comment":
        return False
    lines = str(event_value(environ, "comment", "body")).casefold().split("\n")
    return _MEANT.search("\n".join(line for line in lines if not line.lstrip(" \t\r\f\v").startswith(">"))) is not None


def is_later_attempt(environ: Mapping[str, str]) -> bool:
    """Whether somebody ran the jobs of a workflow run again. Its event is the same as before."""
    return environ.get("GITHUB_RUN_ATTEMPT", "1") != "1"


def started_by_pull_request(environ: Mapping[str, str]) -> bool:
    """Whether the event is a comment on a pull request, or a dispatch that names one.

    Such jobs may have the pull request's files, but GitHub does not name its base commit.
    """
    match environ.get("GITHUB_EVENT_NAME"):
        case "issue_comment":
            return event_value(environ, "issue", "pull_request") is not None
        case "workflow_dispatch":
            return bool(event_value(environ, "inputs", DISPATCHED))
        case _:
            return False


@frozen
class NamedCommit:
    """A named commit. `ref` is passed to git, `what` describes it, `hint` says how to fetch it. `name` is its display
    name; None: the start of its id."""

    ref: str
    what: str
    hint: str
    name: str | None = None


def named_by_github(environ: Mapping[str, str]) -> NamedCommit | None:
    """The base commit of the pull request that this job of GitHub tests; None if it tests none.

    Raises `UsageError` if the event does not name the base commit, or is not supported.
    """
    event = _event(environ)
    if event in _GITHUB:
        kind = "merge group" if event == "merge_group" else "pull request"
        commit = event_value(environ, *_GITHUB[event])
        return _by_id(commit if isinstance(commit, str) else "", f"the base commit of this {kind}")
    if started_by_pull_request(environ):
        return _by_id("", "the base commit of the pull request that started this job")
    return None


def _event(environ: Mapping[str, str]) -> str:
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event in _UNSUPPORTED:
        raise UsageError(
            f"planner does not run in workflows that start on {event}",
            "Start it on pull_request_target, merge_group, issue_comment or workflow_dispatch, as the workflows of "
            "`planner init --github` do.",
        )
    return event


def _by_id(commit: str, what: str) -> NamedCommit:
    if not _COMMIT_ID.fullmatch(commit):
        raise UsageError(f"GitHub does not name {what}, so planner cannot read the policy", _NAME_ONE)
    hint = f"Fetch it first (git fetch --no-tags --depth=1 origin {commit}), or name another commit with --base."
    return NamedCommit(commit, what, hint)


def is_public(environ: Mapping[str, str]) -> bool:
    """Whether GitHub says that everyone can read the repository."""
    return event_value(environ, "repository", "private") is False


def head_commit(environ: Mapping[str, str]) -> str:
    """The head commit of the pull request that this job tests; "" if GitHub's event does not name it."""
    head = event_value(environ, "pull_request", "head", "sha")
    return head if isinstance(head, str) else ""


def namespace_of(environ: Mapping[str, str]) -> str:
    """`branches/42/` in a job of pull request 42, `branches/heads%2Ftopic/` in one of another branch,
    `branches/tags%2Fv1/` in one of a tag, else "". Raises `UsageError` for an event that is not supported."""
    event = _event(environ)
    if event in _GITHUB or started_by_pull_request(environ):
        return _of_number(_github_number(environ))
    if tag := _tag(environ):
        return _of_ref(f"tags/{tag}")
    if environ.get("GITHUB_ACTIONS") == "true":
        default = event_value(environ, "repository", "default_branch")
        return _of_branch(environ.get("GITHUB_REF_NAME", ""), default if isinstance(default, str) else "")
    return ""


def target_namespace(environ: Mapping[str, str]) -> str | None:
    """The namespace of the branch that the pull request of this job targets; "" is the default branch's. None if GitHub
    does not name that branch, or there is no pull request. Outside of GitHub, it is the default branch if nothing else
    is named."""
    target = target_branch(environ)
    if not environ.get("GITHUB_EVENT_NAME"):
        return _of_ref(f"heads/{target}") if target else ""
    default = default_branch(environ)
    return _of_branch(target, default) if target and default else None


def default_branch(environ: Mapping[str, str]) -> str:
    """The default branch, as GitHub names it; "" elsewhere."""
    default = event_value(environ, "repository", "default_branch")
    return default if isinstance(default, str) else ""


def target_branch(environ: Mapping[str, str]) -> str:
    """The branch that the pull request of this job targets; "" if it is not named."""
    named = event_value(environ, "pull_request", "base", "ref") or event_value(environ, "merge_group", "base_ref")
    return str(named or environ.get(BASE_BRANCH, "")).removeprefix("refs/heads/")


def _of_number(number: str) -> str:
    """If GitHub does not name the pull request, all such sessions share one namespace, which the default branch
    never reads."""
    return f"{BRANCHES}{number if _NUMBER.fullmatch(number) else 'unknown'}/"


def _tag(environ: Mapping[str, str]) -> str:
    """Anyone with write access can tag any commit, so a tag is not treated like the default branch."""
    ref = environ.get("GITHUB_REF", "")
    if environ.get("GITHUB_REF_TYPE") == "tag" or ref.startswith("refs/tags/"):
        return environ.get("GITHUB_REF_NAME", "") or ref
    return ""


def _of_ref(ref: str) -> str:
    return f"{BRANCHES}{segment_for(ref)}/"


def branch_namespace(branch: str) -> str:
    """The namespace of a branch that is not the default branch."""
    return _of_ref(f"heads/{branch}")


def _of_branch(branch: str, default: str) -> str:
    """A branch that may be the default branch has no namespace of its own."""
    return "" if not branch or not default or branch == default else branch_namespace(branch)


def asked_by(environ: Mapping[str, str]) -> str:
    """Who started this job by a comment or by hand; "" for another event."""
    match environ.get("GITHUB_EVENT_NAME"):
        case "workflow_dispatch":
            return environ.get("GITHUB_TRIGGERING_ACTOR", "") or environ.get("GITHUB_ACTOR", "")
        case "issue_comment":
            return str(event_value(environ, "comment", "user", "login") or "")
        case _:
            return ""


def pull_request_number(environ: Mapping[str, str]) -> str:
    """The number of the pull request that the event of this job names; "" if it names none. In a merge group it is
    none, because its comment is not of one pull request."""
    match environ.get("GITHUB_EVENT_NAME"):
        case "workflow_dispatch":
            number = event_value(environ, "inputs", DISPATCHED)
        case "issue_comment":
            number = event_value(environ, "issue", "number")
        case _:
            number = event_value(environ, "pull_request", "number")
    text = str(number).strip()
    return text if _NUMBER.fullmatch(text) else ""


def _github_number(environ: Mapping[str, str]) -> str:
    ref = environ.get("GITHUB_REF", "")
    if found := _PULL_REQUEST_REF.fullmatch(ref) or _QUEUE_REF.fullmatch(ref):
        return found[1]
    return pull_request_number(environ)


_NAMED: Final = re.compile(r"Merge pull request #([1-9][0-9]{0,17}) from |.*\(#([1-9][0-9]{0,17})\)$")
"""Subjects of GitHub's merge commits, and of squashed commits."""
QUEUE_DEPTH: Final = 50
"""Number of newest commits of a merge group in which to look for pull requests."""


def group_namespaces(subjects: Iterable[str], own: str) -> tuple[str, ...]:
    """The namespaces of the other pull requests in a merge group, by the subjects of its newest commits.

    The queue names only the last pull request. Those before it are merged together with it, or were just merged and are
    not promoted yet. A commit message can name any pull request, so results count only for the same call, and are
    judged from evidence.
    """
    numbers = (found[1] or found[2] for subject in subjects if (found := _NAMED.match(subject)))
    return tuple(dict.fromkeys(space for number in numbers if (space := _of_number(number)) != own))
