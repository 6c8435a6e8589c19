"""Attacks on the policy: a pull request edits planner.yaml, or the files and servers that it names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import commit, git, github_event, pull_request, touch_plans

from planner.ci.event import namespace_of
from tests.commands.conftest import HOURS, Project, Served  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Model  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
BASE = "policy: {max_calls: 4}\n"
"""The plans make 5 calls."""
RAISED = "policy: {max_calls: 400}\n"


def base_limit_applies(project: Project, *arguments: str, base: str = "") -> bool:
    """True if the base commit's limit applies to calls that the pull request causes. `base` is typed as `--base`."""
    touch_plans(project.root)
    if base:
        file = project.root.parent / "publication.json"
        ran = project.planner("ci", "gate", "--base", base, "--publication", str(file))
        return ran.code == 3 and "allows 4 per session" in file.read_text()
    ran = project.planner(*(arguments or ("plan",)))
    return ran.code == 3 and "policy.max_calls allows 4" in " ".join((ran.out + ran.err).split())


def is_refused(project: Project, code: str) -> bool:
    """True if no call is planned, because of this error."""
    ran = project.planner("plan")
    return (ran.code, ran.out) == (2, "") and f"[{code}]" in ran.err


def move(project: Project, old: str, new: str | None) -> None:
    """Move a file, or delete it."""
    source = project.root / old
    if new is not None:
        project.write(new, source.read_text())
    source.unlink()


@pytest.fixture
def repository(project: Project) -> Project:
    """A base branch whose policy allows 4 calls. Later changes belong to the pull request."""
    project.write("planner.yaml", BASE)
    git(project.root, "init", "-q", "-b", "main")
    return project


def _github(event: str) -> Callable[[pytest.MonkeyPatch, Path, str], None]:
    return lambda monkeypatch, outside, base: pull_request(monkeypatch, outside, base, event)


def _merge_group(monkeypatch: pytest.MonkeyPatch, outside: Path, base: str) -> None:
    github_event(monkeypatch, outside, {"merge_group": {"base_sha": base}}, "merge_group")


CI = {
    "pull_request": _github("pull_request"),
    "pull_request_target": _github("pull_request_target"),
    "merge_group": _merge_group,
}


@pytest.mark.parametrize("ci", CI)
def test_edited_policy(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    """The pull request raises the limit in planner.yaml.

    Before: the raised limit applied unless the workflow passed `--base`.
    Now: the base commit's limit applies for every event.
    """
    base = commit(repository.root)
    repository.write("planner.yaml", RAISED)
    commit(repository.root)
    git(repository.root, "update-ref", "refs/remotes/origin/main", base)
    CI[ci](monkeypatch, outside, base)
    assert base_limit_applies(repository)
    if ci == "pull_request":
        assert base_limit_applies(repository, "run", CONSENT)
        assert service.ledger()["runs"] == []


@pytest.mark.parametrize("to", [None, "plans/planner.yaml", "voice/planner.yaml", "planner.yml"])
def test_deleted_or_moved_policy(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, to: str | None
) -> None:
    """The pull request deletes planner.yaml, or moves it to a place where it is not read.

    Before: no policy applied.
    Now: the base commit's policy applies, and a file beside the plans or of nearly the right name is an error.
    """
    base = commit(repository.root)
    move(repository, "planner.yaml", to)
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    if to in (None, "voice/planner.yaml"):
        assert base_limit_applies(repository)
    else:
        assert is_refused(repository, "project-misplaced")


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [("planner.yaml", "voice/planner.yaml"), ("voice/planner.yaml", None), ("voice/planner.yaml", "planner.yaml")],
)
def test_moved_project_root(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str | None, typed: bool
) -> None:
    """The project is in a folder of a larger repository. The pull request moves planner.yaml up, down or away, and
    the project root with it.

    Before: even with `--base`, planner looked for the base commit's planner.yaml at the new root, found none,
    and applied no policy.
    Now: the root and the policy both come from the base commit.
    """
    move(repository, "planner.yaml", before) if before != "planner.yaml" else None
    repository.write("voice/plans/hours.yaml", HOURS)
    base = commit(repository.root)
    if after is None:
        move(repository, before, None)
    else:
        move(repository, before, after)
        repository.write(after, RAISED)
    commit(repository.root)
    monkeypatch.chdir(repository.root / "voice")
    if typed:
        assert base_limit_applies(repository, base=base)
    else:
        pull_request(monkeypatch, outside, base)
        assert base_limit_applies(repository)


