"""Where in GitHub we run: read once from the environment that is passed in, so that nothing else looks at it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from planner.errors import UsageError


@dataclass(frozen=True, slots=True)
class GithubContext:
    """One step of one job. Text is empty, numbers and paths None, where GitHub did not tell."""

    actor: str
    """Who set this attempt off: whoever pressed "re-run", not whoever pushed. Consent is recorded as theirs."""
    event_name: str
    repository: str
    sha: str
    """The commit under review: on a pull request its head, not the merge commit GitHub checks out."""
    pull_request: int | None
    run_id: int | None
    run_attempt: int
    run_url: str
    workspace: Path | None
    """Root of the checkout: annotations name files relative to it."""
    summary_file: Path | None
    output_file: Path | None


def read_context(env: Mapping[str, str]) -> GithubContext | None:
    """The context, or None outside of GitHub Actions. Raises `UsageError` when the event file is not what it should be."""
    if env.get("GITHUB_ACTIONS") != "true":
        return None
    event = _read_event(_path(env, "GITHUB_EVENT_PATH"))
    run_id = _number(env.get("GITHUB_RUN_ID"))
    repository = env.get("GITHUB_REPOSITORY", "")
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return GithubContext(
        actor=env.get("GITHUB_TRIGGERING_ACTOR") or env.get("GITHUB_ACTOR", ""),
        event_name=env.get("GITHUB_EVENT_NAME", ""),
        repository=repository,
        sha=event.head_sha or env.get("GITHUB_SHA", ""),
        pull_request=event.pull_request_number or _number_in_ref(env.get("GITHUB_REF", "")),
        run_id=run_id,
        run_attempt=_number(env.get("GITHUB_RUN_ATTEMPT")) or 1,
        run_url=f"{server}/{repository}/actions/runs/{run_id}" if run_id and repository else "",
        workspace=_path(env, "GITHUB_WORKSPACE"),
        summary_file=_path(env, "GITHUB_STEP_SUMMARY"),
        output_file=_path(env, "GITHUB_OUTPUT"),
    )


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Head(_Tolerant):
    sha: str = ""


class _PullRequest(_Tolerant):
    number: int | None = None
    head: _Head = _Head()


class _Issue(_Tolerant):
    number: int | None = None
    pull_request: dict[str, object] | None = None
    """Present exactly when the issue is a pull request."""


class _Event(_Tolerant):
    """The few fields we read of the event payload; all are absent in events that are not about a pull request."""

    pull_request: _PullRequest | None = None
    issue: _Issue | None = None

    @property
    def head_sha(self) -> str:
        return self.pull_request.head.sha if self.pull_request else ""

    @property
    def pull_request_number(self) -> int | None:
        if self.pull_request:
            return self.pull_request.number
        if self.issue and self.issue.pull_request is not None:
            return self.issue.number
        return None


def _read_event(path: Path | None) -> _Event:
    # A runner in a container may name a file that is not mounted there: then the variables have to do.
    if path is None or not path.is_file():
        return _Event()
    try:
        return _Event.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"the GitHub event at {path} cannot be read"
        raise UsageError(message, "GITHUB_EVENT_PATH must name the JSON file GitHub wrote, or be unset") from error


def _number_in_ref(ref: str) -> int | None:
    match = re.fullmatch(r"refs/pull/([0-9]+)/(?:merge|head)", ref)
    return int(match[1]) if match else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None
