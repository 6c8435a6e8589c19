"""What `planner ci gate` publishes in each state of a pull request, and what it leaves to the base branch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ci_jobs import Jobs
from hours import SATURDAY
from repositories import git

from tests.commands.conftest import Project, Served, add_faults  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import (  # pyright: ignore[reportMissingImports]
    CASE,
    STORE,
    gate,
    run,
)

OTHER = SATURDAY.replace("plan: hours", "plan: other")


@pytest.fixture
def jobs(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    return jobs


_ENDED = {
    "refused": (["--max-cost", "0.01"], (), "✋ **Refused, so nothing was called:** ", "refused"),
    "402": ([], ({"kind": "no_balance", "times": 9},), "✋ **The calls ended early:** no balance", "ended early"),
    "429": (
        [],
        ({"kind": "throttle", "times": 99, "retry_after_seconds": 9000},),
        "✋ **The calls ended early:** the service asks to wait 2 h",
        "ended early",
    ),
}


@pytest.mark.parametrize("how", _ENDED)
def test_why_calls_are_missing(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """The session of this job was refused or ended early: comment, status and reply say why."""
    options, faults, said, status = _ENDED[how]
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY.replace("calm", "angry"))
    file, project = tmp_path / "publication.json", jobs.start(7, branch="topic", event="workflow_dispatch")
    add_faults(monkeypatch, *faults)
    reports, shared = tmp_path / "reports", ("--sandbox", "--base", "origin/main")
    ran = project.planner("ci", "run", *shared, "--consent-to-charge", *options, "--report-dir", str(reports))
    assert ran.code in (3, 4), ran.err
    gate(project, 3, *shared[1:], "--results", str(reports / "results.json"), "--publication", str(file))
    found = json.loads(file.read_text())
    assert said in found["comment"]
    assert f"1 call to make · {status}: " in found["description"]
    assert found["reply"].startswith("@")
    assert "/planner run" in found["comment"]


@pytest.mark.parametrize("paths", [(), ("--", "plans/")], ids=["default", "as in the workflows"])
def test_a_pull_request_without_plans(jobs: Jobs, tmp_path: Path, paths: tuple[str, ...]) -> None:
    """It deletes the last one, a library is left: green, and the comment says so. One whose branch is older than the
    plans waits; without the commit where it branched off, nobody knows which of both it is."""
    file = tmp_path / "publication.json"

    def published(job: Project, code: int) -> tuple[str, str, bool]:
        assert job.planner("ci", "gate", "--sandbox", "--publication", str(file), *paths).code == code
        found = json.loads(file.read_text())
        return found["state"], found["comment"].partition("\n")[0], found["worth_saying"]

    run(jobs.start())
    jobs.branch("topic")
    (jobs.work / "plans/hours.yaml").unlink()
    jobs.edit(plans__shared="version: 1\nkind: library\nvars: {city: Berlin}\n")
    deleted = published(jobs.start(7, branch="topic"), 0)
    said = "### ⚠️ This pull request deletes the last plan: nothing is tested from now on · ⚠ 1 case removed"
    assert deleted == ("success", said, True)
    jobs.branch("older", git(jobs.work, "rev-list", "--max-parents=0", "main"))
    jobs.edit(notes="x: 1\n")
    state, headline, _ = published(jobs.start(8, branch="older"), 4)
    assert (state, "this branch is older than" in headline.lower()) == ("pending", True)
    job = jobs.start(7, branch="topic")
    git(job.root, "checkout", "-q", "--orphan", "unrelated")
    git(job.root, "commit", "-q", "-m", "no parent")
    state, headline, _ = published(job, 2)
    assert (state, "where it branched off" in headline) == ("error", True)


@pytest.mark.parametrize(
    ("has", "adds", "place"),
    [
        ("planner", "plans__planner", "plans/planner.yaml:1: "),
        ("other", "plans__planner", "plans/planner.yaml:1: "),
        ("planner", "planer", "planer.yaml:1: "),
        ("plans__planner", "plans__more", ""),
    ],
    ids=["beside the plans", "and none above", "of nearly the right name", "the base has it already"],
)
def test_a_misplaced_project_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: str, adds: str, place: str
) -> None:
    """The default branch would be invalid after the merge, so the check is red before it."""
    jobs, file = Jobs(tmp_path, project, monkeypatch), tmp_path / "publication.json"
    policy = "policy: {max_calls: 5}\n"
    jobs.begin(plans__hours=SATURDAY, **{has: policy})
    jobs.branch("topic")
    jobs.edit(**{adds: policy if place else OTHER})
    ran = jobs.start(7, branch="topic").planner("ci", "gate", "--sandbox", "--publication", str(file))
    assert (ran.code, "[project-misplaced]" in ran.err) == ((2, True) if place else (3, False)), ran.err
    found = json.loads(file.read_text())
    assert (found["state"], found["description"].startswith(place)) == ("failure" if place else "pending", True)


@pytest.mark.parametrize(
    ("spoil", "arguments", "code", "state", "said"),
    [
        ("", ["--base", "nowhere"], 2, "error", "this clone has no commit"),
        ("remote", [], 4, "pending", "results cannot be read"),
    ],
    ids=["no base commit", "no store"],
)
def test_what_cannot_be_read_is_said(
    jobs: Jobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: str,
    arguments: list[str],
    code: int,
    state: str,
    said: str,
) -> None:
    """No older answer stands, and the comment leads to the job."""
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY.replace("calm", "angry"))
    file = tmp_path / "publication.json"
    project = jobs.start(7, branch="topic", event="workflow_dispatch")
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "maria")
    arguments = arguments or ["--base", "origin/main"]
    if spoil:
        git(project.root, "remote", "set-url", "origin", "http://127.0.0.1:9/nowhere")
    assert project.planner("ci", "gate", "--sandbox", *arguments, "--publication", str(file)).code == code
    found = json.loads(file.read_text())
    assert (found["state"], found["digest"], said in found["description"]) == (state, "", True)
    assert found["comment"].startswith("### ⏳" if code == 4 else "### ❌")
    assert found["reply"].startswith("@maria ❌ "), "whoever started the calls is told"


@pytest.mark.parametrize(
    ("touched", "code", "to_call", "left"),
    [
        (OTHER, 0, [], [CASE, "other/saturday@clinic"]),
        (OTHER.replace("calm", "angry"), 3, ["other/saturday@clinic"], [CASE]),
        (OTHER.replace("expect:", "runs: 2\n    expect:"), 3, ["other/saturday@clinic"], [CASE]),
        (
            OTHER.replace("check: call, status: completed", "check: duration, max_seconds: 60"),
            3,
            ["other/saturday@clinic"],
            [CASE],
        ),
    ],
    ids=["nothing", "prompt", "runs", "expectations"],
)
def test_a_pull_request_waits_only_for_calls_that_it_causes(
    project: Project,
    service: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    touched: str,
    code: int,
    to_call: list[str],
    left: list[str],
) -> None:
    """One plan's agent was edited at the service, another plan was merged without calls. The plan of calls leaves out both, unless
    the pull request touches them."""
    jobs, file = Jobs(tmp_path, project, monkeypatch), tmp_path / "publication.json"
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    assert jobs.start().planner("run", "--consent-to-charge").code == 0
    jobs.edit(plans__other=OTHER)
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    jobs.branch("topic")
    jobs.edit(plans__other=touched, notes="a: 1")
    ran = jobs.start(7, branch="topic").planner("ci", "gate", "--format", "json", "--publication", str(file))
    assert (ran.code, ran.json["to_call"], ran.json["left_to_base"]) == (code, to_call, left)
    planned = jobs.start(7, branch="topic").planner("plan", "--format", "json").json
    assert [each["case_id"] for each in planned["changes"] if each["action"] == "call"] == to_call
    assert "To call on `main`, not here" in json.loads(file.read_text())["comment"]
