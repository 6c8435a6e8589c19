"""What `planner ci promote` makes a baseline was read from the service, whatever a pull request stored.

The store is a git ref, to which everybody with write access can push; each "job" is a fresh clone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ci_jobs import Jobs
from fake_github import fake_github
from hours import SATURDAY
from repositories import commit, git

from planner.changes.configuration import configuration_digest
from planner.results.repository import evidence_key
from planner.stores.git_ref import path_of
from tests.commands.test_gate import CASE, STORE  # pyright: ignore[reportMissingImports]
from tests.commands.test_promote import (  # pyright: ignore[reportMissingImports]
    REF,
    asks,
    call,
    gate,
    jobs,
    kept,
    promote,
    run,
    served,
    stored,
)
from tests.judge.conftest import Model, Reply, completion, honest, model  # pyright: ignore[reportMissingImports]
from tests.support.stored_files import Document, edit_facts, edit_parts

__all__ = ["jobs", "kept", "model", "served"]

FAILING = SATURDAY.replace("{check: call, status: completed}", "{check: duration, max_seconds: 1}")
OUT_OF_REACH = "http://127.0.0.1:9"
"""Nobody listens there."""


def plan_with(word: str, plan: str = FAILING) -> str:
    """Calls that no other test of the file makes."""
    return plan.replace("calm", word)


def called_by_9(jobs: Jobs, plan: str) -> None:
    jobs.branch("topic9", "main")
    jobs.edit(plans__hours=plan)
    assert call(jobs, 9) == 1


def rewrite(jobs: Jobs, change: Callable[[Path], None], folder: str = "branches/9") -> None:
    """Rewrite what a pull request stored, as anyone can who may push the ref."""
    work = jobs.folder / "forger"
    git(jobs.folder, "init", "-q", str(work))
    git(work, "fetch", "-q", f"file://{jobs.remote}", REF)
    git(work, "checkout", "-q", "FETCH_HEAD")
    change(work / folder)
    commit(work)
    git(work, "push", "-q", f"file://{jobs.remote}", f"HEAD:{REF}")


def merge(jobs: Jobs, plan: str) -> None:
    jobs.branch("main")
    jobs.edit(plans__hours=plan)


def facts(jobs: Jobs, kind: str, folder: str = "") -> list[Any]:
    names = stored(jobs, f"{folder}calls/")
    lines = [line for name in names for line in git(jobs.remote, "cat-file", "blob", f"{REF}:{name}").splitlines()]
    return [fact for fact in map(json.loads, lines) if fact["kind"] == kind]


def calls_of(jobs: Jobs, word: str) -> list[Any]:
    """The calls of the default branch whose session saw a prompt with this word."""
    heads = [jobs.read(key, REF) for key in stored(jobs, "sessions/")]
    wanted = {case["call_fingerprint"] for head in heads for case in head["cases"] if word in case["inputs"]["prompt"]}
    folders = [f"calls/{each.removeprefix('sha256:')}/" for each in wanted]
    names = [name for folder in folders for name in stored(jobs, folder)]
    lines = [line for name in names for line in git(jobs.remote, "cat-file", "blob", f"{REF}:{name}").splitlines()]
    return [fact for fact in map(json.loads, lines) if fact["kind"] == "call"]


def passing(fact: Document) -> None:
    if fact["kind"] == "verdict":
        fact["verdict"] = {"outcome": "passed", "findings": []}
        fact["outcome"] = "passed"


def forged_verdict(folder: Path) -> None:
    edit_facts(folder, passing)
    for path in (folder / "sessions").glob("*.json"):
        head = json.loads(path.read_text()) | {"workflow": "acme/plans/.github/workflows/plans.yml@refs/heads/main"}
        path.write_text(json.dumps(head))


def short_evidence(folder: Path) -> str:
    """Add evidence of a call that took a second; return its digest."""
    (path,) = (folder / "evidence").rglob("*.json")
    document = json.loads(path.read_text())
    document["call"]["duration_seconds"] = 1.0
    document["call"]["document"]["duration_seconds"] = 1.0
    data = json.dumps(document).encode()
    digest = sha256(data).hexdigest()
    forged = folder / path_of(evidence_key(digest))
    forged.parent.mkdir(parents=True, exist_ok=True)
    forged.write_bytes(data)
    return digest


def forged_evidence(folder: Path) -> None:
    digest = short_evidence(folder)

    def change(fact: Document) -> None:
        passing(fact)
        if fact["kind"] == "verdict":
            fact["evidence"] = digest
        else:
            fact["data"] |= {"evidence": digest, "duration_seconds": 1.0, "cost_cents": 0}

    edit_facts(folder, change)


def forged_correction(folder: Path) -> None:
    digest = short_evidence(folder)

    def change(facts: list[Document]) -> None:
        (made,) = [fact for fact in facts if fact["kind"] == "call"]
        known = {name: made[name] for name in ("run_id", "session_id")}
        data = made["data"] | {"evidence": digest, "duration_seconds": 1.0}
        facts.append({"kind": "correction", **known, "at": made["data"]["completed_at"], "data": data})

    edit_parts(folder, change)


def forged_exclusion(folder: Path) -> None:
    def change(fact: Document) -> None:
        if fact["kind"] == "call":
            fact["excluded"] = "agent_edited"

    edit_facts(folder, change)


@pytest.mark.parametrize(
    "forge", [forged_verdict, forged_evidence, forged_correction, forged_exclusion], ids=lambda each: each.__name__
)
def test_a_failing_call_stays_one(jobs: Jobs, forge: Callable[[Path], None]) -> None:
    """A pull request's call fails, and somebody rewrites its verdict, evidence, correction or exclusion under `branches/9/`.

    Before: forged evidence made the case pass on the default branch. Now: the call is read from the service again, and fails.
    """
    plan = plan_with(forge.__name__)
    called_by_9(jobs, plan)
    rewrite(jobs, forge)
    merge(jobs, plan)
    assert "1 case promoted" in promote(jobs.start(), 9)
    (made,) = calls_of(jobs, forge.__name__)
    assert (made["excluded"], made["data"]["duration_seconds"] > 1, made["data"]["cost_cents"] > 0) == (
        None,
        True,
        True,
    )
    assert gate(jobs.start(), 1)["failed"] == [CASE]


def test_a_passing_call_of_another_case(jobs: Jobs) -> None:
    """Somebody files a passing call under the case of a pull request that never called.

    Before: the file decided which call it is. Now: the service's prompt and target of the run decide, and it is not promoted.
    """
    plan = plan_with("hasty", SATURDAY)
    called_by_9(jobs, plan)
    (angry,) = facts(jobs, "call", "branches/7/")

    def change(folder: Path) -> None:
        def other(fact: Document) -> None:
            fact["run_id"] = angry["run_id"]

        edit_facts(folder, other)

    rewrite(jobs, change)
    merge(jobs, plan)
    said = promote(jobs.start(), 9)
    assert "0 cases promoted · 1 call not promoted: another prompt or target" in said
    assert stored(jobs, "branches/9/") == []
    assert gate(jobs.start(), 3)["to_call"] == [CASE]


def test_a_call_that_was_never_made(jobs: Jobs) -> None:
    """Somebody stores a passing call with the id of no run.

    Before: it became the baseline. Now: the service does not list it, so it is removed and the case is called.
    """
    plan = plan_with("eager", SATURDAY)
    called_by_9(jobs, plan)

    def change(folder: Path) -> None:
        def other(fact: Document) -> None:
            fact["run_id"] = 7_000_001

        edit_facts(folder, other)

    rewrite(jobs, change)
    merge(jobs, plan)
    assert "1 call not promoted: not listed by the service" in promote(jobs.start(), 9)
    assert gate(jobs.start(), 3)["to_call"] == [CASE]


def test_hidden_failing_calls(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody deletes the failing session of a pull request, and all that names it, before the merge.

    Before: only the passing calls became the baseline. Now: the list of the service has the failing call, and it counts.
    """
    plan = plan_with("rude", FAILING.replace("scenarios:", "defaults: {min_pass_rate: 0.5}\nscenarios:"))
    called_by_9(jobs, plan)
    before, again = set(stored(jobs, "branches/9/")), ("--rerun", "failed")
    digest = json.loads(json.dumps(jobs.start(9, branch="topic9").planner("plan", *again, "--format", "json").json))[
        "digest"
    ]
    project = jobs.start(9, branch="topic9", event="workflow_dispatch")
    words = (*again, "--consent-to-charge", "--base", "origin/main", "--digest", digest)
    assert project.planner("ci", "run", *words).code == 1

    def change(folder: Path) -> None:
        for key in before:
            (folder / key.removeprefix("branches/9/")).unlink(missing_ok=True)

        def alone(fact: Document) -> None:
            if fact["kind"] == "call":
                fact["counted_with"] = []

        edit_facts(folder, alone)

    rewrite(jobs, change)
    left = facts(jobs, "call", "branches/9/")
    assert [fact["reason"] for fact in left] == ["retry"]
    merge(jobs, plan)
    with fake_github() as fake:
        opened = {"created_at": "2020-01-01T00:00:00Z", "base": {"ref": "main"}}
        fake.pulls = {9: {"state": "closed", "merged_at": "2026-11-25T09:00:00Z", **opened}}
        project = jobs.start()
        asks(monkeypatch, fake)
        promote(project)
    assert [fact["reason"] for fact in calls_of(jobs, "rude")] == ["retry", "retry"]


