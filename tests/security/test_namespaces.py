"""Results that jobs of a pull request store never become the baseline of the default branch.

The store is a git ref of a repository on this machine; each "job" is a fresh clone with the environment of its CI event.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ci_jobs import REF, Jobs
from hours import SATURDAY
from repositories import commit, git
from store_writes import put

from planner.ci.event import target_namespace
from planner.stores.directory import DirectoryStore
from planner.stores.store import BranchStore
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.support.stored_files import Document, edit_facts

CASE = "hours/saturday@clinic"
RETURNS = """\
version: 1
plan: hours
targets:
  orders: {agent: 14}
defaults: {runs: 4}
scenarios:
  returns:
    prompt: You are Ana, calm. Ask how many days you have to return order 20417.
    expect: [{check: says, any_of: [30 days]}]
"""
"""In the world `regressed`, the agent says 14 days."""
SAYS = "{check: says, who: any, any_of: [Saturday]}"


@pytest.fixture
def jobs(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=SATURDAY, planner="store: git:refs/planner/results\n")
    return jobs


def pull_request(jobs: Jobs, number: int = 7) -> Project:
    return jobs.start(number, event="pull_request")


def run(project: Project) -> int:
    ran = project.planner("run", "--sandbox", "--consent-to-charge")
    assert ran.code in (0, 1), ran.err
    return project.results()["stats"]["launches"]


def rewrite(jobs: Jobs, folder: str, fact: Callable[[Document], None]) -> None:
    """Rewrite stored facts, as anyone can who may push the ref."""
    work = jobs.folder / "attack"
    git(jobs.folder, "clone", "-q", f"file://{jobs.remote}", str(work))
    git(work, "fetch", "-q", "origin", f"{REF}:{REF}", "--force")
    git(work, "checkout", "-q", "--detach", REF)
    edit_facts(work / folder, fact)
    commit(work)
    git(work, "push", "-q", "--force", "origin", f"HEAD:{REF}")


def facts(jobs: Jobs, folder: str, kind: str) -> list[Any]:
    """The stored facts of a kind."""
    names = jobs.stored(f"{folder}calls/")
    lines = [line for name in names for line in git(jobs.remote, "cat-file", "blob", f"{REF}:{name}").splitlines()]
    return [fact for fact in map(json.loads, lines) if fact["kind"] == kind]


def passing(fact: Document) -> None:
    if fact["kind"] == "verdict":
        fact["verdict"] = {"outcome": "passed", "findings": []}
        fact["outcome"] = "passed"


def test_a_pull_request_writes_its_own_namespace_only(jobs: Jobs) -> None:
    """A job of a pull request runs a case that is new to the store.

    Its jobs write only to `branches/7/`, and the default branch still has no stored calls.
    """
    assert run(pull_request(jobs)) == 1
    assert [name for name in jobs.stored() if not name.startswith("branches/7/")] == []
    assert len(jobs.stored("branches/7/calls/")) == 1
    assert jobs.start().actions("--sandbox") == {CASE: ("call", "new", 1)}
    assert pull_request(jobs, 8).actions("--sandbox") == {CASE: ("call", "new", 1)}
    assert pull_request(jobs).actions("--sandbox") == {CASE: ("reuse", "passed", 0)}


def test_forged_results_in_the_own_namespace(jobs: Jobs) -> None:
    """A job of the pull request writes `passed` for a case whose calls failed, under `branches/7/`.

    Before: there was one namespace for all, so the case was reused as passed. Now: the outcome is evaluated again from its evidence.
    """
    project = pull_request(jobs)
    project.edit("plans/hours.yaml", "{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    assert run(project) == 1
    (verdict,) = facts(jobs, "branches/7/", "verdict")
    assert verdict["verdict"]["outcome"] == "failed"
    rewrite(jobs, "branches/7", passing)
    project = pull_request(jobs)
    project.edit("plans/hours.yaml", "{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    assert project.actions("--sandbox")[CASE][:2] != ("recheck", "called_before")
    assert project.planner("run", "--offline", "--sandbox").code == 1


def test_evidence_that_the_store_redacts(jobs: Jobs) -> None:
    """The shared store redacts the text that the check needs. The stored outcome of the default branch is used. The outcome of the pull
    request cannot be evaluated on another machine, so it is undecided there."""
    jobs.edit(
        planner="store: git:refs/planner/results\nredact: [Saturday]\n",
        plans__hours=SATURDAY.replace("{check: call, status: completed}", SAYS),
    )
    assert run(pull_request(jobs)) == 1
    assert [fact["verdict"]["outcome"] for fact in facts(jobs, "branches/7/", "verdict")] == ["passed"]
    project = pull_request(jobs)
    assert project.actions("--sandbox") == {CASE: ("recheck", "unread", 0)}
    assert project.planner("run", "--offline", "--sandbox").code == 4
    assert run(jobs.start()) == 1
    assert jobs.start().actions("--sandbox") == {CASE: ("reuse", "passed", 0)}


def test_a_regression_stays_one_on_the_second_run(jobs: Jobs) -> None:
    """A pull request causes a regression. The author runs its job again, so that planner compares its results with themselves.

    Before: the second run reported `same`. Now: every run of the pull request is compared with the default branch.
    """
    project = jobs.start()
    project.write("plans/hours.yaml", RETURNS)
    assert run(project) == 1
    for _ in range(2):
        project = pull_request(jobs)
        project.write("plans/hours.yaml", RETURNS)
        assert project.planner("run", "--sandbox", "--world", "regressed", "--consent-to-charge").code == 1
        (case,) = project.results()["cases"]
        assert (case["outcome"], case["compared"]) == ("failed", "regressed")


def test_a_local_copy_with_another_verdict(jobs: Jobs) -> None:
    """A restored cache contains an edited copy of the shared facts: the shared ones count, and nothing of it is shared."""
    project = jobs.start()
    project.edit("plans/hours.yaml", "{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    assert run(project) == 1
    stored_action, first = project.actions("--sandbox"), project.root
    attacked = jobs.start()
    attacked.edit("plans/hours.yaml", "{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    git(attacked.root, "config", "core.excludesFile", "/dev/null")
    folder = next((first / ".planner/shared").glob("*"))
    copy = attacked.root / ".planner/shared" / folder.name / "sandbox"
    for name in ("calls", "sessions"):
        shutil.copytree(folder / "sandbox" / name, copy / name)
    edit_facts(copy, passing)
    for path in [path.relative_to(copy) for path in copy.rglob("*.json*")]:
        (copy / "unshared-files" / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / "unshared-files" / path).touch()
    assert attacked.actions("--sandbox") == stored_action
    assert attacked.planner("run", "--sandbox", "--consent-to-charge").code == 1
    assert {fact["verdict"]["outcome"] for fact in facts(jobs, "", "verdict")} == {"failed"}


@pytest.mark.parametrize(
    ("event", "payload", "named", "namespace"),
    [
        ("", {}, "", ""),
        ("", {}, "42", "branches/heads%2F42/"),
        ("pull_request", {"pull_request": {"base": {"ref": "main"}}}, "", ""),
        ("pull_request", {"pull_request": {"base": {"ref": "release/1"}}}, "", "branches/heads%2Frelease%2F1/"),
        ("pull_request", {"pull_request": {"base": {"ref": "release/1"}}}, "main", "branches/heads%2Frelease%2F1/"),
        ("merge_group", {"merge_group": {"base_ref": "refs/heads/main"}}, "", ""),
        ("merge_group", {"merge_group": {"base_ref": "refs/heads/next"}}, "", "branches/heads%2Fnext/"),
        ("workflow_dispatch", {"inputs": {"pull-request": "42"}}, "", None),
        ("workflow_dispatch", {"inputs": {"pull-request": "42"}}, "main", ""),
        ("workflow_dispatch", {"inputs": {"pull-request": "42"}}, "next", "branches/heads%2Fnext/"),
        ("push", {}, "", None),
        ("pull_request", {"pull_request": {"base": {"ref": "main"}}, "repository": None}, "", None),
    ],
)
def test_the_branch_that_a_pull_request_targets(
    tmp_path: Path, event: str, payload: dict[str, Any], named: str, namespace: str | None
) -> None:
    """Only what it already fails is known."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"repository": {"default_branch": "main"}} | payload))
    environ = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file), "PLANNER_BASE_BRANCH": named}
    assert target_namespace(environ) == namespace


def test_the_store_of_a_branch(tmp_path: Path) -> None:
    """Reads its own documents and those of the default branch. Writes only its own."""
    folder = DirectoryStore(tmp_path)
    for key in ("runs/1.json", "latest/e/p.json", "branches/8/runs/3.json", "evidence/a.json"):
        put(folder, key, b"base", expected=None)
    branch = BranchStore(folder, "branches/7/")
    assert put(branch, "runs/2.json", b"own", expected=None)
    assert not put(branch, "runs/2.json", b"own", expected=None)
    branch.update(
        lambda now: {"latest/e/p.json": b"own" if now.get("latest/e/p.json") == b"base" else b"", "runs/1.json": None}
    )
    assert list(branch.keys("")) == ["evidence/a.json", "latest/e/p.json", "runs/1.json", "runs/2.json"]
    read = branch.get("latest/e/p.json"), branch.get("evidence/a.json"), branch.has("runs/3.json")
    assert read == (b"own", b"base", False)
    assert (folder.get("latest/e/p.json"), folder.get("runs/1.json")) == (b"base", b"base")
