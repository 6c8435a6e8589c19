"""Every refusal of GitHub's API, for everything that planner asks of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_github import FakeGitHub, Fault, fake_github

from planner.ci.agreement import who_agrees
from planner.ci.client import GitHub
from planner.ci.comment import (
    CommentPlace,
    Status,
    is_superseded,
    marker,
    newest_digest,
    set_status,
    upsert_comment,
    upsert_issue,
)
from planner.commands.publish import PublishOptions, publish
from planner.errors import PlannerError
from planner.shell import Shell
from tests.ci.test_consent import CLOCK  # pyright: ignore[reportMissingImports]

COMMIT = "c" * 40
PLACE = CommentPlace(42)
ARCHIVED = b'{"message": "Repository was archived so is read-only."}'

REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "401": ({"status": 401}, 2),
    "403": ({"status": 403}, 2),
    "archived": ({"status": 403, "body": ARCHIVED}, 2),
    "rate limit": ({"status": 403, "headers": {"X-RateLimit-Remaining": "0"}}, 4),
    "404": ({"status": 404}, 2),
    "410": ({"status": 410}, 2),
    "422": ({"status": 422}, 2),
    "429": ({"status": 429, "headers": {"Retry-After": "1"}}, 4),
    "500": ({"status": 500}, 4),
    "503": ({"status": 503, "body": b"<html>Unicorn!</html>"}, 4),
    "renamed": ({"status": 301, "headers": {"Location": "https://github.test/"}}, 4),
    "truncated": ({"status": 200, "body": b'[{"id": 1', "cut": 9}, 4),
    "a page of a proxy": ({"status": 200, "body": b"<html>Log in</html>"}, 4),
    "deep": ({"status": 200, "body": b"[" * 100_000}, 4),
}
"""How GitHub answers, and the exit code of what does not go on without it."""

WRONG = (b"[]", b"{}", b"[1, null]", b'{"head": 1, "message": 2}', b"null", b'"x"')
"""Answers of another shape."""


def comment(github: GitHub) -> object:
    return upsert_comment(github, PLACE, "### 2 calls")


def issue(github: GitHub) -> object:
    return upsert_issue(github, "Calls", "### 2 calls")


REQUESTS: dict[str, tuple[str, str, Callable[[GitHub], object]]] = {
    "head": ("GET", r"pulls/42", lambda github: is_superseded(github, 42, COMMIT)),
    "comments": ("GET", r"issues/42/comments", comment),
    "command": ("GET", r"issues/42/comments", lambda github: newest_digest(github, PLACE)),
    "edit": ("PATCH", r"issues/comments/\d+", comment),
    "status": ("POST", r"statuses/c+", lambda github: set_status(github, COMMIT, Status("success", "x"))),
    "issues": ("GET", r"issues", issue),
    "edit of the issue": ("PATCH", r"issues/\d+", issue),
}


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        fake.pulls[42] = {"number": 42, "state": "open", "head": {"sha": COMMIT}, "base": {"ref": "main"}}
        fake.add_comment(42, f"{marker('default')}\n### 1 call")
        fake.answer("POST", "issues", {}, {"title": "Calls", "body": f"{marker('default')}\n### 1 call"})
        yield fake


def code_of(action: Callable[[], object]) -> tuple[int, str]:
    """The exit code and the text of the error; 0 if there is none. Any other exception would be a traceback."""
    try:
        action()
    except PlannerError as error:
        return error.exit_code, f"{error}. {error.hint}"
    return 0, ""


def asked(fake: FakeGitHub, request: str) -> tuple[int, str]:
    with GitHub("acme/plans", "writer", lambda _: None, fake.url) as github:
        return code_of(lambda: REQUESTS[request][2](github))


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_an_error_with_a_hint(fake: FakeGitHub, request_: str, refusal: str) -> None:
    method, path, _ = REQUESTS[request_]
    fields, code = REFUSALS[refusal]
    fake.faults.append(Fault(method, times=9, path=path, **fields))
    is_ignored = request_ == "head" and fields["status"] in (404, 410)  # the comment says why
    found, said = asked(fake, request_)
    assert (found, said.endswith(".")) == ((0, False) if is_ignored else (code, True))
    assert len(fake.comments[42]) == 1
    assert len(fake.issues) == 1


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("body", WRONG)
def test_an_answer_of_another_shape(fake: FakeGitHub, request_: str, body: bytes) -> None:
    """An error, or as if nothing were found."""
    method, path, _ = REQUESTS[request_]
    fake.faults.append(Fault(method, 200, 9, path=path, body=body))
    assert asked(fake, request_)[0] in (0, 4)


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("request_", ["head", "comments", "edit", "status"])
def test_only_a_refused_status_fails_the_job(fake: FakeGitHub, tmp_path: Path, refusal: str, request_: str) -> None:
    """The check is what counts. The log says what GitHub refused, and what it said."""
    method, path, _ = REQUESTS[request_]
    fields, code = REFUSALS[refusal]
    fake.faults.append(Fault(method, times=99, path=path, **fields))
    named = {"REPOSITORY": "acme/plans", "TOKEN": "writer", "API_URL": fake.url, "RUN_ID": "7"}
    environ = {f"GITHUB_{name}": value for name, value in named.items()}
    log = io.StringIO()
    shell = Shell(tmp_path, environ, io.StringIO(), log, CLOCK, lambda: "id", 80)
    answer = {"state": "pending", "description": "2 to call", "digest": "", "comment": "### 2", "worth_saying": True}
    file = tmp_path / "publication.json"
    file.write_text(json.dumps(answer))
    ended, said = code_of(lambda: publish(shell, PublishOptions(file, COMMIT, 42)))
    said += log.getvalue()
    if request_ == "status":
        assert (ended, fake.statuses) == (code, [])
    else:
        assert (ended, [status["state"] for status in fake.statuses]) == (0, ["pending"])
        assert "the comment could not be written: " in said or fields["status"] in (404, 410)
    assert ("archived so is read-only" in said) == (refusal == "archived")
    assert ("the repository was renamed" in said) == (refusal == "renamed")


@pytest.mark.parametrize(
    "fields", [*(fields for fields, _ in REFUSALS.values()), *({"status": 200, "body": body} for body in WRONG)]
)
def test_nobody_agrees_where_github_does_not_say_so(fake: FakeGitHub, tmp_path: Path, fields: dict[str, Any]) -> None:
    fake.faults.append(Fault("GET", times=9, path=r"collaborators/maria/permission", **fields))
    payload = tmp_path / "event.json"
    payload.write_text(json.dumps({"inputs": {"pull-request": "42"}}))
    named = {
        "ACTIONS": "true",
        "EVENT_NAME": "workflow_dispatch",
        "EVENT_PATH": str(payload),
        "TRIGGERING_ACTOR": "maria",
    }
    named |= {"REPOSITORY": "acme/plans", "TOKEN": "reader", "API_URL": fake.url, "RUN_ID": "7"}
    environ = {f"GITHUB_{name}": value for name, value in named.items()}
    shell = Shell(tmp_path, environ, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)
    assert who_agrees(shell, sandbox=False, namespace="branches/42/").by == ""
