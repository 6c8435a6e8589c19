"""`planner ci promote`: verified results become the baseline without a call; other pull requests are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import forked
import pytest
from ci_jobs import Jobs
from fake_github import FakeGitHub, fake_github
from hours import SATURDAY
from lost_launches import lost_launch
from repositories import git
from worlds import ANY_PROMPT

from planner.ci.git import Git
from planner.log.facts import Fact, Outcome, Result, write_fact
from planner.log.stores.git import GitStore
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import CASE, STORE  # pyright: ignore[reportMissingImports]

REF = "refs/planner/results"
ANGRY = SATURDAY.replace("calm", "angry")
SAD = SATURDAY.replace("calm", "sad")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("promote") / "kept"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests of the file."""
    folder = tmp_path_factory.mktemp("service")
    world = folder / "fast.yaml"
    world.write_text(f"extends: {ANY_PROMPT}\nversion: 1\nworld: fast\ntime_scale: 600\n")
    program = forked.planner("sandbox", "--port", "0", "--world", str(world), cwd=folder)
    first = program.output.readline()
    yield Served(next(word for word in first.split() if word.startswith("http://")), program)
    program.kill()


@pytest.fixture
def jobs(tmp_path: Path, kept: Path, project: Project, served: Served, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Pull requests 7 (angry) and 8 (sad) edit the same case; both have called it."""
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", served.url)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin_as(kept, called)
    return jobs


def called(jobs: Jobs) -> None:
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    assert run(jobs.start()) == 1
    for number, plan in ((7, ANGRY), (8, SAD)):
        jobs.branch(f"topic{number}", "main")
        jobs.edit(plans__hours=plan)
        assert call(jobs, number) == 1
    jobs.branch("main")


def run(project: Project, *arguments: str) -> int:
    ran = project.planner("run", "--consent-to-charge", *arguments)
    assert ran.code in (0, 1), ran.err
    return project.results()["stats"]["launches"]


def call(jobs: Jobs, number: int, *, into: str = "main") -> int:
    """The calls of a pull request: how many were launched."""
    branch = f"topic{number}"
    planned = jobs.start(number, branch=branch, into=into).planner("plan", "--format", "json")
    project = jobs.start(number, branch=branch, event="workflow_dispatch", into=into)
    assert planned.code == 0, planned.err
    words = ("--consent-to-charge", "--base", "origin/main", "--digest", planned.json["digest"])
    ran = project.planner("ci", "run", *words)
    assert ran.code in (0, 1), ran.err
    return project.results()["stats"]["launches"]


def gate(project: Project, code: int) -> Any:
    ran = project.planner("ci", "gate", "--format", "json")
    assert ran.code == code, ran.out + ran.err
    return ran.json


def promote(project: Project, *numbers: int, code: int = 0) -> str:
    ran = project.planner("ci", "promote", *(f"--pull-request={number}" for number in numbers))
    assert ran.code == code, ran.out + ran.err
    return ran.out


def stored(jobs: Jobs, folder: str = "") -> list[str]:
    return jobs.stored(folder, REF)


def asks(monkeypatch: pytest.MonkeyPatch, fake: FakeGitHub) -> None:
    """Jobs that start from now on ask this GitHub."""
    for name, value in {"REPOSITORY": "acme/plans", "TOKEN": "reader", "API_URL": fake.url}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)


def test_merged_and_the_next_pull_request_is_free(jobs: Jobs) -> None:
    jobs.edit(plans__hours=ANGRY)
    assert "1 case promoted" in promote(jobs.start(), 7)
    assert stored(jobs, "branches/7/") == []
    assert stored(jobs, "merged/") == []
    assert stored(jobs, "branches/8/") != []
    assert len(stored(jobs, "calls/")) == 2
    assert git(jobs.remote, "grep", "--count", '"merged":7', REF, "--", "calls").count(":1") == 1
    assert logs(jobs) == {"log", "pr-8/log"}
    assert gate(jobs.start(), 0)["green"] == [CASE]
    assert gate(jobs.start(9), 0)["green"] == [CASE]
    assert run(jobs.start()) == 0
    jobs.branch("topic8")
    assert gate(jobs.start(8, branch="topic8"), 0)["green"] == [CASE]


def test_two_pull_requests_of_one_case(jobs: Jobs) -> None:
    """The last merge decides; nothing is called twice."""
    for number, plan in ((8, SAD), (7, ANGRY)):
        jobs.edit(plans__hours=plan)
        assert "1 case promoted" in promote(jobs.start(), number)
    assert gate(jobs.start(), 0)["green"] == [CASE]
    assert stored(jobs, "branches/") == []


def append(jobs: Jobs, log: str, *facts: Fact) -> None:
    """Append to a log in the shared repository, as another machine would."""
    store = GitStore(Git(jobs.start().root, os.environ), f"{REF}-log/_/{log}", "origin", "elsewhere")
    assert store.append([write_fact(fact) for fact in facts], store.read()[1]) is not None


def logs(jobs: Jobs) -> set[str]:
    """The logs of the shared repository, such as `pr-7`."""
    listed = git(jobs.remote, "for-each-ref", "--format=%(refname)", f"{REF}-log").splitlines()
    return {name.removeprefix(f"{REF}-log/_/") for name in listed}


def test_open_launches_keep_what_a_pull_request_stored(jobs: Jobs) -> None:
    """Until it is known what became of them, or for a day."""
    jobs.edit(plans__hours=ANGRY)
    now = datetime.now(UTC)
    append(jobs, "pr-7/log", lost_launch("l1", now, "Hello"), lost_launch("l2", now - timedelta(days=2), "Hello"))
    assert "1 case promoted · launches are not settled, so its results stay until they are" in promote(jobs.start(), 7)
    assert stored(jobs, "branches/7/") != []
    assert logs(jobs) == {"log", "pr-7/log", "pr-8/log"}
    append(jobs, "pr-7/log", Outcome(now, "l1", Result.REFUSED))
    assert "not settled" not in promote(jobs.start(), 7)
    assert stored(jobs, "branches/7/") == []
    assert logs(jobs) == {"log", "pr-8/log"}


def test_a_pull_request_waits_for_a_call_of_the_default_branch(
    tmp_path: Path, project: Project, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call under way there is not made again. The pull request's log has no launches of others."""
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner=f"{STORE}execution: {{linger_seconds: 0.2}}\n")
    jobs.branch("topic7", "main")
    jobs.edit(plans__hours=ANGRY)
    service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
    jobs.start().write("plans/hours.yaml", ANGRY)
    project.killed("run", "--consent-to-charge", when=service.own_runs)
    service.release()
    waiting = jobs.start(7, branch="topic7", event="workflow_dispatch")
    ran = waiting.planner("ci", "run", "--consent-to-charge", "--base", "origin/main")
    assert ran.code == 4, ran.err
    assert "1 unconfirmed launch (up to $0.64): a session of the default branch is making it" in ran.out
    jobs.start().write("plans/hours.yaml", ANGRY)
    project.planner("run", "--consent-to-charge")
    assert call(jobs, 7) == 0
    assert len(service.own_runs()) == 1
    assert [len(case["runs"]) for case in project.results()["cases"]] == [1]
    assert '"fact":"intent"' not in git(jobs.remote, "log", "--format=", "-p", f"{REF}-log/_/pr-7/log")


