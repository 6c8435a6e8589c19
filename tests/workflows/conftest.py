"""A repository with the workflows of docs/workflows/ and one pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
from fake_github import FakeGitHub, fake_github
from private_git import private_git
from repositories import commit, git
from workflow_jobs import Runner

STORE = "store: git:refs/planner/results\nexecution: {linger_seconds: 0}\n"
PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
"""


@dataclass
class Repository:
    """A repository with one pull request, 7, from the branch `topic`."""

    runner: Runner
    work: Path
    fake: FakeGitHub = field(init=False)
    into: str = "main"
    """The branch that the pull request targets."""

    def __post_init__(self) -> None:
        self.fake = self.runner.fake

    def push(self, branch: str, **files: str) -> str:
        known = git(self.work, "branch", "--list", branch)
        git(self.work, "checkout", "-q", *([branch] if known else ["-b", branch, "main"]))
        for name, text in files.items():
            path = self.work / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        made = commit(self.work)
        if self.runner.remote.exists():
            git(self.work, "push", "-q", "--force", f"file://{self.runner.remote}", branch)
        return made

    def payload(self) -> dict[str, Any]:
        sides = {
            "head": {"sha": git(self.work, "rev-parse", "topic")},
            "base": {"sha": git(self.work, "rev-parse", self.into), "ref": self.into},
        }
        self.fake.pulls[7] = {"number": 7, "state": "open", **sides}
        return {"pull_request": {"number": 7, **sides}}

    def plan(self) -> str:
        """A push to the pull request: both jobs. Returns the state of the head commit."""
        payload = self.payload()
        done = self.runner.start("phone-plans", "pull_request_target", payload)
        assert done["publish"], self.runner.log
        assert self.fake.statuses[-1]["sha"] == payload["pull_request"]["head"]["sha"]
        return self.fake.statuses[-1]["state"]

    def agree(self, digest: str, ref: str = "refs/heads/main", **inputs: str) -> bool | None:
        """Start the calls from the form; return whether the job succeeded, None if there was none."""
        self.payload()
        typed = {"pull-request": "7", "digest": digest, "max-cost": "5.00", "rerun": "needed", **inputs}
        done = self.runner.start("phone-plans-call", "workflow_dispatch", {"inputs": typed}, ref=ref)
        return done.get("call")

    def write(self, body: str, author: str = "maria") -> dict[str, bool]:
        """Write a comment on the pull request; return the jobs that it started."""
        return self.runner.start("phone-plans-call", "issue_comment", self.asked(body, author))

    def asked(self, body: str, author: str = "maria") -> dict[str, Any]:
        """The event of a new comment."""
        self.payload()
        comment = self.fake.add_comment(7, body, author)
        return {"issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": comment}

    @property
    def comment(self) -> str:
        (made,) = [each for each in self.fake.comments[7] if each["body"].startswith("<!-- phone-plans:")]
        return made["body"]

    @property
    def command(self) -> str:
        """The command of the comment."""
        found = re.search(r"^/planner run .*$", self.comment, re.MULTILINE)
        assert found is not None, self.comment
        return found[0]

    @property
    def replies(self) -> list[str]:
        return [each["body"] for each in self.fake.comments[7] if each["body"].startswith("@maria ")]

    @property
    def digest(self) -> str:
        found = re.search(r"/planner run (sha256:[0-9a-f]{64})", self.comment)
        assert found is not None, self.comment
        return found[1]

    def stored(self, folder: str) -> list[str]:
        listed = git(self.runner.remote, "ls-tree", "-r", "--name-only", "refs/planner/results-sandbox").splitlines()
        return [name for name in listed if name.startswith(folder)]


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program that the jobs have installed."""
    installed = forked.install(tmp_path_factory.mktemp("bin"))
    yield installed.program
    installed.stop()


@pytest.fixture
def repository(tmp_path: Path, planner: Path) -> Iterator[Repository]:
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "begin")
    with fake_github() as fake, private_git(tmp_path) as server:
        repository = Repository(Runner(tmp_path, fake, planner, server), work)
        repository.push("main", plans__hours_DOT_yaml=PLAN, planner_DOT_yaml=STORE)
        repository.runner.begin(work)
        yield repository
