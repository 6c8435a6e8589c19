"""`planner ci gate` in the jobs of a pull request, with results in a git ref, which a public repository must agree to."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ci_jobs import Jobs
from fake_github import fake_github
from hours import SATURDAY
from repositories import git

from planner.commands.publication import billed_cents
from planner.results.judge_documents import JudgeCost
from planner.results.model import RunResult
from planner.results.money_documents import CostDocument
from tests.commands.conftest import Project, Served, add_faults  # pyright: ignore[reportMissingImports]

CASE = "hours/saturday@clinic"
STORE = "store: git:refs/planner/results\n"
FAILING = SATURDAY.replace("{check: call, status: completed}", "{check: duration, max_seconds: 1}")
CONSENT = ("--sandbox", "--consent-to-charge")


@pytest.fixture
def jobs(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    return jobs


def gate(project: Project, code: int, *arguments: str) -> Any:
    ran = project.planner("ci", "gate", "--sandbox", "--format", "json", *arguments)
    assert ran.code == code, ran.out + ran.err
    assert ran.json["exit_code"] == code
    return ran.json


def run(project: Project, *arguments: str) -> int:
    ran = project.planner("run", *CONSENT, *arguments)
    assert ran.code in (0, 1), ran.err
    return project.results()["stats"]["launches"]


def test_from_to_call_to_green(jobs: Jobs) -> None:
    """Open, call, push another prompt; the merge group of the same pull request needs no calls of its own."""
    assert gate(jobs.start(7), 3)["to_call"] == [CASE]
    assert run(jobs.start(7)) == 1
    assert gate(jobs.start(7), 0)["green"] == [CASE]
    assert gate(jobs.start(7, event="merge_group"), 0)["green"] == [CASE]
    assert gate(jobs.start(8), 3)["calls"] == 1
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY.replace("calm", "angry"))
    assert gate(jobs.start(7, branch="topic"), 3)["to_call"] == [CASE]


def test_a_case_whose_calls_never_count(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that have only the store call it twice; then the gate names the command that calls it."""
    add_faults(monkeypatch, {"kind": "fail_run"})
    options = ("--sandbox",)
    for launches in (1, 1, 0):
        ran = jobs.start(7).planner("run", *options, "--consent-to-charge")
        assert ran.code == 4, ran.out + ran.err
        assert jobs.project.results()["stats"]["launches"] == launches
    asked = jobs.start(7).planner("ci", "gate", *options, "--format", "json")
    assert (asked.code, asked.json["undecided"], asked.json["calls"]) == (4, [CASE], 0)
    command = asked.json["call_undecided"]
    assert "--rerun failed" in command
    assert command in jobs.project.planner("ci", "gate", *options).out
    ran = jobs.project.planner(*shlex.split(command)[1:], "--consent-to-charge")
    assert (ran.code, jobs.project.results()["stats"]["launches"]) == (4, 1)


def test_only_expectations_changed(jobs: Jobs, tmp_path: Path) -> None:
    """The gate judges stored calls itself: green or red without a call. The comment says what happened to the case."""
    run(jobs.start())
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY.replace("status: completed", "min_turns: 1"))
    assert gate(jobs.start(7, branch="topic"), 0)["green"] == [CASE]
    jobs.edit(plans__hours=FAILING)
    assert gate(jobs.start(7, branch="topic"), 1)["failed"] == [CASE]
    said = comment_of(jobs.start(7, branch="topic"), 1, tmp_path / "publication.json")
    assert "Against `main`: 1 now failing (1/1 → 0/1)." in said
    assert f"**`{CASE}`** now failing: 0/1 passed, before 1/1" in said


def test_known_failures_of_the_base_branch(jobs: Jobs) -> None:
    """Shown and not called; with another prompt the case is the pull request's."""
    jobs.edit(plans__hours=FAILING)
    run(jobs.start())
    assert gate(jobs.start(), 1)["failed"] == [CASE]
    project = jobs.start(7)
    assert gate(project, 0)["known_failing"] == [CASE]
    assert project.actions("--sandbox") == {CASE: ("reuse", "known_failing", 0)}
    assert run(project) == 0
    assert project.results()["exit_code"] == 1
    jobs.branch("topic")
    jobs.edit(plans__hours=FAILING.replace("calm", "angry"))
    assert gate(jobs.start(7, branch="topic"), 3)["to_call"] == [CASE]
    run(jobs.start(7, branch="topic"))
    assert gate(jobs.start(7, branch="topic"), 1)["failed"] == [CASE]


