"""Attacks on the policy: what a pull request makes of planner.yaml, and of the files and places that it names, does not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import commit, git, github_event, pull_request

from tests.commands.conftest import HOURS, Project, Served  # pyright: ignore[reportMissingImports]
from tests.judging.conftest import Model  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
BASE = "policy: {max_calls: 4}\n"
"""The plans make 5 calls."""
LIFTED = "policy: {max_calls: 400}\n"


def refused(project: Project, *arguments: str) -> bool:
    """Whether the base's policy holds."""
    ran = project.planner(*(arguments or ("plan",)))
    return ran.code == 3 and "policy.max_calls allows 4" in " ".join((ran.out + ran.err).split())


def moved(project: Project, old: str, new: str | None) -> None:
    """What a pull request does with a file."""
    source = project.root / old
    if new is not None:
        project.write(new, source.read_text())
    source.unlink()


@pytest.fixture
def repository(project: Project) -> Project:
    """A base branch with a policy of 4 calls; what is changed from here on is the pull request's."""
    project.write("planner.yaml", BASE)
    git(project.root, "init", "-q", "-b", "main")
    return project


def _github(event: str) -> Callable[[pytest.MonkeyPatch, Path, str], None]:
    return lambda monkeypatch, outside, base: pull_request(monkeypatch, outside, base, event)


def _merge_group(monkeypatch: pytest.MonkeyPatch, outside: Path, base: str) -> None:
    github_event(monkeypatch, outside, {"merge_group": {"base_sha": base}}, "merge_group")


def _variables(**values: str) -> Callable[[pytest.MonkeyPatch, Path, str], None]:
    def set_all(monkeypatch: pytest.MonkeyPatch, _: Path, base: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value.format(base=base))

    return set_all


CI = {
    "pull_request": _github("pull_request"),
    "pull_request_target": _github("pull_request_target"),
    "pull_request_review": _github("pull_request_review"),
    "merge_group": _merge_group,
    "GitLab": _variables(CI_PIPELINE_SOURCE="merge_request_event", CI_MERGE_REQUEST_DIFF_BASE_SHA="{base}"),
    "GitLab, merged result": _variables(
        CI_MERGE_REQUEST_TARGET_BRANCH_SHA="{base}", CI_MERGE_REQUEST_DIFF_BASE_SHA="0" * 40
    ),
    "Buildkite": _variables(BUILDKITE_PULL_REQUEST="42", BUILDKITE_PULL_REQUEST_BASE_BRANCH="main"),
    "Buildkite, merge queue": _variables(BUILDKITE_MERGE_QUEUE_BASE_COMMIT="{base}"),
}


@pytest.mark.parametrize("ci", CI)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_edited_policy(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch, ci: str, command: str
) -> None:
    """The attacker raises the limit in planner.yaml.

    Before: it counted, unless the workflow said `--policy-from`. Now: the base commit's holds by default, wherever the job runs.
    """
    base = commit(repository.root)
    repository.write("planner.yaml", LIFTED)
    commit(repository.root)
    git(repository.root, "update-ref", "refs/remotes/origin/main", base)
    CI[ci](monkeypatch, outside, base)
    assert refused(repository, command, *([CONSENT] if command == "run" else []))
    assert service.ledger()["runs"] == []


@pytest.mark.parametrize("to", [None, "plans/planner.yaml", "voice/planner.yaml", "planner.yml"])
def test_a_policy_that_is_deleted_or_moved(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, to: str | None
) -> None:
    """The attacker deletes planner.yaml, or puts it where it does not count.

    Before: no policy held. Now: what holds is in the base commit, at the place where it has it.
    """
    base = commit(repository.root)
    moved(repository, "planner.yaml", to)
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert refused(repository)


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_policy_that_is_made_something_else(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The attacker makes planner.yaml a folder, or a link to a file of theirs. Before: that counted. Now: the base commit's holds."""
    base = commit(repository.root)
    repository.write("lax.yaml", LIFTED)
    (repository.root / "planner.yaml").unlink()
    if kind == "link":
        (repository.root / "planner.yaml").symlink_to("lax.yaml")
    else:
        repository.write("planner.yaml/x", "")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert refused(repository)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [("planner.yaml", "voice/planner.yaml"), ("voice/planner.yaml", None), ("voice/planner.yaml", "planner.yaml")],
)
def test_the_root_is_moved(
    repository: Project,
    outside: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str | None,
    typed: bool,
) -> None:
    """Planner works in a folder of a larger repository. The attacker moves the file up, down or away, and with it the root.

    Before: also with `--policy-from`, the commit was asked for a planner.yaml where the tree under test has its root; it had none
    there, and no policy held. Now: root and policy are those of the base commit.
    """
    moved(repository, "planner.yaml", before) if before != "planner.yaml" else None
    repository.write("voice/plans/hours.yaml", HOURS)
    base = commit(repository.root)
    if after is None:
        moved(repository, before, None)
    else:
        moved(repository, before, after)
        repository.write(after, LIFTED)
    commit(repository.root)
    monkeypatch.chdir(repository.root / "voice")
    if typed:
        assert refused(repository, "plan", "--policy-from", base)
    else:
        pull_request(monkeypatch, outside, base)
        assert refused(repository)


