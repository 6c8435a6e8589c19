"""The pull request of a job, as GitHub's event names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from planner.ci.annotations import prefix_in_repository
from planner.ci.comment import DEFAULT_NAME
from planner.ci.event import event_value, pull_request_number, target_branch
from planner.reports.pull_request import CALL_WORKFLOW, RECORD_WORKFLOW, PullRequest

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


def pull_request_of(environ: Mapping[str, str], commit: str, name: str = DEFAULT_NAME) -> PullRequest:
    """The pull request of this job, as GitHub's event names it. `commit` is its head; `name` separates two uses in one
    repository, which have workflows of their own."""
    base, default = target_branch(environ), event_value(environ, "repository", "default_branch")
    repository = _repository_url(environ)
    workflows = f"{repository}/actions/workflows/" if repository else ""
    is_call = environ.get("GITHUB_EVENT_NAME") in ("workflow_dispatch", "issue_comment")
    return PullRequest(
        pull_request_number(environ),
        commit,
        base,
        default if isinstance(default, str) else "",
        workflows and workflows + _workflow(CALL_WORKFLOW, name),
        run_url_of(environ) if is_call else "",
        workflows and workflows + _workflow(RECORD_WORKFLOW, name),
        "" if name == DEFAULT_NAME else name,
        _workflow(CALL_WORKFLOW, name),
    )


def _workflow(file: str, name: str) -> str:
    return file if name == DEFAULT_NAME else file.replace("phone-plans-", f"phone-plans-{name}-")


def _repository_url(environ: Mapping[str, str]) -> str:
    """The repository's page; "" outside of GitHub."""
    repository, server = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{repository}" if _REPOSITORY.fullmatch(repository) else ""


def run_url_of(environ: Mapping[str, str]) -> str:
    """The page of this job's workflow run; "" outside of GitHub."""
    repository, run = _repository_url(environ), environ.get("GITHUB_RUN_ID", "")
    return f"{repository}/actions/runs/{run}" if repository and run.isdigit() else ""


def files_url(environ: Mapping[str, str], commit: str, cwd: Path) -> str:
    """Where GitHub shows the files of the working directory in this commit; "" outside of GitHub."""
    repository = _repository_url(environ)
    if not repository or not commit:
        return ""
    prefix = prefix_in_repository(environ, cwd)
    return f"{repository}/blob/{commit}/{prefix}".rstrip("/")
