"""The states of a pull request in the shipped workflows: each has a status, a comment, and what leads on."""

from __future__ import annotations

import re

import pytest
from repositories import git

from planner.ci.event import is_command
from tests.workflows.conftest import PLAN, STORE, Repository  # pyright: ignore[reportMissingImports]

ANGRY = PLAN.replace("calm", "angry")
FAILING = ANGRY.replace("{check: call, status: completed}", "{check: duration, max_seconds: 1}")


def test_a_comment_starts_the_calls_and_an_invalid_plan_replaces_its_answer(repository: Repository) -> None:
    """From a phone: copy the command, paste it as a comment. A reply mentions its author. Then an invalid plan is pushed."""
    repository.push("topic", plans__hours_DOT_yaml=ANGRY)
    assert repository.plan() == "pending"
    assert repository.fake.statuses[-1]["target_url"].endswith("#issuecomment-1")
    summary = (repository.runner.folder / "job1/temp/summary.md").read_text()
    assert summary.startswith("### 📞 1 call to make"), "the page of the job shows it, too"
    assert repository.write(repository.command) == {"asked": True, "call": True}, repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "agreed by `maria`" in repository.comment
    (reply,) = repository.replies
    assert "@maria ✅ 1 passed · $0." in reply
    assert f"[details]({repository.fake.statuses[-1]['target_url']})" in reply
    repository.push("topic", plans__hours_DOT_yaml=ANGRY.replace("scenarios:", "scenarois:"))
    assert repository.plan() == "failure"
    assert repository.fake.statuses[-1]["description"].startswith("plans/hours.yaml:4: ")
    assert repository.comment.split("\n")[2].startswith("### ❌ Nothing can be called")
    assert "plans/hours.yaml:4" in repository.comment
    assert "✅" not in repository.comment
    link = f"/blob/{git(repository.work, 'rev-parse', 'topic')}/plans/hours.yaml#L4)"
    assert link in repository.comment
    assert repository.write(f"/planner run sha256:{'0' * 64} up to 1.00")["call"] is False
    assert link in repository.comment, "also after a command"


NO_JOB: dict[str, bool] = {}
ASKED, REFUSED = {"asked": True}, {"asked": True, "call": False}
STARTS_NO_CALL = {
    "reader": ("{command}", "read", ASKED),
    "stranger": ("{command}", "none", ASKED),
    "remark": ("Looks good", "write", NO_JOB),
    "another project": ("/planner run eu sha256:1", "write", ASKED),
    "with a condition": ("{command} if CI is green", "write", REFUSED),
    "as code, of a reader": ("`{command}`", "read", ASKED),
}


def test_a_comment_that_starts_no_call(repository: Repository) -> None:
    """No job has a key for strangers. Whoever may write is told what was wrong."""
    repository.push("topic", plans__hours_DOT_yaml=ANGRY)
    repository.plan()
    command, answer = repository.command, repository.fake.comments[7].copy()
    for name, (body, role, jobs) in STARTS_NO_CALL.items():
        repository.fake.comments[7] = answer.copy()
        repository.fake.roles["maria"] = role
        assert repository.write(body.format(command=command)) == jobs, (name, repository.runner.log)
        assert repository.command == command, name
        assert repository.fake.statuses[-1]["state"] == "pending", name
        are_refused = ["@maria ✋ Refused, nothing was called" in each for each in repository.replies]
        assert are_refused == [True] * (jobs == REFUSED), name


IS_ACCEPTED = {
    "/planner run sha256:1 up to 1.00": True,
    "/planner  run sha256:1": True,
    "/planner\trun sha256:1": True,
    "/Planner Run sha256:1": True,
    " \n/planner run sha256:1": True,
    "/planner run": True,
    "/planner run \r\n": True,
    "/planner run\r\nsha256:1 up to 1.00": True,
    "/planner run default sha256:1": True,
    "/planner run eu sha256:1": False,
    "> /planner run sha256:1 up to 1.00": False,
    "> /planner run sha256:1 up to 1.00\n\nShall I?": False,
    "Write /planner run sha256:1": True,
    "```\n/planner run sha256:1\n```": True,
    "`/planner run sha256:1`": True,
    "> Shall I?\n\n/planner run sha256:1": True,
    "/planner run: sha256:1": True,
    "/planner\u00a0run\u00a0sha256:1": True,
    "/planner run SHA256:1": True,
    f"/planner run {'1' * 64}": True,
    "  > /planner run sha256:1": False,
    "/plannerrun sha256:1": False,
    "/planner running": False,
    "/planner plan": False,
}


