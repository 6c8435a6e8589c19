"""The namespace of a session's results: the default branch, or the pull request or branch that a CI job tests.

The CI system names it. Other machines use the default branch's, as their permissions allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from planner.results.branch_store import BRANCHES
from planner.results.store import segment_for

_PULL_REQUEST_REF: Final = re.compile(r"refs/pull/([1-9][0-9]{0,17})/(?:merge|head)")
_QUEUE_REF: Final = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,17})-[0-9a-f]{7,64}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_PULL_REQUEST_EVENTS: Final = (
    *("pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "merge_group"),
)


def namespace_of(environ: Mapping[str, str]) -> str:
    """`branches/42/` in a job of pull request 42, `branches/heads%2Ftopic/` in one of another branch, else ""."""
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event in _PULL_REQUEST_EVENTS:
        return _of_number(_github_number(environ))
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_REF_TYPE", "branch") == "branch":
        default = _payload(environ, "repository", "default_branch")
        return _of_branch(environ.get("GITHUB_REF_NAME", ""), default if isinstance(default, str) else "")
    if number := environ.get("CI_MERGE_REQUEST_IID") or environ.get("CI_EXTERNAL_PULL_REQUEST_IID"):
        return _of_number(number)
    if environ.get("GITLAB_CI"):
        return _of_branch(environ.get("CI_COMMIT_BRANCH", ""), environ.get("CI_DEFAULT_BRANCH", ""))
    if environ.get("BUILDKITE"):
        number = environ.get("BUILDKITE_PULL_REQUEST", "false")
        if number not in ("", "false"):
            return _of_number(number)
        return _of_branch(environ.get("BUILDKITE_BRANCH", ""), environ.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH", ""))
    return ""


def _of_number(number: str) -> str:
    """If the CI system does not name the pull request, all such sessions share one namespace, which the default branch
    never reads."""
    return f"{BRANCHES}{number if _NUMBER.fullmatch(number) else 'unknown'}/"


def _of_branch(branch: str, default: str) -> str:
    """A branch that may be the default branch has no namespace of its own."""
    return "" if not branch or not default or branch == default else f"{BRANCHES}{segment_for(f'heads/{branch}')}/"


def _github_number(environ: Mapping[str, str]) -> str:
    ref = environ.get("GITHUB_REF", "")
    if found := _PULL_REQUEST_REF.fullmatch(ref) or _QUEUE_REF.fullmatch(ref):
        return found[1]
    number = _payload(environ, "pull_request", "number")
    return str(number) if type(number) is int else ""


def _payload(environ: Mapping[str, str], *keys: str) -> object:
    """A value of the event's payload; None if missing or unreadable."""
    try:
        found: Any = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    for key in keys:
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
    return found
