"""The workflows of docs/workflows/, job after job: open, push again, agree, call, merge, next pull request."""

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
from workflow_jobs import REUSABLE, WORKFLOWS, Runner

STORE = "store: git:refs/planner/results\n"
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
        self.payload()
        comment = self.fake.add_comment(7, body, author)
        issue = {"number": 7, "pull_request": {"url": "x"}}
        return self.runner.start("phone-plans-call", "issue_comment", {"issue": issue, "comment": comment})

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
        return [each["body"] for each in self.fake.comments[7] if each["body"].startswith("<!-- phone-plans-reply:")]

    @property
    def digest(self) -> str:
        found = re.search(r"/planner run (sha256:[0-9a-f]{64})", self.comment)
        assert found is not None, self.comment
        return found[1]

    def stored(self, folder: str) -> list[str]:
        listed = git(self.runner.remote, "ls-tree", "-r", "--name-only", "refs/planner/results-sandbox").splitlines()
        return [name for name in listed if name.startswith(folder)]


@pytest.fixture(scope="module")
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


def test_from_open_to_the_next_pull_request(repository: Repository) -> None:
    """Open, push again, agree to the old digest, from another branch, then to the new one, merge; the next pull request
    needs no call."""
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    assert repository.plan() == "pending", repository.runner.log
    old = repository.digest
    assert repository.stored("branches/7/change-sets/") == [
        f"branches/7/change-sets/{old.removeprefix('sha256:')}.json"
    ]
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "sad"))
    assert repository.plan() == "pending"
    assert old not in repository.comment
    assert not repository.agree(old)
    statuses = len(repository.fake.statuses)
    assert repository.agree(repository.digest, ref="refs/heads/topic") is None, "no job runs on another branch"
    assert len(repository.fake.statuses) == statuses
    assert repository.fake.statuses[-1]["state"] == "pending"
    assert repository.stored("branches/7/latest/") + repository.stored("branches/7/runs/") == []
    assert repository.agree(repository.digest), repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "/planner run" not in repository.comment
    assert "agreed by `maria` up to $5.00" in repository.comment
    repository.push("main", plans__hours_DOT_yaml=PLAN.replace("calm", "sad"))
    repository.fake.pulls[7] |= {"state": "closed", "merged_at": "2026-11-28T07:00:00Z"}
    assert repository.runner.start("phone-plans-main", "push", {}) == {"main": True}, repository.runner.log
    assert repository.runner.log[-1].startswith("Delete old previews: 0")
    assert repository.stored("world/") == ["world/default.json"]
    assert repository.stored("branches/7/") == []
    assert repository.stored("latest/") == ["latest/default/hours.json"]
    group = {
        "merge_group": {
            "head_sha": git(repository.work, "rev-parse", "main"),
            "base_sha": git(repository.work, "rev-parse", "main"),
        }
    }
    ref = f"refs/heads/gh-readonly-queue/main/pr-8-{'a' * 40}"
    assert repository.runner.start("phone-plans", "merge_group", group, ref=ref) == {"plan": True, "publish": True}
    assert repository.fake.statuses[-1]["state"] == "success"


def test_a_forged_answer_in_the_pull_request(repository: Repository) -> None:
    """The pull request contains an answer of its own and an invalid plan: the status is an error, never green."""
    forged = '{"state": "success", "description": "x", "digest": "", "comment": "", "worth_saying": false}'
    repository.push("topic", plans__hours_DOT_yaml="version: 1\nplans: x\n")
    repository.push("topic", **{"phone-plans_DOT_json": forged})
    assert repository.plan() == "failure"


def test_a_refused_call_and_a_failing_agent(repository: Repository) -> None:
    """The ceiling is too low: pending, and the digest stays good. Then the agent fails: red."""
    failing = PLAN.replace("calm", "angry").replace(
        "{check: call, status: completed}", "{check: duration, max_seconds: 1}"
    )
    repository.push("topic", plans__hours_DOT_yaml=failing)
    repository.plan()
    digest = repository.digest
    assert not repository.agree(digest, **{"max-cost": "0.01"})
    assert repository.fake.statuses[-1]["state"] == "pending"
    assert repository.digest == digest
    assert not repository.agree(digest)
    assert repository.fake.statuses[-1]["state"] == "failure"
    assert "hours/saturday@clinic" in repository.comment


def test_rights() -> None:
    """The job with the pull request's files may only read and has no secret; the one that may write has no checkout."""
    plan, publish = (REUSABLE["plan"]["jobs"][name] for name in ("plan", "publish"))
    assert plan["permissions"] == {"contents": "read"}
    assert "secrets." not in str(REUSABLE["plan"]) + str(WORKFLOWS["phone-plans"])
    assert "$/checkout" not in str(publish)
    with_keys = {
        job.get("environment")
        for document in REUSABLE.values()
        for job in document["jobs"].values()
        if "secrets." in str(job)
    }
    assert with_keys == {"${{ inputs.secrets-environment }}"}
    assert REUSABLE["call"]["jobs"]["asked"]["permissions"] == {}
    assert all(document["permissions"] == {} for document in (*WORKFLOWS.values(), *REUSABLE.values()))


def test_a_pull_request_with_another_base_is_planned_again() -> None:
    """GitHub says so with `edited`, which it does not send by default."""
    types = WORKFLOWS["phone-plans"]["on"]["pull_request_target"]["types"]
    assert set(types) == {"opened", "synchronize", "reopened", "edited"}


def test_the_target_branch_is_named_to_the_jobs_that_excuse_failures() -> None:
    """GitHub's event of a dispatched workflow does not name it."""
    steps = REUSABLE["call"]["jobs"]["call"]["steps"]
    into = {
        step["with"]["mode"]: step.get("env", {}).get("PLANNER_BASE_BRANCH")
        for step in steps
        if "mode" in step.get("with", {})
    }
    named = "${{ steps.commits.outputs.into }}"
    of_a_pull_request = "${{ steps.commits.outputs.number && steps.commits.outputs.into }}"
    assert into == {"run": of_a_pull_request, "gate": named, "publish": None, "record": None}


def test_a_push_during_the_calls(repository: Repository) -> None:
    """The calls end; comment and status are about the newer commit, which needs only what changed."""
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    repository.plan()
    old = repository.digest
    pushed: list[str] = []

    def push() -> None:
        pushed.append(repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "sad")))
        assert repository.plan() == "pending"

    repository.runner.after["run"] = push
    assert repository.agree(old), repository.runner.log
    assert (repository.fake.statuses[-1]["sha"], repository.fake.statuses[-1]["state"]) == (pushed[0], "pending")
    assert repository.digest != old
    assert f"`{pushed[0][:7]}`" in repository.comment
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    assert repository.plan() == "success", "the calls of the older commit count"


def test_the_title_is_edited_during_the_calls(repository: Repository) -> None:
    """The pull request is planned before the calls end, and that is published after them."""
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    repository.plan()
    event = repository.payload()
    repository.runner.job("phone-plans", "plan", "pull_request_target", event)
    planned = dict(repository.runner.artifacts)
    assert repository.agree(repository.digest), repository.runner.log
    repository.runner.artifacts = planned
    assert repository.runner.job("phone-plans", "publish", "pull_request_target", event)
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "agreed by `maria`" in repository.comment
