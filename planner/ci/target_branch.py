"""Finds where the results of a pull request's target branch are stored, which may be another pull request's branch.

A branch is known by the pull request that it belongs to, never by its name alone: a fork may have a branch of the same
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from planner.ci.event import target_branch, target_namespace
from planner.errors import PlannerError
from planner.stores.store import BRANCHES

if TYPE_CHECKING:
    from planner.ci.client import GitHub
    from planner.shell import Shell

PERMISSION: Final = "pull-requests: read"


def target_namespaces(shell: Shell) -> Sequence[str] | None:
    """The namespaces of the branch that this job's pull request targets: first that of the pull request which the
    branch belongs to, if GitHub knows one, then its own. Empty: the default branch. None: no branch is named."""
    own = target_namespace(shell.environ)
    if not own:
        return None if own is None else ()
    number = _pull_request_of_target(shell)
    return (own,) if number is None else (f"{BRANCHES}{number}/", own)


def _pull_request_of_target(shell: Shell) -> int | None:
    environ = shell.environ
    if not environ.get("GITHUB_REPOSITORY") or not environ.get("GITHUB_TOKEN"):
        return None
    from planner.ci.client import github_of  # late: httpx, which most commands do not need

    try:
        with github_of(environ, shell.pause) as github:
            found = pull_request_of(github, target_branch(environ))
    except PlannerError as error:  # then its calls may be made again, with consent
        shell.log(f"warning: planner cannot ask which pull request the target branch belongs to: {error}. {error.hint}")
        return None
    return None if found is None else int(found["number"])


def pull_request_of(github: GitHub, branch: str) -> Mapping[str, Any] | None:
    """The pull request whose head is this branch of the repository itself: the open one, else the newest merged one."""
    owner = github.repository.partition("/")[0]
    listed = github.get_list("pulls", PERMISSION, head=f"{owner}:{branch}", state="all", per_page=100)
    own = [pull for pull in listed if _side(pull, "head") == (branch, _side(pull, "base")[1])]
    is_open = [pull for pull in own if pull.get("state") == "open"]
    merged = [pull for pull in own if pull.get("merged_at")]
    return next(iter((*is_open, *sorted(merged, key=lambda pull: str(pull["merged_at"]), reverse=True))), None)


def _side(pull: Mapping[str, Any], side: str) -> tuple[object, object]:
    """Branch and repository of one side of a pull request. Of a fork that was deleted, GitHub names no repository."""
    found = cast("dict[str, Any]", pull.get(side) or {})
    repository = cast("dict[str, Any]", found.get("repo") or {})
    return found.get("ref"), repository.get("id")
