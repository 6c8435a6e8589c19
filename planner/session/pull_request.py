"""What `planner gate` prepares for the job that publishes it: comment, commit status, and where they belong."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.changes.consented import ConsentedCalls
from planner.errors import UsageError
from planner.reports.comment import CALL_WORKFLOW, PullRequest
from planner.session.ci import event_value
from planner.session.shell import Shell

DEFAULT_NAME = "default"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_MAX_BYTES = 1_000_000


class Publication(BaseModel):
    """The file of `planner gate --publication`. `digest` is "" if there is nothing to call; `worth_saying` is false if a
    new comment would say nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: str = "1.0"
    state: str
    description: str
    digest: str
    commit: str = Field(default="", description="The head commit that the answer is about.")
    comment: str
    worth_saying: bool
    store: str = Field(default="", description="The shared store that the change set belongs to.")
    is_sandbox: bool = False
    change_set: ConsentedCalls | None = Field(
        default=None, description="For `run --plan-digest`. The job that plans may not write to the store."
    )


def pull_request_of(environ: Mapping[str, str], commit: str, name: str = DEFAULT_NAME) -> PullRequest:
    """The pull request of this job, as GitHub's event names it. `commit` is its head; `name` separates two uses in one
    repository, which have workflows of their own."""
    number, base = event_value(environ, "pull_request", "number"), event_value(environ, "pull_request", "base", "ref")
    if number is None:
        number = event_value(environ, "inputs", "pull-request")
    number = str(number) if str(number).isdigit() else ""
    workflow = CALL_WORKFLOW if name == DEFAULT_NAME else CALL_WORKFLOW.replace("-call", f"-{name}-call")
    repository, server = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_SERVER_URL", "https://github.com")
    url = f"{server}/{repository}/actions/workflows/{workflow}" if _REPOSITORY.fullmatch(repository) else ""
    run, is_call = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch"
    run_url = f"{server}/{repository}/actions/runs/{run}" if url and is_call and run.isdigit() else ""
    return PullRequest(number, commit, base if isinstance(base, str) else "", url, run_url, workflow)


def read_publication(shell: Shell, path: Path) -> Publication:
    """Raises `UsageError` if the file is missing or is none."""
    try:
        data = (shell.cwd / path).read_bytes()[:_MAX_BYTES]
        return Publication.model_validate(json.loads(data))
    except (OSError, ValueError, ValidationError) as error:
        raise UsageError(f"{path} was not written by planner gate", "Name the file of --publication.") from error


def is_commit(text: str) -> bool:
    return _COMMIT.fullmatch(text) is not None