@pytest.mark.parametrize(("key", "code"), [("", 2), ("sk_test_commands", 4)])
def test_not_verified_yet(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, key: str, code: int) -> None:
    """Without a key, or with a service that is away, nothing becomes a baseline; nothing is called again either."""
    plan = plan_with(f"late{code}", SATURDAY)
    called_by_9(jobs, plan)
    merge(jobs, plan)
    before = stored(jobs, "calls/")
    with monkeypatch.context() as away:
        project = jobs.start()
        away.setenv("THUNDERPHONE_API_KEY", key)
        away.setenv("THUNDERPHONE_API_BASE_URL", OUT_OF_REACH)
        assert "#9: not verified, so it is not a baseline yet" in promote(project, 9, code=code)
    assert stored(jobs, "calls/") == before
    assert stored(jobs, "merged/") == ["merged/9.json"]
    assert run(jobs.start()) == 0
    assert gate(jobs.start(10), 0)["green"] == [CASE]
    assert len(facts(jobs, "call")) == len(before)
    assert "1 case promoted" in promote(jobs.start(), 9)
    assert stored(jobs, "merged/") == stored(jobs, "branches/9/") == []
    assert gate(jobs.start(), 0)["green"] == [CASE]


def test_answers_of_a_judge(jobs: Jobs, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of the same evidence, so nobody pays for them again."""
    plan = plan_with(
        "polite", SATURDAY.replace("{check: call, status: completed}", "{check: judge, rubric: The agent helps.}")
    )
    judge = f"judge: {{base_url: {json.dumps(model.url)}, model: scripted-1, cents_per_vote: 2}}\n"
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    model.script = lambda asked: Reply(completion(honest(asked), model="scripted-1-2026-08-01"))
    jobs.branch("topic9", "main")
    jobs.edit(planner=STORE + judge, plans__hours=plan)
    jobs.branch("main")
    jobs.edit(planner=STORE + judge)
    assert call(jobs, 9) == 1
    assert model.asked
    jobs.edit(plans__hours=plan)
    asked = len(model.asked)
    assert "1 case promoted" in promote(jobs.start(), 9)
    monkeypatch.delenv("PLANNER_JUDGE_API_KEY")
    assert gate(jobs.start(), 0)["green"] == [CASE]
    assert stored(jobs, "branches/9/") == []
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    assert run(jobs.start(), "--rerun", "needed") == 0
    assert len(model.asked) == asked


def test_an_erased_call(jobs: Jobs) -> None:
    """Its words are not stored again; who says that a failing call was erased does not get rid of it."""
    plan = plan_with("quiet")
    called_by_9(jobs, plan)

    def change(folder: Path) -> None:
        def as_erased(fact: Document) -> None:
            passing(fact)
            if fact["kind"] == "call":
                fact["erased"] = True
                fact["data"]["evidence"] = None

        edit_facts(folder, as_erased)

    rewrite(jobs, change)
    before = stored(jobs, "evidence/")
    merge(jobs, plan)
    assert "1 case promoted" in promote(jobs.start(), 9)
    (made,) = calls_of(jobs, "quiet")
    assert (made["erased"], made["data"]["evidence"], stored(jobs, "evidence/")) == (True, None, before)
    assert gate(jobs.start(), 1)["failed"] == [CASE]


def pull(number: int, head: str, base: str, **more: Any) -> dict[str, Any]:
    repo = {"id": 1}
    return {
        "number": number,
        "state": "open",
        "head": {"ref": head, "repo": repo},
        "base": {"ref": base, "repo": repo},
        **more,
    }


# Agents as files: calls reach a copy of the agent, which is deleted afterwards

AGENT = "prompt: You answer the phone of Larkfield Clinic, {word}.\n"
FILED = SATURDAY.replace("clinic: {agent: 12}", "clinic: {agent: 12, config: ../agents/desk.yaml}")


@pytest.fixture
def filed(tmp_path: Path, project: Any, serve: Callable[..., Any], monkeypatch: Any) -> Jobs:
    """Pull request 9 called its agent's file on a preview."""
    served = serve()
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", served.url)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(planner="store: git:refs/planner/results\n", plans__hours=FILED, agents__desk=AGENT.format(word="first"))
    jobs.branch("topic9", "main")
    jobs.edit(agents__desk=AGENT.format(word="second"))
    assert call(jobs, 9) == 1
    return jobs


def test_calls_of_a_preview(filed: Jobs) -> None:
    """The snapshot of the call shows what was called, or else the session that made the preview."""
    filed.branch("main")
    filed.edit(agents__desk=AGENT.format(word="second"))
    assert "1 case promoted" in promote(filed.start(), 9)
    assert gate(filed.start(10), 0)["green"] == [CASE]


def test_calls_of_another_configuration(filed: Jobs) -> None:
    """The pull request called a lenient agent. Somebody rewrites its calls as if they had reached the agent that is merged.

    Before: the file decided which agent it was. Now: the snapshot of the call decides, or else the report of the session that made the
    preview.
    """
    (made,) = facts(filed, "call", "branches/9/")
    digest = made["configuration"].removeprefix("sha256:")
    configuration = filed.read(f"branches/9/configurations/{digest}.json", REF)
    other = configuration | {"prompt": configuration["prompt"].replace("second", "third")}
    forged = configuration_digest(other)

    def change(folder: Path) -> None:
        (folder / f"configurations/{forged.removeprefix('sha256:')}.json").write_text(json.dumps(other))

        def as_other(fact: Document) -> None:
            if fact["kind"] == "call":
                fact["configuration"] = forged

        edit_facts(folder, as_other)

    rewrite(filed, change)
    filed.branch("main")
    filed.edit(agents__desk=AGENT.format(word="third"))
    assert "1 call not promoted" in promote(filed.start(), 9)
    assert facts(filed, "call") == []
