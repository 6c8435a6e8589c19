"""Who agreed to the calls of a pull request: a person's act that the CI system names, never a push."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from planner.errors import PlannerError
from planner.github.client import GitHub


def dispatcher(environ: Mapping[str, str]) -> str:
    """Who started this job by hand; "" if nobody did.

    GitHub requires write access to dispatch a workflow. GitLab's manual jobs and Buildkite's block steps name a person.
    """
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        return environ.get("GITHUB_TRIGGERING_ACTOR", "") or environ.get("GITHUB_ACTOR", "")
    if environ.get("CI_JOB_MANUAL") == "true":
        return environ.get("GITLAB_USER_LOGIN", "")
    return environ.get("BUILDKITE_UNBLOCKER", "") if environ.get("BUILDKITE") else ""


def approvers(environ: Mapping[str, str], open_client: Callable[[], GitHub], log: Callable[[str], None]) -> str:
    """Who approved this job's deployment to its environment, as the API names them; "" if nobody is named."""
    run = environ.get("GITHUB_RUN_ID", "")
    if not run.isdigit():
        return ""
    try:
        with open_client() as github:
            found = cast("list[dict[str, Any]]", github.get(f"actions/runs/{run}/approvals", "actions: read"))
    except PlannerError as error:
        log(f"the approval of this job cannot be read: {error}. {error.hint}")
        return ""
    people = [cast("dict[str, Any]", each.get("user") or {}) for each in found if each.get("state") == "approved"]
    return ", ".join(dict.fromkeys(str(person["login"]) for person in people if person.get("login")))
