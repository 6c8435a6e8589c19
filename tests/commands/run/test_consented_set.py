"""`run --digest` makes any subset of the set of calls that was agreed to, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ci_jobs import Jobs
from hours import SATURDAY

from tests.commands.conftest import HOURS, Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import STORE  # pyright: ignore[reportMissingImports]

TWO = HOURS.replace("[Ana, Bob]", "[Ana]")
TIMED = "{check: duration, max_seconds: 600}"


def digest(project: Project, *arguments: str) -> str:
    return project.planner("plan", "--format", "json", *arguments).json["digest"]


def agreed(project: Project, digest: str, *arguments: str) -> Any:
    return project.planner("ci", "run", "--consent-to-charge", "--digest", digest, *arguments)


def test_a_subset_is_called_without_new_consent(project: Project, service: Served) -> None:
    """A case is dropped and another raised-then-lowered; results keep the agreed digest."""
    consented = digest(project)
    project.write("plans/hours.yaml", TWO)
    assert digest(project) != consented
    ran = agreed(project, consented)
    assert ran.code == 0, ran.err
    results = project.results()
    assert results["change_set_digest"] == results["consent"]["digest"] == consented
    assert len(service.own_runs()) == 3
    assert agreed(project, consented).code == 0, "nothing is left to call"
    assert len(service.own_runs()) == 3


@pytest.mark.parametrize(
    ("old", "new", "case"),
    [
        ("calm", "angry", "hours/saturday"),
        ("runs: 2", "runs: 3", "hours/saturday"),
        (TIMED, "{check: duration, max_seconds: 500}", "hours/cancel"),
        ("[Ana, Bob]", "[Ana, Bob, Eve]", "Eve"),
    ],
)
def test_a_call_outside_is_refused_and_named(project: Project, service: Served, old: str, new: str, case: str) -> None:
    consented = digest(project)
    project.edit("plans/hours.yaml", old, new)
    ran = agreed(project, consented)
    assert ran.code == 3
    assert service.own_runs() == []
    results = project.results()
    assert (results["outcome"], results["consent"]["given"]) == ("refused", False)
    assert case in results["problems"][0]


def test_a_set_that_is_not_stored_must_be_equal(project: Project, service: Served) -> None:
    consented = digest(project)
    for path in (project.root / ".planner/change-sets").iterdir():
        path.unlink()
    project.write("plans/hours.yaml", TWO)
    assert agreed(project, consented).code == 3
    assert service.own_runs() == []
    project.write("plans/hours.yaml", HOURS)
    assert agreed(project, consented).code == 0


def test_costs_count_under_the_agreed_digest(project: Project, service: Served) -> None:
    """A session of the agreed set stopped early. The subset that is left counts what that one spent: it has no new ceiling."""
    failing = HOURS.replace("{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    project.write("plans/hours.yaml", failing)
    consented = digest(project)
    project.limit_calls(1)
    assert agreed(project, consented, "--fail-fast").code == 1
    first = project.results()["cost"]
    made = len(service.own_runs())
    assert 0 < made < 5
    project.write("plans/hours.yaml", failing.partition("  cancel:")[0])
    agreed(project, consented)
    results = project.results()
    assert results["change_set_digest"] == consented
    cost = results["cost"]
    earlier = cost["actual_cents"] + cost["unconfirmed_cents"] - cost["this_session_cents"]
    assert earlier >= first["actual_cents"] > 0


def test_the_ceiling_of_an_earlier_part_is_named(project: Project, service: Served) -> None:
    """Nobody typed --max-cost: the first part set the ceiling of its own calls, and the second resumes that consent."""
    consented = digest(project)
    assert agreed(project, consented, "--select", "*cancel*").code == 0
    ran = agreed(project, consented)
    assert (ran.code, len(service.own_runs())) == (3, 1)
    assert "the ceiling agreed to earlier (--max-cost sets another) allows $" in ran.err
    assert agreed(project, consented, "--max-cost", "20.00").code == 0
    assert len(service.own_runs()) == 5


def test_a_newer_push_supersedes(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest that was planned for an older commit is refused, even if it would cover the calls of today."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=HOURS, planner=STORE)
    jobs.branch("topic")
    jobs.edit(plans__hours=HOURS.replace("calm", "angry"))
    old = digest(jobs.start(7, branch="topic"), "--sandbox")
    jobs.edit(plans__hours=TWO.replace("calm", "angry"))
    ran = agreed(jobs.start(7, branch="topic", event="workflow_dispatch"), old, "--sandbox", "--base", "origin/main")
    assert ran.code == 3, ran.err
    assert "the branch is now at" in project.results()["problems"][0]
    new = digest(jobs.start(7, branch="topic"), "--sandbox")
    job = jobs.start(7, branch="topic", event="workflow_dispatch")
    ran = agreed(job, new, "--sandbox", "--base", "origin/main")
    assert ran.code == 0, ran.err
    assert jobs.stored("calls/") == []
    assert jobs.stored("branches/7/sessions/")


def test_a_dispatch_for_a_pull_request_must_name_the_policy(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub does not name the base commit of the pull request, whose files are checked out."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    assert jobs.start(7, event="workflow_dispatch").planner("plan", "--sandbox").code == 2
