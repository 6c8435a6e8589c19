"""Situations of a pull request's life, in private and in public repositories.

A situation is a function that ends in a state of the required check. For every one of them: the status is green only if
the service's ledger has the calls, no call was paid for twice, and status and comment lead on. Then planning again (an
edited title, a job that is run again) must give the same answer, and so must the merge queue if there is something to prove.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fake_github import fake_github
from hosted import Hosted, Project

from tests.commands.conftest import (
    Project as Program,  # pyright: ignore[reportMissingImports]
)
from tests.commands.conftest import (
    Served,  # pyright: ignore[reportMissingImports]
    server,
)

Situation = Callable[[Hosted], str]

FILE = "plans/hours.yaml"
PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
  sunday:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    expect: [{check: call, status: completed}]
"""
ANGRY, SAD, GLAD = (PLAN.replace("Ana, calm", f"Ana, {mood}") for mood in ("angry", "sad", "glad"))
BOTH = ANGRY.replace("Bob, calm", "Bob, angry")
CHECK = "{check: call, status: completed}"
FAILING = ANGRY.replace(CHECK, "{check: duration, max_seconds: 1}", 1)
ANA_IS_ANGRY = "You are Ana, angry. Ask when the clinic is open on Saturday."

_ADOPTING = set[Situation]()
_ALONE = set[Situation]()


def adopts(situation: Situation) -> Situation:
    """Of a situation that begins without planner."""
    _ADOPTING.add(situation)
    return situation


def alone(situation: Situation) -> Situation:
    """Of one that changes the service for all: its clock is put forward, or an agent edited."""
    _ALONE.add(situation)
    return situation


def each(private: Sequence[Situation], public: Sequence[Situation] = ()) -> pytest.MarkDecorator:
    """Those of private repositories, and those of public ones: these only differ in the agreement to publish results."""
    parameters = [
        pytest.param(situation, is_public, id=situation.__name__)
        for is_public, situations in ((False, private), (True, public))
        for situation in situations
    ]
    return pytest.mark.parametrize(("situation", "is_public"), parameters)


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all situations."""
    with server(tmp_path_factory) as start:
        yield start()


@pytest.fixture(scope="package")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def hosted(
    project: Program,
    shared: Served,
    serve: Callable[[], Served],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    situation: Situation,
    is_public: bool,
) -> Iterator[Hosted]:
    """The default branch has called its plans."""
    is_alone = situation in _ALONE | _ADOPTING
    with fake_github() as fake:
        hosted = Hosted(tmp_path, project, serve() if is_alone else shared, fake, monkeypatch, is_public)
        folder = kept / str(is_public)
        if folder.is_dir() and not is_alone:
            hosted.begin_as(folder)
        elif situation not in _ADOPTING:
            hosted.begin({FILE: PLAN})
            assert hosted.of_default_branch() == 0
            fake.issues.clear()
            if not is_alone:
                hosted.keep(folder)
        yield hosted
        shared.release()
        if target := os.environ.get("PLANNER_COMMENTS"):
            _keep_comments(Path(target), situation.__name__, fake.written)


def _keep_comments(target: Path, name: str, written: Sequence[str]) -> None:
    """One file for each text, for people to look at (.ci/comment_pictures.py)."""
    target.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(dict.fromkeys(written), 1):
        (target / f"{name}-{number}.md").write_text(text, encoding="utf-8")


def to_call(hosted: Hosted, plan: str = ANGRY) -> None:
    hosted.push("topic", {FILE: plan})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    hosted.check()


def check_everywhere(
    hosted: Hosted, situation: Situation, *, project: Project | None = None, queue: bool = True
) -> None:
    """Come to the situation, and check what holds in each."""
    state, project = situation(hosted), project or Project()
    number = max(hosted.pulls)
    assert hosted.status(number, project)["state"] == state, hosted.last.err
    hosted.check(number, project)
    paid, comment = hosted.calls(), hosted.comment(number, project)
    if hosted.newest_event != "pull_request_target":
        assert hosted.plan(number, project) == state, "an edited title, or a job that is run again"
    if queue and (paid or state != "pending"):
        assert hosted.queue(number, project) == state
    assert hosted.calls() == paid
    assert _headline(hosted.comment(number, project)) == _headline(comment)


def _headline(comment: str) -> str:
    return next((line for line in comment.splitlines() if line.startswith("### ")), "")
