"""The namespace of a session's results: the default branch, or the pull request or branch that a CI job tests.

The CI system names it. Other machines use the default branch's, as their permissions allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from planner.results.store import BRANCHES, segment_for
from planner.session.base_commit import event_value, started_by_pull_request

_PULL_REQUEST_REF: Final = re.compile(r"refs/pull/([1-9][0-9]{0,17})/(?:merge|head)")
_QUEUE_REF: Final = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,17})-[0-9a-f]{7,64}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_PULL_REQUEST_EVENTS: Final = (
    *("pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "merge_group"),
)


def namespace_of(environ: Mapping[str, str]) -> str:
    """`branches/42/` in a job of pull request 42, `branches/heads%2Ftopic/` in one of another branch, else ""."""
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event in _PULL_REQUEST_EVENTS or started_by_pull_request(environ):
        return _of_number(_github_number(environ))
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_REF_TYPE", "branch") == "branch":
        default = event_value(environ, "repository", "default_branch")
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
    subject = "issue" if environ.get("GITHUB_EVENT_NAME") == "issue_comment" else "pull_request"
    number = event_value(environ, subject, "number")
    return str(number) if type(number) is int else ""