def test_known_failures_are_those_of_the_target_branch(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull request is into a release branch, and its case fails on the default branch. Before: that excused it. Now:
    it does not, nor the other way round."""
    jobs.edit(plans__hours=FAILING)
    run(jobs.start())
    file = tmp_path / "publication.json"
    assert f"Already failing on `main`: `{CASE}`" in comment_of(jobs.start(7), 0, file)
    into_release = jobs.start(7, into="release")
    assert gate(into_release, 1)["failed"] == [CASE]
    assert into_release.actions("--sandbox")[CASE][1] != "known_failing"
    assert "failures there still count here" in comment_of(into_release, 1, file)
    run(jobs.start_on("release"))
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert gate(jobs.start(7, into="release"), 0)["known_failing"] == [CASE]
    assert f"Already failing on `release`: `{CASE}`" in comment_of(jobs.start(7, into="release"), 0, file)
    assert gate(jobs.start(7, into="hotfix"), 1)["failed"] == [CASE]


def test_outputs(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `action.yml` passes on."""
    file = tmp_path / "out"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    project.write("plans/hours.yaml", SATURDAY)
    assert project.planner("ci", "gate").code == 3
    assert file.read_text() == "gate=pending\n"


def test_the_ceiling_covers_what_was_spent(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unfinished session, the comment's command has the ceiling of `planner plan`, which covers its calls."""
    jobs.edit(planner="policy: {max_concurrent_runs: 1}\n")
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY.replace("calm", "angry").replace("scenarios:", "defaults: {runs: 4}\nscenarios:"))
    file, project = tmp_path / "publication.json", jobs.start(7, branch="topic")
    add_faults(monkeypatch, {"kind": "no_balance", "after": 1, "times": 9})
    ran = project.planner("run", *CONSENT)
    assert ran.code == 3, ran.err
    planned = re.search(r"--max-cost ([\d.]+)", project.planner("plan", "--sandbox").out)
    assert gate(project, 3, "--publication", str(file))["calls"] == 3
    published = re.search(r"up to ([\d.]+)", json.loads(file.read_text())["comment"])
    assert planned is not None
    assert published is not None
    assert published[1] == planned[1]


def test_another_job_stores_the_change_set(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that plans may only read. What is published has the digest of its content, or is not stored."""
    jobs.branch("topic")
    head = jobs.edit(plans__hours=SATURDAY.replace("calm", "angry"))
    file = tmp_path / "publication.json"
    gate(jobs.start(7, branch="topic"), 3, "--publication", str(file))
    found = json.loads(file.read_text())
    assert (found["store"], found["is_sandbox"]) == ("git:refs/planner/results", True)
    assert (found["change_set"]["commit"], found["change_set"]["digest"]) == (head, found["digest"])
    with fake_github() as fake:
        for name, value in {"REPOSITORY": "acme/plans", "TOKEN": "writer", "API_URL": fake.url}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        publish = ("ci", "publish", str(file), "--pull-request", "7", "--commit", head)
        found["change_set"]["cases"][0]["runs"] = 50
        forged = tmp_path / "forged.json"
        forged.write_text(json.dumps(found))
        empty = tmp_path / "empty"
        git(tmp_path, "init", "-q", str(empty))
        git(empty, "remote", "add", "origin", f"file://{jobs.remote}")
        monkeypatch.chdir(empty)
        refused = jobs.project.planner("ci", "publish", str(forged), *publish[3:])
        assert (refused.code, "does not match its digest" in refused.err) == (0, True)
        assert git(jobs.remote, "for-each-ref", "refs/planner/") == ""
        assert jobs.project.planner(*publish).code == 0
        assert jobs.project.planner("ci", "publish", str(tmp_path / "none"), "--commit", head).code == 0
        assert [status["state"] for status in fake.statuses] == ["pending", "pending", "error"]
    key = found["digest"].removeprefix("sha256:")
    assert jobs.stored() == [f"branches/7/change-sets/{key}.json"]


def test_the_adopting_pull_request(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base commit has no planner.yaml: built-in limits, and the comment says so."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(other="text: 1\n")
    jobs.branch("topic")
    jobs.edit(plans__hours=SATURDAY, planner=STORE)
    file = tmp_path / "publication.json"
    gate(jobs.start(7, branch="topic"), 3, "--publication", str(file))
    found = json.loads(file.read_text())
    assert "⚠️" in found["comment"]
    assert "100 calls" in found["comment"]
    assert (found["store"], found["change_set"]) == ("", None)


def test_without_comparison_every_failure_counts(jobs: Jobs) -> None:
    jobs.edit(plans__hours=FAILING)
    run(jobs.start())
    assert gate(jobs.start(7), 0)["known_failing"] == [CASE]
    assert gate(jobs.start(7), 1, "--base", "none")["failed"] == [CASE]


PUBLIC = {"default_branch": "main", "private": False}
PRIVATE = {"default_branch": "main", "private": True}


@pytest.mark.parametrize(
    ("repository", "config", "code"),
    [
        (PUBLIC, STORE, 2),
        (PUBLIC, f"{STORE}store_public: false\n", 2),
        (PUBLIC, f"{STORE}store_public: true\n", 0),
        (PRIVATE, STORE, 0),
        ({"default_branch": "main"}, STORE, 0),
        (PUBLIC, "store: .planner\n", 0),
    ],
)
def test_results_of_a_public_repository_need_its_agreement(
    jobs: Jobs, repository: dict[str, Any], config: str, code: int
) -> None:
    jobs.edit(planner=config)
    ran = jobs.start(7, repository=repository).planner("plan")
    assert ran.code == code, ran.err
    assert ("store_public" in ran.err) == (code == 2)


def test_a_pull_request_cannot_agree_to_publish(jobs: Jobs) -> None:
    """The base branch decides."""
    jobs.branch("topic")
    jobs.edit(planner=f"{STORE}store_public: true\n")
    assert jobs.start(7, branch="topic", repository=PUBLIC).planner("plan").code == 2


TWO = SATURDAY.replace("expect:", "expect: &same").replace("    prompt", "    runs: 2\n    prompt") + (
    "  back:\n    runs: 2\n    prompt: You are Bob, calm. Ask to be called back.\n    expect: *same\n"
)


def comment_of(project: Project, code: int, file: Path) -> str:
    gate(project, code, "--publication", str(file))
    found = json.loads(file.read_text())
    assert found["worth_saying"]
    return found["comment"]


def test_the_cost_in_the_comment_is_that_of_the_digest(
    project: Project, service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two dispatches of one digest, then two that find nothing to call: the bill of all, and no result was ignored."""
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs, file = Jobs(tmp_path, project, monkeypatch), tmp_path / "publication.json"
    jobs.begin(plans__hours=SATURDAY, planner=STORE)
    jobs.branch("topic")
    jobs.edit(plans__hours=TWO)

    def job(*arguments: str) -> Any:
        options = ("--base", "origin/main")
        return jobs.start(7, branch="topic", event="workflow_dispatch").planner("ci", *arguments, *options)

    def bill(code: int, *arguments: str) -> str:
        ran = job("run", "--consent-to-charge", "--digest", digest, *arguments)
        assert ran.code == code, ran.out + ran.err
        return f"${project.results()['cost']['actual_cents'] / 100:.2f}"

    def comment() -> str:
        job("gate", "--publication", str(file))
        return json.loads(file.read_text())["comment"]

    digest = jobs.start(7, branch="topic").planner("plan", "--format", "json").json["digest"]
    first = bill(3, "--max-cost", "0.64", "--select", "*back*")
    assert f"{first}, agreed by `maria` up to $0.64" in comment()
    whole = bill(0, "--max-cost", "2.00")
    assert (first, whole) == ("$0.16", "$0.64")
    said = [comment()]
    for start_over in ([], ["--start-over", "the lookup tool was fixed"]):
        assert bill(0, "--max-cost", "1.00", *start_over) == "$0.00"
        said.append(comment())
    assert all(f"{whole}, agreed by `maria` up to $2.00" in each for each in said)
    assert not any("ignored" in each for each in said)


def test_the_cost_of_the_last_calls_includes_judge_calls() -> None:
    """Of all sessions of one change set, bills that came later included."""

    def session(own: int, all_calls: int, judge: tuple[int, int] | None = None) -> RunResult:
        cost = CostDocument(
            estimated_cents=None, actual_cents=all_calls, this_session_cents=own, unconfirmed_cents=0,
            judge=judge and JudgeCost(model="m", votes=1, this_session_cents=judge[0], actual_cents=judge[1]),
        )  # fmt: skip
        return RunResult.model_construct(cost=cost)

    assert billed_cents([session(64, 64)]) == 64
    assert billed_cents([session(64, 64, (20, 20)), session(0, 80, (5, 25))]) == 105
    assert billed_cents([session(64, 64, (20, 20)), session(16, 16)]) == 100