def test_no_policy_in_the_base_commit(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pull request adopts the tool, with a policy that allows all.

    Before: it counted. Now: strict built-in limits hold, and the plan says so.
    """
    moved(repository, "planner.yaml", None)
    base = commit(repository.root)
    repository.write("planner.yaml", "policy: {max_calls: 100000}\n")
    repository.edit("plans/hours.yaml", "runs: 2", "runs: 50")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    ran = repository.planner("plan")
    assert (ran.code, "policy.max_calls allows 100 an" in " ".join(ran.out.split())) == (3, True)
    assert "has no planner.yaml" in ran.err


@pytest.mark.parametrize("command", [["plan"], ["run", CONSENT], ["recheck"], ["history"], ["reconcile"]])
def test_a_base_commit_that_is_not_there(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """A checkout of depth 1 does not have the base commit.

    Before: the pull request's own policy held. Now: exit code 2 with the command that fetches it, and nobody is called.
    """
    commit(repository.root)
    pull_request(monkeypatch, outside, "0123456789abcdef0123456789abcdef01234567")
    ran = repository.planner(*command)
    assert (ran.code, "git fetch --no-tags --depth=1 origin 0123456789abcdef" in ran.err) == (2, True)
    assert service.ledger()["runs"] == []


@pytest.mark.parametrize(
    "payload", ["", "{", "[]", '"x"', "{}", '{"pull_request": {"base": {"sha": "HEAD"}}}', "[" * 100_000]
)
def test_an_event_without_a_base_commit(
    repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch, payload: str
) -> None:
    """The event names no commit, or what is no commit id. Before: the tree's own policy held. Now: exit code 2."""
    commit(repository.root)
    github_event(monkeypatch, outside, payload)
    ran = repository.planner("plan")
    assert (ran.code, "is not named by the CI system" in ran.err) == (2, True)


@pytest.mark.parametrize("branch", ["", "--output=x", "main~1", "main:planner.yaml", "a..b", "@{-1}", "main^{tree}"])
def test_a_base_branch_that_is_an_expression(repository: Project, monkeypatch: pytest.MonkeyPatch, branch: str) -> None:
    """The base branch has a name that git would read as something else than a branch. Now: exit code 2, and git is not asked."""
    commit(repository.root)
    monkeypatch.setenv("BUILDKITE_PULL_REQUEST", "42")
    monkeypatch.setenv("BUILDKITE_PULL_REQUEST_BASE_BRANCH", branch)
    ran = repository.planner("plan")
    assert (ran.code, "is not named by the CI system" in ran.err) == (2, True)


def test_a_ref_that_looks_like_the_base_branch(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker's branch or tag is called `origin/main`, which git prefers to the remote's branch of that name.

    Before: there was no default for Buildkite, and a workflow that typed `--policy-from origin/main` read the attacker's policy.
    Now: the default asks for the remote's branch by its full name.
    """
    base = commit(repository.root)
    git(repository.root, "update-ref", "refs/remotes/origin/main", base)
    repository.write("planner.yaml", LIFTED)
    git(repository.root, "update-ref", "refs/tags/origin/main", commit(repository.root))
    monkeypatch.setenv("BUILDKITE_PULL_REQUEST", "42")
    monkeypatch.setenv("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main")
    assert refused(repository)


JUDGED = HOURS.replace(
    "    runs: 2\n    expect:\n", "    runs: 2\n    expect:\n      - {check: judge, rubric: It is polite.}\n"
)


def config(model: Model, **more: str) -> str:
    return f"judge: {json.dumps({'base_url': model.url, 'model': 'scripted-1', 'cents_per_vote': 0, **more})}\n"


def test_the_judge_of_a_pull_request_is_not_contacted(
    repository: Project, service: Served, model: Model, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker names a server of theirs under `judge` in planner.yaml.

    Before: transcripts and the judge's key were sent there. Now: only the base commit names a judge.
    """
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_key")
    assert repository.planner("run", CONSENT, "--policy-from", "HEAD").code == 2  # no commit yet
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    assert repository.planner("run", CONSENT).code == 0
    repository.write("planner.yaml", config(model))
    repository.write("plans/hours.yaml", JUDGED)
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    for command in (["recheck", CONSENT], ["run", CONSENT], ["run", CONSENT, "--rerun", "all"]):
        assert repository.planner(*command).code != 0
    assert not model.asked
    assert not model.reads
    assert len(service.own_runs()) == 5


def test_no_file_holds_answers_of_the_judge(repository: Project, service: Served, model: Model) -> None:
    """The attacker names a file with the judge's answers, in which each "does not hold" is turned into "holds".

    Before: the verdict was turned with it. Now: there is no such setting; only worlds of the sandbox hold recorded answers.
    """
    repository.write("plans/hours.yaml", JUDGED)
    repository.write("votes.jsonl", "{}\n")
    repository.write("planner.yaml", config(model, recorded="votes.jsonl"))
    ran = repository.planner("run", CONSENT)
    assert ran.code == 2
    assert "recorded" in ran.err
    assert not model.asked
    assert not service.own_runs()


def test_the_store_of_a_pull_request_is_not_read(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker commits results of theirs, in which all passed, and names them as the store.

    Before: nothing was left to call, and the check was green. Now: the base commit names the store.
    """
    base = commit(repository.root)
    repository.write("planner.yaml", "store: results\n")
    assert repository.planner("run", CONSENT).code == 0
    assert {action for action, _, _ in repository.actions().values()} == {"keep"}
    pull_request(monkeypatch, outside, base)
    assert refused(repository)
    git(repository.root, "stash", "-q")
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    repository.write("planner.yaml", "store: results\n")
    pull_request(monkeypatch, outside, base)
    assert {action for action, _, _ in repository.actions().values()} == {"call"}


def test_a_bucket_of_a_pull_request_is_not_contacted(
    repository: Project, model: Model, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker names a bucket of theirs as the store. Before: it was contacted, with the job's cloud key. Now: it is not."""
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


def test_an_environment_of_a_pull_request(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker points an alias of an environment to another agent. Before: that one was called. Now: the base commit's is."""
    repository.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    repository.write("planner.yaml", "environments: {live: {clinic: {agent: 12}}}\n")
    base = commit(repository.root)
    repository.write("planner.yaml", "environments: {live: {clinic: {agent: 14}}}\n")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert repository.planner("run", CONSENT, "--environment", "live").code == 0
    assert {run["target_id"] for run in service.own_runs()} == {12}


def test_redaction_of_a_pull_request(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker takes a pattern out of `redact`. Before: reports showed what it hid. Now: the base commit's patterns hide it."""
    repository.write("planner.yaml", "redact: ['D[a-z]+ Diaz']\n")
    base = commit(repository.root)
    repository.write("planner.yaml", "")
    commit(repository.root)
    pull_request(monkeypatch, outside, base)
    assert repository.planner("plan", "--out", "saved.json").code == 0
    assert repository.planner("run", "--sandbox", CONSENT).code == 0
    for command in (["history", "--sandbox"], ["report", "reports/results.json"], ["transcript", "*", "--sandbox"]):
        shown = repository.planner(*command)
        assert "Diaz" not in shown.out + shown.err
    for file in [*sorted((repository.root / "reports").iterdir()), repository.root / "saved.json"]:
        assert "Diaz" not in file.read_text()


def test_results_of_the_sandbox_are_no_baseline(
    repository: Project, service: Served, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker writes a world in which every agent passes, and runs the plans there. It is no baseline of real calls."""
    repository.write("planner.yaml", "")
    base = commit(repository.root)
    repository.write("world.yaml", "extends: demo\nversion: 1\nworld: mine\n")
    pull_request(monkeypatch, outside, base)
    assert repository.planner("run", "--sandbox", "--world", "world.yaml", CONSENT).code == 0
    assert {action for action, _, _ in repository.actions("--sandbox", "--world", "world.yaml").values()} == {"keep"}
    assert {action for action, _, _ in repository.actions().values()} == {"call"}


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_plans_that_are_a_link_out_of_the_repository(repository: Project, outside: Path, command: str) -> None:
    """The attacker makes `plans` a link to a folder of the machine, such as the one where a tool keeps its tokens.

    Before: its files were read, and shown with the faults in them. Now: a file that is in the repository by its name is in it.
    """
    (outside / "hosts.yml").write_text("github.com:\n  oauth_token: gho_secret\n")
    (repository.root / "plans/hours.yaml").unlink()
    (repository.root / "plans").rmdir()
    (repository.root / "plans").symlink_to(outside, target_is_directory=True)
    ran = repository.planner(command)
    assert ran.code == 2
    assert "github.com" not in ran.out + ran.err
    assert "leads out of the repository" in " ".join((ran.out + ran.err).split())


def test_what_is_typed_comes_first(repository: Project, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow of the default branch that wants another commit names it: that is no file of the pull request."""
    commit(repository.root)
    repository.write("planner.yaml", LIFTED)
    head: Any = commit(repository.root)
    github_event(monkeypatch, outside, "{}")
    assert repository.planner("plan", "--policy-from", head).code == 0
