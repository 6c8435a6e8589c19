"""`planner gate` in a merge queue: green if each pull request of the group was proven, never by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_jobs import Jobs
from repositories import git

from planner.session.ci import group_namespaces
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import PLAN, STORE, gate, run  # pyright: ignore[reportMissingImports]

SUNDAY = """\
  sunday:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    expect: [{check: call, status: completed}]
"""
ANGRY = PLAN.replace("calm", "angry")
CASE, OTHER = "hours/saturday@clinic", "hours/sunday@clinic"


@pytest.fixture
def jobs(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Pull request 7 changes Saturday, 8 adds Sunday."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=PLAN, planner=STORE)
    run(jobs.start())
    for number, plan in ((7, ANGRY), (8, PLAN + SUNDAY)):
        jobs.branch(f"topic{number}", "main")
        jobs.edit(plans__hours=plan)
    jobs.branch("queue", "main")
    return jobs


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
    both = PLAN.replace("calm", "sad") + SUNDAY
    assert gate(queue(jobs, both, "One (#7)", "Two (#8)"), 3)["to_call"] == [CASE]


def test_a_pull_request_that_no_commit_names(jobs: Jobs) -> None:
    """Rebased commits name none: what only that one proved is to be called."""
    run(jobs.start(7, branch="topic7"))
    run(jobs.start(8, branch="topic8"))
    assert gate(queue(jobs, ANGRY + SUNDAY), 3)["to_call"] == [CASE]


def test_a_failure_of_another_one_counts(jobs: Jobs) -> None:
    failing = ANGRY.replace("{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    jobs.branch("topic7")
    jobs.edit(plans__hours=failing)
    run(jobs.start(7, branch="topic7"))
    run(jobs.start(8, branch="topic8"))
    jobs.branch("queue")
    assert gate(queue(jobs, failing + SUNDAY, "One (#7)"), 1)["failed"] == [CASE]


def test_other_jobs_read_their_own_results(jobs: Jobs) -> None:
    """A commit of a pull request names another one: that says nothing outside of a queue."""
    run(jobs.start(7, branch="topic7"))
    jobs.branch("topic9", "main")
    jobs.edit(plans__hours=ANGRY)
    git(jobs.work, "commit", "-q", "--allow-empty", "-m", "Steal (#7)")
    git(jobs.work, "push", "-q", "--force", f"file://{jobs.remote}", "HEAD")
    assert gate(jobs.start(9, branch="topic9"), 3)["to_call"] == [CASE]


def test_numbers_in_subjects() -> None:
    subjects = [
        "a (#7)",
        "Merge pull request #8 from x/y",
        "b (#7)",
        "see #9",
        "(#0)",
        "c (#8) d",
        "Merge pull request #x",
    ]
    assert group_namespaces(subjects, "branches/8/") == ("branches/7/",)