def test_no_policy_in_the_base_commit(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base commit has no planner.yaml. The pull request adds one that allows 100,000 calls.

    Before: the new policy applied.
    Now: strict built-in limits apply, and the output says so.
    """
    move(repository, "planner.yaml", None)
    base = commit(repository.root)
    repository.write("planner.yaml", "policy: {max_calls: 100000}\n")
    repository.edit("plans/hours.yaml", "runs: 2", "runs: 51")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    ran = repository.planner("plan")
    assert (ran.code, "policy.max_calls allows 100 per session" in " ".join(ran.out.split())) == (3, True)
    assert "has no planner.yaml" in ran.err


@pytest.mark.parametrize("command", [["run", CONSENT], ["history"]])
def test_missing_base_commit(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """The checkout has depth 1, so the base commit is missing.

    Before: the pull request's own policy applied.
    Now: the command exits with code 2, shows how to fetch the commit, and makes no calls.
    """
    commit(repository.root)
    pull_request(monkeypatch, outside, "0123456789abcdef0123456789abcdef01234567")
    ran = repository.planner(*command)
    assert (ran.code, "git fetch --no-tags --depth=1 origin 0123456789abcdef" in ran.err) == (2, True)
    assert service.ledger()["runs"] == []


def test_job_that_a_pull_request_starts_indirectly(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment on a pull request starts a job that checks out its files.

    Before: the pull request's policy applied, and the results became the default branch's baseline.
    Now: exit code 2 without `--base`, and the results are stored apart.
    """
    commit(repository.root)
    github_event(monkeypatch, outside, {"issue": {"number": 42, "pull_request": {"url": "x"}}}, "issue_comment")
    ran = repository.planner("plan")
    assert (ran.code, "--base" in ran.err) == (2, True)
    assert base_limit_applies(repository, base="HEAD")
    assert namespace_of(os.environ) == "branches/42/"


@pytest.mark.parametrize("event", ["workflow_run", "pull_request_review", "pull_request_review_comment"])
def test_job_whose_files_nobody_names(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """The end of a pull request's workflow, or a review of it, starts a job that checks out its files.

    Before: the pull request's policy applied, and the results became the default branch's baseline.
    Now: exit code 2.
    """
    commit(repository.root)
    github_event(monkeypatch, outside, {"workflow_run": {"event": "pull_request"}}, event)
    for words in (("plan",), ("run", CONSENT), ("ci", "run", CONSENT, "--base", "HEAD")):
        ran = repository.planner(*words)
        assert (ran.code, f"workflows that start on {event}" in ran.err) == (2, True)
    assert service.ledger()["runs"] == []


JUDGED = HOURS.replace(
    "    runs: 2\n    expect:\n", "    runs: 2\n    expect:\n      - {check: judge, rubric: It is polite.}\n"
)


def config(model: Model, **more: str) -> str:
    return f"judge: {json.dumps({'base_url': model.url, 'model': 'scripted-1', 'cents_per_vote': 0, **more})}\n"


def test_judge_of_a_pull_request(
    repository: Project, service: Served, model: Model, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pull request names its own server as `judge` in planner.yaml.

    Before: transcripts and the judge key were sent there.
    Now: only the base commit can name a judge.
    """
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_key")
    assert repository.planner("ci", "run", CONSENT, "--base", "HEAD").code == 2  # no commit yet
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    assert repository.planner("run", CONSENT).code == 0
    repository.write("planner.yaml", config(model))
    repository.write("plans/hours.yaml", JUDGED)
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    for command in (["run", "--offline"], ["run", CONSENT], ["run", CONSENT, "--rerun", "all"]):
        assert repository.planner(*command).code != 0
    assert not model.asked
    assert not model.reads
    assert len(service.own_runs()) == 5


def test_store_of_a_pull_request(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pull request commits results in which everything passed, and names them as `store`.

    Before: planner made no calls, and the job succeeded.
    Now: only the base commit can name a store.
    """
    base = commit(repository.root)
    repository.write("planner.yaml", "store: results\n")
    assert repository.planner("run", CONSENT).code == 0
    assert {action for action, _, _ in repository.actions().values()} == {"reuse"}
    pull_request(monkeypatch, outside, base)
    assert base_limit_applies(repository)
    git(repository.root, "stash", "-q")
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    touch_plans(repository.root)
    repository.write("planner.yaml", "store: results\n")
    pull_request(monkeypatch, outside, base)
    assert {action for action, _, _ in repository.actions().values()} == {"call"}


def test_bucket_of_a_pull_request(
    repository: Project, model: Model, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pull request names its own bucket as `store`.

    Before: planner contacted it with the job's cloud credentials.
    Now: the bucket is not contacted.
    """
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    repository.write("planner.yaml", "store: s3://theirs/results\n")
    commit(repository.root)
    for name, value in {
        "AWS_ENDPOINT_URL": model.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu",
    }.items():
        monkeypatch.setenv(name, value)
    pull_request(monkeypatch, outside, base)
    assert repository.planner("plan").code == 0
    assert not model.reads
    assert not model.asked


def test_environment_of_a_pull_request(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pull request points an alias of an environment to another agent.

    Before: that agent was called.
    Now: the base commit's agent is called.
    """
    repository.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    repository.write("planner.yaml", "environments: {live: {clinic: {agent: 12}}}\n")
    base = commit(repository.root)
    repository.write("planner.yaml", "environments: {live: {clinic: {agent: 14}}}\n")
    touch_plans(repository.root)
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert repository.planner("run", CONSENT, "--environment", "live").code == 3, "a push is no consent"
    assert service.own_runs() == []
    github_event(monkeypatch, outside, {"inputs": {"pull-request": "42"}}, "workflow_dispatch")
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "maria")
    arguments = (CONSENT, "--environment", "live", "--base", base)
    assert repository.planner("ci", "run", *arguments).code == 0
    assert repository.results()["consent"]["by"] == "maria"
    assert {run["target_id"] for run in service.own_runs()} == {12}


def test_redaction_of_a_pull_request(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pull request removes a pattern from `redact`.

    Before: reports showed the text that the pattern hid.
    Now: the base commit's patterns apply.
    """
    repository.write("planner.yaml", "redact: ['D[a-z]+ Diaz']\n")
    base = commit(repository.root)
    repository.write("planner.yaml", "")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert repository.planner("plan").code == 0
    assert repository.planner("run", "--sandbox", CONSENT).code == 0
    for command in (["history", "--sandbox"], ["report", "reports/results.json"], ["transcript", "*", "--sandbox"]):
        shown = repository.planner(*command)
        assert "Diaz" not in shown.out + shown.err
    for file in sorted((repository.root / "reports").iterdir()):
        assert "Diaz" not in file.read_text()


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_plans_link_out_of_the_repository(repository: Project, outside: Path, command: str) -> None:
    """The pull request replaces `plans` with a link to a folder outside the repository, such as one with a tool's
    tokens.

    Before: planner read the files there and printed parts of them in diagnostics.
    Now: planner refuses links that lead out of the repository.
    """
    (outside / "hosts.yml").write_text("github.com:\n  oauth_token: gho_secret\n")
    (repository.root / "plans/hours.yaml").unlink()
    (repository.root / "plans").rmdir()
    (repository.root / "plans").symlink_to(outside, target_is_directory=True)
    ran = repository.planner(command)
    assert ran.code == 2
    assert "github.com" not in ran.out + ran.err
    assert "leads out of the repository" in " ".join((ran.out + ran.err).split())


def test_base_overrides_the_default(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--base`, which only the workflow can pass, overrides the base commit of the event."""
    commit(repository.root)
    repository.write("planner.yaml", RAISED)
    head: Any = commit(repository.root)
    github_event(monkeypatch, outside, "{}")
    assert not base_limit_applies(repository, base=head)
