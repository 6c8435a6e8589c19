"""Who agreed: the person who started the job, never who pushed."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fake_github import FakeGitHub, Fault, fake_github

from planner.changes.consent import Agreement, NoAgreement
from planner.ci.agreement import how_agreed, who_agrees
from planner.ci.event import namespace_of
from planner.clock import Clock
from planner.errors import UsageError
from planner.shell import Shell


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        yield fake


def job(folder: Path, fake: FakeGitHub, event: str, payload: Any, **more: str) -> Shell:
    file = folder / "event.json"
    file.write_text(json.dumps(payload))
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(file),
        "GITHUB_ACTOR": "pusher",
        "GITHUB_REPOSITORY": "acme/plans",
        "GITHUB_RUN_ID": "7",
        "GITHUB_TOKEN": "reader",
        "GITHUB_API_URL": fake.url,
        **more,
    }
    return Shell(folder, environ, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)


def agreed(folder: Path, fake: FakeGitHub, event: str, payload: Any, *, sandbox: bool = False, **more: str) -> str:
    shell = job(folder, fake, event, payload, **more)
    return who_agrees(shell, sandbox=sandbox, namespace=namespace_of(shell.environ)).by


CLOCK = Clock(
    now=lambda: datetime(2026, 11, 25, tzinfo=UTC), monotonic=lambda: 0.0, sleep=lambda _: anyio.lowlevel.checkpoint()
)
PULL = {"pull_request": {"number": 42}}
DISPATCH = {"inputs": {"pull-request": "42"}}


@pytest.mark.parametrize(
    ("event", "comment", "how"),
    [
        ("issue_comment", "/planner run sha256:0", "comment"),
        ("workflow_dispatch", "", "dispatch"),
        ("schedule", "", "flag"),
    ],
)
def test_how_somebody_agreed(tmp_path: Path, event: str, comment: str, how: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"comment": {"body": comment}, **PULL}))
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file)}
    assert how_agreed(environ) == how


def test_a_push_is_no_consent(tmp_path: Path, fake: FakeGitHub) -> None:
    """Nor is the approval of an environment."""
    assert agreed(tmp_path, fake, "pull_request", PULL) == ""
    assert fake.requests == []


def test_the_dispatcher(tmp_path: Path, fake: FakeGitHub) -> None:
    """Who started the attempt, if it was run again."""
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH, GITHUB_TRIGGERING_ACTOR="maria") == "maria"
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH) == "pusher"


@pytest.mark.parametrize("role", ["read", "none", "", "triage"])
@pytest.mark.parametrize("login", ["maria", "maria_acme"])
def test_a_permission_that_was_withdrawn(tmp_path: Path, fake: FakeGitHub, login: str, role: str) -> None:
    """Days may pass between the start of a job and its calls. A managed user has `_` in the login."""
    maria: dict[str, Any] = {"GITHUB_TRIGGERING_ACTOR": login}
    fake.roles[login] = role
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH, **maria) == ""
    fake.roles[login] = "admin"
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH, **maria) == login


@pytest.mark.parametrize("status", [404, 500])
def test_a_permission_that_cannot_be_read(tmp_path: Path, fake: FakeGitHub, status: int) -> None:
    """A permission that is not confirmed does not count; a 404 means that there is no such user."""
    fake.faults.append(Fault("GET", status, 9))
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH) == ""
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH, GITHUB_TOKEN="nothing") == ""


@pytest.mark.parametrize(
    ("login", "fields", "no_agreement"),
    [
        ("maria", {"status": 403}, NoAgreement.NO_ANSWER),
        ("maria", {"status": 200, "body": b'{"permission'}, NoAgreement.NO_ANSWER),
        ("maria", {"status": 200, "body": b"{}"}, NoAgreement.NO_ANSWER),
        ("maria", {"status": 404}, NoAgreement.NO_ACCESS),
        ("maria", {"status": 200, "body": b'{"permission": "read"}'}, NoAgreement.NO_ACCESS),
        ("app[bot]", {"status": 403}, NoAgreement.NOBODY),
    ],
)
def test_why_somebody_does_not_agree(
    tmp_path: Path, fake: FakeGitHub, login: str, fields: dict[str, Any], no_agreement: NoAgreement
) -> None:
    fake.faults.append(Fault("GET", times=9, path=r"collaborators/maria/permission", **fields))
    shell = job(tmp_path, fake, "workflow_dispatch", DISPATCH, GITHUB_TRIGGERING_ACTOR=login)
    assert who_agrees(shell, sandbox=False, namespace="branches/42/") == Agreement(
        no_agreement=no_agreement, named=login
    )


@pytest.mark.parametrize("token", ["reader", ""])
def test_an_app_does_not_agree(tmp_path: Path, fake: FakeGitHub, token: str) -> None:
    """A workflow can dispatch another one."""
    bot: dict[str, Any] = {"GITHUB_TRIGGERING_ACTOR": "github-actions[bot]", "GITHUB_TOKEN": token}
    assert agreed(tmp_path, fake, "workflow_dispatch", DISPATCH, **bot) == ""


def test_other_jobs(tmp_path: Path, fake: FakeGitHub) -> None:
    """Nothing is charged in the sandbox; the default branch's jobs are started by those who may."""
    assert agreed(tmp_path, fake, "pull_request", PULL, sandbox=True) == "pusher"
    assert agreed(tmp_path, fake, "schedule", {"repository": {"default_branch": "main"}}) == "pusher"


@pytest.mark.parametrize(
    ("environ", "namespace", "by", "who"),
    [
        ({"USER": "runner"}, "branches/42/", None, ""),
        ({"USER": "runner"}, "branches/42/", "maria", "maria"),
        ({"USER": "ana"}, "", None, "ana"),
        ({"USER": "ana"}, "", "maria", "maria"),
    ],
)
def test_other_systems(tmp_path: Path, environ: dict[str, str], namespace: str, by: str | None, who: str) -> None:
    """In a job of a pull request, only the person whom the job names agreed, never whoever pushed."""
    shell = Shell(tmp_path, environ, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)
    assert who_agrees(shell, sandbox=False, namespace=namespace, consent_by=by).by == who


def test_on_a_laptop_the_author_in_git_agrees(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "config", "user.email", "ana@example.com"], cwd=tmp_path, check=True)
    environ = {"USER": "root", "PATH": os.environ["PATH"]}
    shell = Shell(tmp_path, environ, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)
    assert who_agrees(shell, sandbox=False, namespace="").by == "ana@example.com"


def test_github_names_the_person_itself(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"GITHUB_ACTIONS": "true"}, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)
    with pytest.raises(UsageError):
        who_agrees(shell, sandbox=False, namespace="branches/42/", consent_by="maria")