def test_what_is_a_command(repository: Repository) -> None:
    """However it is spaced, and in other text, a command starts the job that answers; a quoted one does not."""
    for number, (body, accepted) in enumerate(IS_ACCEPTED.items(), 1):
        comment = repository.fake.add_comment(7, body, "maria")
        event = {"issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": comment}
        assert repository.runner.job("phone-plans-call", "asked", "issue_comment", event)
        is_accepted = repository.runner.needs["asked"]["outputs"]["accepted"] == "true"
        assert is_accepted is accepted, (body, repository.runner.log)
        event_file = repository.runner.folder / f"job{number}/temp/event.json"
        is_planned = is_command({"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": str(event_file)})
        assert is_planned is (accepted or " eu " in body), (
            body,
            "planner agrees; which project it is for is checked later",
        )


def test_an_invalid_project_file(repository: Repository) -> None:
    """The policy is that of the base branch, but after the merge this file would be."""
    repository.push("topic", planner_DOT_yaml=STORE + "policy: {max_cost: 1}\n")
    assert repository.plan() == "failure"
    assert repository.fake.statuses[-1]["description"].startswith("planner.yaml:3: ")
    assert "/planner.yaml#L3)" in repository.comment
    repository.push("topic", planner_DOT_yaml=STORE)
    assert repository.plan() == "success"


def test_a_red_check_is_called_again_after_a_fix_elsewhere(repository: Repository) -> None:
    """A ceiling that is too low leaves the check pending, and the digest good. Then the agent fails: red. The comment has the
    command to start over, which calls once more; "Re-run jobs" does not, the next command does."""
    repository.push("topic", plans__hours_DOT_yaml=FAILING)
    repository.plan()
    digest = repository.digest
    assert not repository.agree(digest, **{"max-cost": "0.01"})
    assert repository.fake.statuses[-1]["state"] == "pending"
    assert repository.digest == digest
    assert not repository.agree(digest)
    assert repository.fake.statuses[-1]["state"] == "failure"
    assert "hours/saturday@clinic" in repository.comment
    command, runs = repository.command, len(repository.stored("branches/7/runs/"))
    assert " start over: " in command
    made: list[int] = []
    for run_id, attempt in (("78", "1"), ("78", "2"), ("79", "1")):
        repository.runner.environ = {"GITHUB_RUN_ID": run_id, "GITHUB_RUN_ATTEMPT": attempt}
        assert repository.write(repository.command if run_id == "79" else command)["call"] is False
        made.append(len(repository.stored("branches/7/runs/")) - runs)
        assert repository.fake.statuses[-1]["state"] == "failure"
        assert ("already called" in repository.replies[-1]) is (attempt == "2")
        assert ("@maria ❌ 1 failed" in repository.replies[-1]) is (attempt == "1")
    assert made == [1, 1, 2], repository.runner.log[-4:]
    assert "as `maria` asked for" in repository.comment


def test_a_part_of_the_calls(repository: Repository) -> None:
    """A start for one case is a success although the other one is still to call."""
    two = ANGRY + ANGRY.partition("scenarios:\n")[2].replace("saturday:", "sunday:").replace("angry", "sad")
    repository.push("topic", plans__hours_DOT_yaml=two)
    repository.plan()
    assert repository.agree(repository.digest, only="hours/sunday*"), repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "pending"
    assert "1 call to make" in repository.comment


def test_a_fork(repository: Repository) -> None:
    """Its commit is in no branch of the repository, only in refs/pull. actions/checkout refuses it. A newer push has its own job.
    The command is written as a phone may write it."""
    remote = repository.runner.remote
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "false")
    head = repository.push("topic", plans__hours_DOT_yaml=ANGRY)
    git(remote, "update-ref", "refs/pull/7/head", "refs/heads/topic")
    git(remote, "update-ref", "-d", "refs/heads/topic")
    assert repository.plan() == "pending", repository.runner.log
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "sad"))
    git(remote, "update-ref", "refs/pull/7/head", "refs/heads/topic")
    git(remote, "update-ref", "-d", "refs/heads/topic")
    git(repository.work, "reset", "-q", "--hard", head)
    spaced = "\n" + repository.command.replace("/planner ", "/Planner  ").replace(" up to ", "\tup  to ") + " \r\n"
    assert repository.write(spaced) == {"asked": True, "call": True}, repository.runner.log
    assert "@maria ✅ 1 passed" in repository.replies[0]
    assert repository.fake.statuses[-1]["state"] == "success"