def test_as_github_says(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """7 is merged, 8 closed, 9 open."""
    jobs.branch("topic9", "main")
    jobs.edit(plans__hours=SATURDAY.replace("calm", "glad"))
    call(jobs, 9)
    jobs.branch("main")
    jobs.edit(plans__hours=ANGRY)
    with fake_github() as fake:
        fake.pulls = {
            7: {"state": "closed", "merged_at": "2026-11-25T09:00:00Z"},
            8: {"state": "closed", "merged_at": None, "closed_at": "2020-11-25T09:00:00Z"},
            9: {"state": "open", "merged_at": None},
        }
        project = jobs.start()
        asks(monkeypatch, fake)
        promote(project)
        promote(project)
    assert {name.split("/")[1] for name in stored(jobs, "branches/")} == {"9"}
    assert gate(jobs.start(), 0)["green"] == [CASE]


def test_a_pull_request_that_github_has_deleted(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """7 was of an account that GitHub deleted. Others are promoted all the same, unless the token may see no pull request."""
    jobs.edit(plans__hours=SAD)
    with fake_github() as fake:
        project = jobs.start()
        asks(monkeypatch, fake)
        assert project.planner("ci", "promote").code == 2
        fake.pulls = {8: {"state": "closed", "merged_at": "2026-11-25T09:00:00Z"}}
        assert "#8: 1 case promoted" in promote(project)
    assert {name.split("/")[1] for name in stored(jobs, "branches/")} == {"7"}
    assert gate(jobs.start(), 0)["green"] == [CASE]


def test_a_pull_request_promotes_nothing(jobs: Jobs) -> None:
    assert jobs.start(7).planner("ci", "promote", "--pull-request=7").code == 2
    assert stored(jobs, "branches/7/") != []
