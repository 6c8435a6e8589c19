"""The comment on the pull request while calls are made, in virtual time."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from fake_github import FakeGitHub, Fault, fake_github
from markdown_it import MarkdownIt
from virtual_time import VirtualLoop

from planner.clock import Clock
from planner.github.comment import CommentPlace
from planner.reports.pull_request import CallsUnderWay, PullRequest
from planner.results.model import FreshDocument
from planner.session.progress import ProgressState
from planner.session.pull_request import ProgressComment
from planner.session.shell import Shell

pytestmark = pytest.mark.anyio
HEAD = "a1b2c3d" + "0" * 33
DIGEST = f"sha256:{'9' * 64}"
CALLS = CallsUnderWay(digest=DIGEST, cases=["first/refund@support"], by="maria", max_cost="1.23", total=2)
STATE = ProgressState(1, 2, 1, 32, 41, 123, 60.0, None)


@pytest.fixture
def anyio_backend() -> object:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        fake.pulls[7] = {"head": {"sha": HEAD}}
        yield fake


def comment(fake: FakeGitHub, calls: CallsUnderWay = CALLS, key: str = "writer") -> tuple[ProgressComment, io.StringIO]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.mind_threads()
    clock = Clock(now=lambda: datetime(2026, 11, 28, tzinfo=UTC), monotonic=loop.time, sleep=anyio.sleep)
    environ = {"GITHUB_REPOSITORY": "acme/plans", "GITHUB_TOKEN": key, "GITHUB_API_URL": fake.url}
    err = io.StringIO()
    shell = Shell(Path.cwd(), environ, io.StringIO(), err, clock, lambda: "id", 80)
    options = CommentPlace(7, "default", fake.login)
    return ProgressComment(shell, options, PullRequest("7", HEAD, run_url="https://x.test/1"), calls), err


def edits(fake: FakeGitHub) -> int:
    return sum(method in ("POST", "PATCH") for method, _ in fake.requests)


async def test_edited_at_once_and_then_every_thirty_seconds(fake: FakeGitHub) -> None:
    """Ten changes in a hundred seconds: four edits. Nothing changes for ten minutes: none."""
    shown, err = comment(fake)
    async with shown.kept_current():
        for done in range(10):
            await anyio.sleep(10)
            shown.update(replace(STATE, runs_done=done, runs_total=10))
        assert edits(fake) == 4
        await anyio.sleep(60)
        before = edits(fake)
        await anyio.sleep(600)
        assert edits(fake) == before
    (made,) = fake.comments[7]
    assert "### ⏳ 9 of 10 done · $0.32" in made["body"]
    assert "`a1b2c3d`, agreed by `maria` up to $1.23. 1 call in progress, which may cost $0.41 more." in made["body"]
    assert f"<!-- digest:{DIGEST} -->" in made["body"]
    assert err.getvalue() == ""


async def test_the_comment_of_the_plan_is_edited(fake: FakeGitHub) -> None:
    """Its digest stays, so nothing is struck through."""
    fake.add_comment(7, f"<!-- phone-plans:default -->\n<!-- digest:{DIGEST} -->\n### 📞 2 calls to make")
    shown, _ = comment(fake)
    async with shown.kept_current():
        await anyio.sleep(1)
    (made,) = fake.comments[7]
    assert "### ⏳ 0 of 2 done" in made["body"]
    assert "~~" not in made["body"]


async def test_a_newer_push_has_the_comment(fake: FakeGitHub) -> None:
    shown, _ = comment(fake)
    async with shown.kept_current():
        await anyio.sleep(1)
        fake.pulls[7] = {"head": {"sha": "b" * 40}}
        newer = fake.comments[7][0]["body"] = "<!-- phone-plans:default -->\n### about the newer push"
        shown.update(STATE)
        await anyio.sleep(100)
    assert fake.comments[7][0]["body"] == newer


async def test_github_is_down(fake: FakeGitHub) -> None:
    """One message, no repeated requests, and the comment is right once GitHub is back."""
    fake.faults.append(Fault("GET", 503, times=3))
    shown, err = comment(fake)
    async with shown.kept_current():
        await anyio.sleep(85)
        assert len(fake.requests) == 3
        await anyio.sleep(30)
    assert len(fake.comments[7]) == 1
    assert err.getvalue().count("\n") == 1


@pytest.mark.parametrize("token", ["reader", "nothing", ""])
async def test_a_token_that_may_not_write(fake: FakeGitHub, token: str) -> None:
    """The missing permission is named once, and nothing more is tried."""
    shown, err = comment(fake, key=token)
    async with shown.kept_current():
        await anyio.sleep(300)
    assert 7 not in fake.comments
    assert err.getvalue().count("\n") == 1
    assert len(fake.requests) <= 3


async def test_an_error_of_the_body_is_not_wrapped(fake: FakeGitHub) -> None:
    shown, _ = comment(fake)
    with pytest.raises(KeyError):
        async with shown.kept_current():
            raise KeyError


async def test_hostile_texts(fake: FakeGitHub) -> None:
    """Names and reasons mention nobody, link nowhere and add no HTML."""
    bad = "@maria [x](https://evil.test) <img src=x> `` | <!-- digest:x -->"
    fresh = FreshDocument(reason=bad, by=bad, at=datetime(2026, 11, 28, tzinfo=UTC))
    shown, _ = comment(fake, replace(CALLS, cases=[bad] * 30, by=bad, fresh=fresh))
    async with shown.kept_current():
        await anyio.sleep(1)
    html = MarkdownIt("commonmark").render(fake.comments[7][0]["body"])
    assert "and 10 more" in html
    assert html.count("<a ") == 1
    assert "<img" not in html
    assert "@maria" not in re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL).replace("@<!-- -->", "")
