"""The progress of a session: on a real terminal, in a log, and in the comment on the pull request (in virtual time)."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TextIO

import anyio
import pytest
from fake_github import FakeGitHub, Fault, fake_github
from markdown_it import MarkdownIt
from virtual_time import VirtualLoop

from planner.ci.comment import CommentPlace
from planner.ci.progress_comment import ProgressComment
from planner.clock import Clock
from planner.reports.progress import ProgressState, line
from planner.reports.pull_request import PullRequest
from planner.reports.pull_request_progress import CallsUnderWay
from planner.results.model import StartOverDocument
from planner.shell import Shell
from planner.workspace.progress import ProgressDisplay

START = ProgressState(0, 72, 12, 0, 384, 900, 0.2, None)
MIDDLE = ProgressState(34, 72, 12, 544, 384, 900, 80.7, 119.6, "concurrency limit 20 (learned)")
END = ProgressState(72, 72, 0, 1152, 0, None, 200.0, 0.0)
NO_VARIABLES: Mapping[str, str] = {}


@dataclass
class Time:
    """A clock that tests set."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Terminal:
    """A real pseudo-terminal."""

    stream: TextIO
    master: int

    def shown(self) -> str:
        self.stream.flush()
        os.set_blocking(self.master, False)
        written = b""
        while True:
            try:
                written += os.read(self.master, 65536)
            except BlockingIOError:
                return written.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals")
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream:  # noqa: PTH123 -- it is a descriptor
        yield Terminal(stream, master)
    os.close(master)


def progress_on(stream: TextIO, environ: Mapping[str, str] = NO_VARIABLES, time: Time | None = None) -> ProgressDisplay:
    clock = Clock(lambda: datetime(2026, 11, 24, tzinfo=UTC), (time or Time()).monotonic, anyio.sleep)
    return ProgressDisplay(Shell(Path(), {"TERM": "xterm", **environ}, StringIO(), stream, clock, lambda: "id", 80))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (START, "0 of 72 runs · $0.00 of $9.00 · 12 in flight · $3.84 reserved · 0 s elapsed"),
        (
            MIDDLE,
            "34 of 72 runs · $5.44 of $9.00 · about 2 min left · 12 in flight · $3.84 reserved · 1 min 20 s elapsed · concurrency limit 20 (learned)",
        ),
        (END, "72 of 72 runs · $11.52 · 3 min 20 s elapsed"),
        (replace(MIDDLE, left_seconds=0.1, waiting="\x1b[31m::x"), None),
    ],
    ids=["start", "middle", "end", "hostile"],
)
def test_a_line(state: ProgressState, text: str | None) -> None:
    assert line(state) == (text or line(replace(state, waiting="")) + " · �: :x")


def test_a_log_has_a_line_for_changes() -> None:
    """At once, then at most every five seconds, and only if something other than the time changed."""
    stream, time = StringIO(), Time()
    progress = progress_on(stream, time=time)
    progress.update(START)
    for second in range(1, 15):
        time.seconds = float(second)
        progress.update(replace(MIDDLE, runs_done=min(second, 8), waiting=""))
    assert [text.split(" · ")[0] for text in stream.getvalue().splitlines()] == [
        "0 of 72 runs",
        "5 of 72 runs",
        "8 of 72 runs",
    ]


def test_a_terminal_is_redrawn_in_place(terminal: Terminal) -> None:
    time = Time()
    progress = progress_on(terminal.stream, time=time)
    progress.update(START)
    progress.update(MIDDLE)
    time.seconds = 1.0
    progress.update(MIDDLE)
    progress.close()
    progress.close()
    clear = "\x1b[1G\x1b[2K"
    start, middle = line(START)[:79], line(MIDDLE)[:79]
    assert terminal.shown() == f"{clear}{start}{clear}{middle}{clear}{middle}\r\n"


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
    async with shown.keeping_current():
        for done in range(10):
            await anyio.sleep(10)
            shown.update(replace(STATE, runs_done=done, runs_total=10))
        assert edits(fake) == 4
        await anyio.sleep(60)
        before = edits(fake)
        await anyio.sleep(600)
        assert edits(fake) == before
    (made,) = fake.comments[7]
    assert "### ⏳ 9 of 10 calls done · $0.32" in made["body"]
    assert "`a1b2c3d`, agreed by `maria` up to $1.23. 1 call in progress, which may cost $0.41 more." in made["body"]
    assert f"<!-- digest:{DIGEST} -->" in made["body"]
    assert err.getvalue() == ""


async def test_the_comment_of_the_plan_is_edited(fake: FakeGitHub) -> None:
    """Its digest stays, so nothing is struck through."""
    fake.add_comment(7, f"<!-- phone-plans:default -->\n<!-- digest:{DIGEST} -->\n### 📞 2 calls to make")
    shown, _ = comment(fake)
    async with shown.keeping_current():
        await anyio.sleep(1)
    (made,) = fake.comments[7]
    assert "### ⏳ 0 of 2 calls done" in made["body"]
    assert "~~" not in made["body"]


async def test_a_newer_push_has_the_comment(fake: FakeGitHub) -> None:
    shown, _ = comment(fake)
    async with shown.keeping_current():
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
    async with shown.keeping_current():
        await anyio.sleep(85)
        assert len(fake.requests) == 3
        await anyio.sleep(30)
    assert len(fake.comments[7]) == 1
    assert err.getvalue().count("\n") == 1


@pytest.mark.parametrize("token", ["reader", "nothing", ""])
async def test_a_token_that_may_not_write(fake: FakeGitHub, token: str) -> None:
    """The missing permission is named once, and nothing more is tried."""
    shown, err = comment(fake, key=token)
    async with shown.keeping_current():
        await anyio.sleep(300)
    assert 7 not in fake.comments
    assert err.getvalue().count("\n") == 1
    assert len(fake.requests) <= 3


async def test_an_error_of_the_body_is_not_wrapped(fake: FakeGitHub) -> None:
    shown, _ = comment(fake)
    with pytest.raises(KeyError):
        async with shown.keeping_current():
            raise KeyError


async def test_hostile_texts(fake: FakeGitHub) -> None:
    """Names and reasons mention nobody, link nowhere and add no HTML."""
    bad = "@maria [x](https://evil.test) <img src=x> `` | <!-- digest:x -->"
    start_over = StartOverDocument(reason=bad, by=bad, at=datetime(2026, 11, 28, tzinfo=UTC))
    shown, _ = comment(fake, replace(CALLS, cases=[bad] * 30, by=bad, start_over=start_over))
    async with shown.keeping_current():
        await anyio.sleep(1)
    html = MarkdownIt("commonmark").render(fake.comments[7][0]["body"])
    assert "and 10 more" in html
    assert html.count("<a ") == 1
    assert "<img" not in html
    assert "@maria" not in re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL).replace("@<!-- -->", "")
