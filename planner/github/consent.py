"""Who agreed to the calls of a pull request: a person's act that the CI system names, never a push."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from planner.errors import PlannerError
from planner.github.client import github_of

_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
"""Managed users have `_` in their logins; apps, which end with `[bot]`, are no persons."""
APPROVED: Final = "phone-calls"
"""The environment whose approval is consent, unless PLANNER_APPROVAL_ENVIRONMENT names another one."""


def dispatcher(environ: Mapping[str, str]) -> str:
    """Who started this job by hand; "" if nobody did.

    GitHub requires write access to dispatch a workflow. GitLab's manual jobs and Buildkite's block steps name a person.
    """
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        return environ.get("GITHUB_TRIGGERING_ACTOR", "") or environ.get("GITHUB_ACTOR", "")
    if environ.get("CI_JOB_MANUAL") == "true":
        return environ.get("GITLAB_USER_LOGIN", "")
    return environ.get("BUILDKITE_UNBLOCKER", "") if environ.get("BUILDKITE") else ""


def approvers(environ: Mapping[str, str], pause: Callable[[float], None], log: Callable[[str], None]) -> str:
    """Who approved this job's deployment to the environment of the calls, as the API names them; "" if nobody is named."""
    run = environ.get("GITHUB_RUN_ID", "")
    if not run.isdigit():
        return ""
    try:
        with github_of(environ, pause) as github:
            found = cast("list[dict[str, Any]]", github.get(f"actions/runs/{run}/approvals", "actions: read"))
    except PlannerError as error:
        log(f"the approval of this job cannot be read: {error}. {error.hint}")
        return ""
    wanted = (environ.get("PLANNER_APPROVAL_ENVIRONMENT") or APPROVED).casefold()
    approved = [each for each in found if each.get("state") == "approved" and wanted in _environments(each)]
    people = [cast("dict[str, Any]", each.get("user") or {}) for each in approved]
    return ", ".join(dict.fromkeys(str(person["login"]) for person in people if person.get("login")))


def _environments(approval: dict[str, Any]) -> set[str]:
    """GitHub ignores the case of their names."""
    named = cast("list[dict[str, Any]]", approval.get("environments") or [])
    return {str(each.get("name", "")).casefold() for each in named}


def is_denied(
    environ: Mapping[str, str], login: str, pause: Callable[[float], None], log: Callable[[str], None]
) -> bool:
    """Whether this is no person, or GitHub does not confirm that they may still write: a job may wait for days between
    its start and its calls. Without a token, which could ask, the permission at its start counts."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return False
    if not _LOGIN.fullmatch(login):
        log(f"{login} started this job, and is no person who can agree to calls")
        return True
    if not environ.get("GITHUB_TOKEN"):
        return False
    try:
        with github_of(environ, pause) as github:
            found = github.get(f"collaborators/{login}/permission", "metadata: read")
    except PlannerError as error:
        log(f"the permission of {login} cannot be read, so their consent does not count: {error}. {error.hint}")
        return True
    role = cast("dict[str, Any]", found).get("permission") if isinstance(found, dict) else None
    if denied := role in ("read", "none"):
        log(f"{login} started this job and may not write to the repository any more")
    return denied