def test_what_was_asked_is_done(repository: Repository) -> None:
    """A case that already fails on main lets `planner run` end with 1. The check is green, and so is the job that called."""
    repository.push("main", plans__hours_DOT_yaml=FAILING)
    repository.runner.start("phone-plans-main", "workflow_dispatch", {})
    found = re.search(r"-f digest=(\S+) -f max-cost=(\S+)", repository.fake.issues[0]["body"])
    assert found is not None
    typed = {"digest": found[1], "max-cost": found[2], "rerun": "needed"}
    assert repository.runner.start("phone-plans-call", "workflow_dispatch", {"inputs": typed}) == {"call": False}
    other = PLAN.replace("plan: hours", "plan: other").replace("saturday", "sunday").replace("calm", "sad")
    repository.push("topic", plans__other_DOT_yaml=other)
    assert repository.plan() == "pending", repository.runner.log
    assert repository.agree(repository.digest), repository.runner.log
    assert any(each.startswith("Run: 1\n") for each in repository.runner.log)
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "Already failing on `main`" in repository.comment


def test_calls_for_the_default_branch(repository: Repository) -> None:
    """Two pull requests were merged whose combination was never called. An innocent one is not blocked; the issue leads to the
    calls, which close it."""
    assert repository.runner.start("phone-plans-main", "workflow_dispatch", {}) == {"main": True}, repository.runner.log
    (issue,) = repository.fake.issues
    found = re.search(r"-f digest=(\S+) -f max-cost=(\S+)", issue["body"])
    assert found is not None, issue
    repository.push("topic", notes_DOT_md="nothing of the plans\n")
    assert repository.plan() == "success", repository.runner.log
    typed = {"digest": found[1], "max-cost": found[2], "rerun": "needed"}
    assert repository.runner.start("phone-plans-call", "workflow_dispatch", {"inputs": typed}) == {"call": True}, (
        repository.runner.log
    )
    assert [each["state"] for each in repository.fake.issues] == ["closed"]
    assert len(repository.stored("calls/")) == 1


def test_the_base_branch_is_read_when_the_calls_are_made(repository: Repository) -> None:
    """Targets that main does not allow any more are not called for a pull request whose event still names an older commit."""
    repository.push("topic", plans__hours_DOT_yaml=ANGRY)
    repository.plan()
    digest = repository.digest
    repository.push("main", planner_DOT_yaml=STORE + "policy: {allowed_targets: [{agent: 999}]}\n")
    assert not repository.agree(digest)
    assert "may not be called" in repository.comment
    assert repository.stored("branches/7/runs/") == []


def test_a_project_in_a_folder(repository: Repository) -> None:
    """Its workflows say so; paths in comments are those of the repository."""
    repository.runner.inputs = {"working-directory": "voice", "name": "voice"}
    (repository.work / "voice").mkdir()
    git(repository.work, "mv", "plans", "planner.yaml", "voice")
    repository.push("main")
    repository.push("topic", voice__plans__hours_DOT_yaml=ANGRY)
    assert repository.plan() == "pending", repository.runner.log
    assert repository.fake.statuses[-1]["context"] == "phone-plans/voice"
    (comment,) = repository.fake.comments[7]
    command = re.search(r"^/planner run voice .*$", comment["body"], re.MULTILINE)
    assert command is not None
    assert repository.write(command[0])["call"], repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "success"
    repository.push("topic", voice__plans__hours_DOT_yaml="version: 1\nplans: x\n")
    assert repository.plan() == "failure"
    assert "/voice/plans/hours.yaml#L2)" in repository.fake.comments[7][0]["body"]


@pytest.mark.parametrize(
    ("workflows", "words", "answers"),
    [
        ("voice", "/planner run", True),
        ("voice", f"/planner run sha256:{'a' * 64} up to 1.23", True),
        ("voice chat", "/planner run", False),
        ("voice ", "/planner run", False),
        ("voice", "/planner run chat", False),
    ],
    ids=["alone", "with a digest", "the first one does", "the one at the top does", "for another"],
)
def test_a_command_that_names_no_project(repository: Repository, workflows: str, words: str, answers: bool) -> None:
    """One of the projects answers."""
    files = {f".github/workflows/phone-plans{name and '-' + name}-call.yml": "x" for name in workflows.split(" ")}
    repository.push("main", **{name.replace("/", "__").replace(".", "_DOT_"): text for name, text in files.items()})
    repository.push("topic", notes_DOT_md="x\n")
    repository.runner.inputs = {"name": "voice"}
    repository.runner.job("phone-plans-call", "asked", "issue_comment", repository.asked(words))
    accepted = repository.runner.needs["asked"]["outputs"]["accepted"]
    assert accepted == ("true" if answers else ""), repository.runner.log


def test_a_branch_that_is_older_than_the_plans(repository: Repository) -> None:
    """It branched off before the workflows and plans were merged: nothing of it can be wrong, it must be updated."""
    git(repository.work, "checkout", "-q", "-b", "topic", "main~1")
    repository.push("topic", notes_DOT_md="x\n")
    assert repository.plan() == "pending"
    assert repository.fake.statuses[-1]["description"].startswith("this branch is older than the plans")
    assert "Update the branch" in repository.comment
