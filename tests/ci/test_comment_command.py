"""`/planner run …` on a pull request: what it agrees to, and when it counts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fake_github import FakeGitHub, Fault, fake_github

from planner.ci.agreement import who_agrees
from planner.clock import Clock
from planner.commands.comment_command import CommentCommand, parse_command, with_command
from planner.errors import PlannerError, RefusedError, UsageError
from planner.session.run_session import RunOptions
from planner.shell import Shell
from planner.workspace.selection import Selection

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
RUN = f"/planner run {DIGEST} up to 1.23"
CLOCK = Clock(
    now=lambda: datetime(2026, 11, 25, tzinfo=UTC), monotonic=lambda: 0.0, sleep=lambda _: anyio.lowlevel.checkpoint()
)


@pytest.mark.parametrize(
    ("body", "agreed"),
    [
        (RUN, {}),
        (f"\n  {RUN}\n\n", {}),
        (RUN.replace("/planner", "/Planner"), {}),
        (RUN.replace(" ", "  ") + " \r\n", {}),
        (RUN.replace(" up ", "\tup\u00a0"), {}),
        (RUN.replace("1.23", "5"), {"max_cost_cents": 500}),
        (f"/planner run {DIGEST} up to $100.00", {"max_cost_cents": 10_000}),
        (f"/planner run eu {DIGEST} up to 1.23", {"name": "eu"}),
        (f"{RUN} only 'refunds/*'", {"only": ("refunds/*",)}),
        (f"{RUN} only ‘refunds/*’ “a b@c”", {"only": ("refunds/*", "a b@c")}),
        (f"{RUN} only refunds/*", {"only": ("refunds/*",)}),
        (f"{RUN} rerun failed", {"rerun": "failed"}),
        (f"{RUN} start over: CRM fixed, only for 'x'", {"start_over": "CRM fixed, only for 'x'"}),
        (
            f"{RUN} only 'r/*' rerun failed start over: CRM",
            {"only": ("r/*",), "rerun": "failed", "start_over": "CRM"},
        ),
        (f"{RUN} only rerun", {"only": ("rerun",)}),
    ],
)
def test_what_a_comment_agrees_to(body: str, agreed: dict[str, Any]) -> None:
    assert parse_command(body) == replace(CommentCommand(DIGEST, 123), **agreed)


@pytest.mark.parametrize(
    ("body", "unread"),
    [
        ("/planner run", "which calls"),
        (f"/planner run {DIGEST[:20]} up to 1.23", "which calls"),
        (f"/planner run: {DIGEST} up to 1.23", "which calls"),
        (RUN.replace("sha256:", ""), "which calls"),
        (RUN.replace("sha256:", "SHA256:"), "which calls"),
        (f"> {RUN}", "write only the command"),
        (f"`{RUN}`", "write only the command"),
        (f"Please: {RUN}", "write only the command"),
        (f"/planner run {DIGEST}", "the amount"),
        (f"/planner run {DIGEST} up to 123", "the amount"),
        (f"/planner run {DIGEST} up to 0,63", "the amount"),
        (f"/planner run {DIGEST} up to ٣.٥٠", "the amount"),
        (f"/planner run {DIGEST} up to DOLLARS", "Replace DOLLARS"),
        (f"{RUN} if CI is green", "`if CI is green`"),
        (f"{RUN} rerun everything", "`rerun everything`"),
        (f"{RUN} only", "`only`"),
        (f"{RUN} start over:", "`start over:`"),
        (f"{RUN}\n\nbut not before Monday", "more than one line"),
        (f"{RUN} start over: x\nthat is all", "more than one line"),
        (f"{RUN} start over: x\n/planner run {DIGEST} up to 99.00", "more than one command"),
        (f"{RUN} start over: x {RUN}", "more than one command"),
        (f"{RUN}\u2028{RUN}", "more than one command"),
    ],
)
def test_a_comment_that_says_something_else_agrees_to_nothing(body: str, unread: str) -> None:
    """The message says what could not be read."""
    with pytest.raises(UsageError, match=re.escape(unread)):
        parse_command(body)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        fake.add_comment(42, f"<!-- phone-plans:default -->\n<!-- digest:{DIGEST} -->\n### 2 calls")
        yield fake


@pytest.fixture
def written(tmp_path: Path, fake: FakeGitHub) -> Callable[..., Shell]:
    """A job that this comment started."""

    def write(body: str = RUN, author: str = "maria", **environ: str) -> Shell:
        comment = fake.add_comment(42, body, author)
        file = tmp_path / "event.json"
        issue = {"number": 42, "pull_request": {"url": "x"}}
        file.write_text(json.dumps({"issue": issue, "comment": comment}))
        environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "issue_comment",
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_TRIGGERING_ACTOR": "somebody",
            "GITHUB_REPOSITORY": "acme/plans",
            "GITHUB_TOKEN": "reader",
            "GITHUB_API_URL": fake.url,
            **environ,
        }
        return Shell(tmp_path, environ, io.StringIO(), io.StringIO(), CLOCK, lambda: "id", 80)

    return write


def test_the_comment_sets_the_options(written: Callable[..., Shell]) -> None:
    options = RunOptions(Selection(select=("x",)), consent_to_charge=True, max_cost_cents=9)
    shell = written(f"{RUN} only 'r/*' start over: CRM")
    found = with_command(shell, options, "default")
    selected = (found.selection.select, found.selection.digest, found.selection.start_over)
    assert (selected, found.max_cost_cents) == ((("r/*",), DIGEST, "CRM"), 123)
    assert who_agrees(shell, sandbox=False, namespace="branches/42/").by == "maria"
    capital = with_command(written(RUN.replace("/planner", "/Planner")), options, "default")
    assert (capital.selection.digest, capital.max_cost_cents) == (DIGEST, 123), "its workflow starts for it, too"
    other = written("Looks good to me")
    assert with_command(other, options, "default") is options


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda fake: fake.comments[42][-1].update(body=RUN + " "), RefusedError),
        (lambda fake: fake.comments[42][-1].update(updated_at="2026-11-25T09:00:01Z"), RefusedError),
        (lambda fake: fake.comments[42].pop(), RefusedError),
        (lambda fake: fake.faults.append(Fault("GET", 500, 9)), RefusedError),
    ],
    ids=["edited", "edited and back", "deleted", "GitHub is down"],
)
def test_a_comment_that_does_not_count(
    fake: FakeGitHub,
    written: Callable[..., Shell],
    edit: Callable[[FakeGitHub], object],
    error: type[PlannerError],
) -> None:
    shell = written()
    edit(fake)
    with pytest.raises(error):
        with_command(shell, RunOptions(Selection()), "default")
    reports = json.loads((shell.cwd / "reports/results.json").read_text())
    assert (reports["outcome"], reports["consent"]["given"], len(reports["problems"])) == ("refused", False, 1)


@pytest.mark.parametrize(
    ("body", "newest"),
    [
        (f"<!-- phone-plans:default -->\n<!-- digest:{OTHER} -->\n### 1 call", OTHER),
        ("<!-- phone-plans:default -->\n### green", ""),
        ("deleted by its author", None),
    ],
)
def test_the_newest_calls(fake: FakeGitHub, written: Callable[..., Shell], body: str, newest: str | None) -> None:
    """The session compares them with the command once it knows whether anything is charged."""
    shell = written()
    fake.comments[42][0]["body"] = body
    assert with_command(shell, RunOptions(Selection()), "default").newest_digest == newest


def test_a_comment_for_another_use(written: Callable[..., Shell]) -> None:
    with pytest.raises(UsageError):
        with_command(written(f"/planner run eu {DIGEST} up to 1.23"), RunOptions(Selection()), "us")


@pytest.mark.parametrize("words", ["/planner run", RUN, "/planner run sha256:1"])
def test_a_command_without_a_name_among_several_projects(
    fake: FakeGitHub, written: Callable[..., Shell], words: str
) -> None:
    """It is answered with the commands of all, as planner's own comments offer them."""
    offers = {"us": OTHER, "eu": DIGEST}
    for name, digest in offers.items():
        offer = f"<!-- phone-plans:{name} -->\n<!-- digest:{digest} -->\n/planner run {name} {digest} up to 1.23\n"
        fake.add_comment(42, offer)
        fake.add_comment(42, offer.replace("1.23", "99.00"), "mallory")
    with pytest.raises(UsageError) as refused:
        with_command(written(words), RunOptions(Selection()), "eu")
    commands = [f"`/planner run {name} {offers[name]} up to 1.23`" for name in sorted(offers)]
    assert str(refused.value).endswith(f"Post one of: {', '.join(commands)}")


@pytest.mark.parametrize(("author", "role"), [("mallory", "read"), ("mallory", "none"), ("app[bot]", "write")])
def test_a_comment_of_somebody_without_write_access(
    fake: FakeGitHub, written: Callable[..., Shell], author: str, role: str
) -> None:
    """Everybody may comment on a public repository."""
    fake.roles[author] = role
    assert who_agrees(written(author=author), sandbox=False, namespace="branches/42/").by == ""
