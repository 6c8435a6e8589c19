"""`planner ci gate` in a merge queue, and two pull requests in several orders of events: nothing is green by accident or paid for twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ci_jobs import Jobs
from hours import SATURDAY
from repositories import git

from tests.commands.conftest import (
    Project,  # pyright: ignore[reportMissingImports]
    Served,  # pyright: ignore[reportMissingImports]
)
from tests.commands.test_gate import STORE, gate, run  # pyright: ignore[reportMissingImports]

SUNDAY = """\
  sunday:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    expect: [{check: call, status: completed}]
"""
ANGRY = SATURDAY.replace("calm", "angry")
CASE, OTHER = "hours/saturday@clinic", "hours/sunday@clinic"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("group") / "kept"


@pytest.fixture
def jobs(tmp_path: Path, kept: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Pull request 7 changes Saturday, 8 adds Sunday."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin_as(kept, two_pull_requests)
    return jobs


def two_pull_requests(jobs: Jobs) -> None:
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    run(jobs.start())
    for number, plan in ((7, ANGRY), (8, SATURDAY + SUNDAY)):
        jobs.branch(f"topic{number}", "main")
        jobs.edit(plans__hours=plan)
    jobs.branch("queue", "main")


def queue(jobs: Jobs, plan: str, *subjects: str) -> Project:
    """The job of the merge group whose last pull request is 8."""
    jobs.edit(plans__hours=plan)
    for subject in subjects:
        git(jobs.work, "commit", "-q", "--allow-empty", "-m", subject)
    git(jobs.work, "push", "-q", "--force", f"file://{jobs.remote}", "HEAD")
    return jobs.start(8, event="merge_group", branch="queue")


@pytest.mark.parametrize(
    "subjects",
    [
        ("Make callers angry (#7)", "Ask about Sunday (#8)"),
        ("Merge pull request #7 from acme/topic7", "Merge pull request #8 from acme/topic8"),
    ],
)
def test_green_only_if_each_pull_request_is_proven(jobs: Jobs, subjects: tuple[str, ...]) -> None:
    assert sorted(gate(queue(jobs, ANGRY + SUNDAY, *subjects), 3)["to_call"]) == [CASE, OTHER]
    assert run(jobs.start(8, branch="topic8")) == 1
    assert gate(queue(jobs, ANGRY + SUNDAY, *subjects), 3)["to_call"] == [CASE]
    assert run(jobs.start(7, branch="topic7")) == 1
    assert sorted(gate(queue(jobs, ANGRY + SUNDAY, *subjects), 0)["green"]) == [CASE, OTHER]
    group = queue(jobs, ANGRY + SUNDAY, *subjects)
    assert group.actions("--sandbox").keys() == {CASE, OTHER}


def test_results_of_another_call_do_not_count(jobs: Jobs) -> None:
    """The group has a third version of the prompt, which neither pull request called."""
    run(jobs.start(7, branch="topic7"))
    run(jobs.start(8, branch="topic8"))
    both = SATURDAY.replace("calm", "sad") + SUNDAY
    assert gate(queue(jobs, both, "One (#7)", "Two (#8)"), 3)["to_call"] == [CASE]


REF = "refs/planner/results"
SAD = SATURDAY.replace("calm", "sad")
TOGETHER, IN_TURN, PUSHED_AGAIN = "p7 p8 c8 c7 m7 m8", "p7 c7 p8 m7 c8 m8", "p8 p7 c7 m7 p8 c8 m8"
"""p: a push, which is planned; c: the calls of its digest; m: merged and promoted."""


@dataclass
class Race:
    jobs: Jobs
    service: Served
    merged: dict[int, str]
    """What the plan is on the default branch after the pull request is merged, whichever is first."""
    both: str
    """What it is when both are merged."""
    digests: dict[int, str] = field(default_factory=dict[int, str])
    dropped: list[str] = field(default_factory=list[str])
    done: list[int] = field(default_factory=list[int])

    def plan(self, number: int) -> None:
        project = self.jobs.start(number, branch=f"topic{number}")
        ran = project.planner("plan", "--format", "json")
        assert ran.code == 0, ran.err
        self.digests[number] = ran.json["digest"]
        self._note(ran.json["changes"])

    def call(self, number: int) -> None:
        project = self.jobs.start(number, branch=f"topic{number}", event="workflow_dispatch")
        words = ("--consent-to-charge", "--base", "origin/main", "--digest", self.digests[number])
        ran = project.planner("ci", "run", *words)
        assert ran.code == 0, ran.err
        self.dropped += [case["case_id"] for case in project.results()["dropped"]]

    def merge(self, number: int) -> None:
        gate = self.jobs.start(number, branch=f"topic{number}").planner("ci", "gate")
        assert gate.code == 0, gate.out
        self.done.append(number)
        self.jobs.branch("main")
        self.jobs.edit(plans__hours=self.both if len(self.done) == 2 else self.merged[number])
        ran = self.jobs.start().planner("ci", "promote", "--pull-request", str(number))
        assert ran.code == 0, ran.err

    def _note(self, changes: list[dict[str, str]]) -> None:
        self.dropped += [change["case_id"] for change in changes if change["action"] == "drop"]


@pytest.mark.parametrize(
    ("first", "second", "both", "paid", "order"),
    [
        pytest.param(ANGRY, SAD, SAD, (3, 3), PUSHED_AGAIN, id="same case"),
        pytest.param(ANGRY, SATURDAY + SUNDAY, ANGRY + SUNDAY, (3, 3), TOGETHER, id="different cases"),
        pytest.param(ANGRY, ANGRY, ANGRY, (2, 3), IN_TURN, id="same digest, merged first"),
        pytest.param(ANGRY, ANGRY, ANGRY, (2, 3), TOGETHER, id="same digest"),
    ],
)
def test_two_pull_requests(
    tmp_path: Path,
    project: Project,
    service: Served,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
    both: str,
    paid: tuple[int, int],
    order: str,
) -> None:
    """Nothing is refused, no case of the other one is dropped, and each call is paid for once. With the same digest,
    8 pays only if 7 is not merged yet: a pull request does not read the results of another one."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    assert jobs.start().planner("run", "--consent-to-charge").code == 0
    for number, plan in ((7, first), (8, second)):
        jobs.branch(f"topic{number}", "main")
        jobs.edit(plans__hours=plan)
    race = Race(jobs, service, {7: first, 8: second}, both)
    for event in order.split():
        {"p": race.plan, "c": race.call, "m": race.merge}[event[0]](int(event[1]))
    assert race.dropped == []
    assert jobs.stored("branches/", REF) == []
    assert paid[0] <= len(service.own_runs()) <= paid[1]
    assert len(service.own_runs()) == (paid[0] if order.index("m7") < order.index("c8") else paid[1])
    assert jobs.start().planner("ci", "gate").code == 0


def test_a_case_that_the_pull_request_removes_is_dropped(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base branch had it where the pull request branched off."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY + SUNDAY, planner=STORE)
    assert jobs.start().planner("run", "--sandbox", "--consent-to-charge").code == 0
    jobs.branch("topic7", "main")
    jobs.edit(plans__hours=SATURDAY)
    dropped = jobs.start(7, branch="topic7").actions("--sandbox")["hours/sunday@clinic"]
    assert dropped == ("drop", "no_longer_in_plan", 0)
