"""The workflows of docs/workflows/, job after job: open, push again, agree, call, merge, next pull request."""

from __future__ import annotations

from repositories import git
from workflow_jobs import REUSABLE, WORKFLOWS

from planner.quantities import short_commit
from tests.workflows.conftest import PLAN, Repository  # pyright: ignore[reportMissingImports]


def test_from_open_to_the_next_pull_request(repository: Repository) -> None:
    """Open, push again, agree to the old digest, to none, from another branch, then to the new one, merge; the next pull request
    needs no call."""
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    assert repository.plan() == "pending", repository.runner.log
    old = repository.digest
    assert repository.stored("branches/7/change-sets/") == [
        f"branches/7/change-sets/{old.removeprefix('sha256:')}.json"
    ]
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "sad"))
    assert repository.plan() == "pending"
    assert old not in repository.comment
    assert not repository.agree(old)
    assert "✋ **Refused, so nothing was called:**" in repository.comment
    assert "refused: " in repository.fake.statuses[-1]["description"]
    assert "@maria ✋ Refused" in repository.replies[0]
    assert not repository.agree(""), "the form without a digest agrees to no calls"
    statuses = len(repository.fake.statuses)
    assert repository.agree(repository.digest, ref="refs/heads/topic") is None, "no job runs on another branch"
    assert len(repository.fake.statuses) == statuses
    assert repository.fake.statuses[-1]["state"] == "pending"
    assert repository.stored("branches/7/latest/") + repository.stored("branches/7/runs/") == []
    assert repository.agree(repository.digest), repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "/planner run" not in repository.comment
    assert "agreed by `maria` up to $5.00" in repository.comment
    repository.push("main", plans__hours_DOT_yaml=PLAN.replace("calm", "sad"))
    repository.fake.pulls[7] |= {"state": "closed", "merged_at": "2026-11-28T07:00:00Z"}
    assert repository.runner.start("phone-plans-main", "push", {}) == {"main": True}, repository.runner.log
    assert repository.runner.log[-1].startswith("Delete old previews: 0")
    assert repository.stored("world/") == ["world/default.json"]
    assert repository.stored("branches/7/") == []
    assert len(repository.stored("calls/")) == 1
    group = {
        "merge_group": {
            "head_sha": git(repository.work, "rev-parse", "main"),
            "base_sha": git(repository.work, "rev-parse", "main"),
        }
    }
    ref = f"refs/heads/gh-readonly-queue/main/pr-8-{'a' * 40}"
    assert repository.runner.start("phone-plans", "merge_group", group, ref=ref) == {"plan": True, "publish": True}
    assert repository.fake.statuses[-1]["state"] == "success"


def test_a_forged_answer_in_the_pull_request(repository: Repository) -> None:
    """The pull request contains an answer of its own and an invalid plan: the status is an error, never green."""
    forged = '{"state": "success", "description": "x", "digest": "", "comment": "", "worth_saying": false}'
    repository.push("topic", plans__hours_DOT_yaml="version: 1\nplans: x\n")
    repository.push("topic", **{"phone-plans_DOT_json": forged})
    assert repository.plan() == "failure"


def test_rights() -> None:
    """The job with the pull request's files may only read and has no secret; the one that may write has no checkout."""
    plan, publish = (REUSABLE["plan"]["jobs"][name] for name in ("plan", "publish"))
    assert plan["permissions"] == {"contents": "read", "pull-requests": "read"}
    assert "secrets." not in str(REUSABLE["plan"]) + str(WORKFLOWS["phone-plans"])
    assert "$/checkout" not in str(publish)
    with_keys = {
        job.get("environment")
        for document in REUSABLE.values()
        for job in document["jobs"].values()
        if "secrets." in str(job)
    }
    assert with_keys == {"${{ inputs.secrets-environment }}"}
    assert REUSABLE["call"]["jobs"]["asked"]["permissions"] == {"contents": "read"}
    keyed = [
        step["id"]
        for step in REUSABLE["call"]["jobs"]["call"]["steps"]
        if "api-key" in step.get("with", {}) and "id" in step
    ]
    assert keyed == ["run", "gate"], "a refusal shows the set as the service is now"
    assert all(document["permissions"] == {} for document in (*WORKFLOWS.values(), *REUSABLE.values()))


def test_the_judges_key_reaches_the_calls_only() -> None:
    """From the secret of the environment, through the caller."""
    name = "PLANNER_JUDGE_API_KEY"
    holders = {
        (workflow, step["id"])
        for workflow, document in REUSABLE.items()
        for job in document["jobs"].values()
        for step in job["steps"]
        if step.get("with", {}).get("judge-api-key") == f"${{{{ secrets.{name} }}}}"
    }
    assert holders == {("call", "run")}
    assert [caller for caller, document in WORKFLOWS.items() if name in str(document)] == ["phone-plans-call"]


def test_a_command_that_waits_is_not_cancelled() -> None:
    """By default, GitHub cancels what waits when something else begins to wait."""
    waiting = REUSABLE["call"]["jobs"]["call"]["concurrency"]
    assert (waiting["cancel-in-progress"], waiting["queue"]) == (False, "max")


def test_a_pull_request_with_another_base_is_planned_again() -> None:
    """GitHub says so with `edited`, which it does not send by default."""
    types = WORKFLOWS["phone-plans"]["on"]["pull_request_target"]["types"]
    assert set(types) == {"opened", "synchronize", "reopened", "edited"}


def test_the_target_branch_is_named_to_the_jobs_that_excuse_failures() -> None:
    """GitHub's event of a dispatched workflow does not name it."""
    steps = REUSABLE["call"]["jobs"]["call"]["steps"]
    into = {
        step["with"]["mode"]: step.get("env", {}).get("PLANNER_BASE_BRANCH")
        for step in steps
        if "mode" in step.get("with", {})
    }
    named = "${{ steps.commits.outputs.into }}"
    of_a_pull_request = "${{ steps.commits.outputs.number && steps.commits.outputs.into }}"
    assert into == {"run": of_a_pull_request, "gate": named, "publish": named, "record": None}


def test_a_pull_request_into_another_branch_has_a_status_of_its_own(repository: Repository) -> None:
    """The same commit is proposed for the default branch, too, and must not become green there. Of the calls, too."""
    repository.push("release", notes="x")
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    assert repository.plan() == "pending"
    repository.into = "release"
    assert repository.plan() == "pending"
    assert repository.agree(repository.digest)
    states = [(status["context"], status["state"]) for status in repository.fake.statuses]
    other = "phone-plans (release)"
    assert states == [("phone-plans", "pending"), (other, "pending"), (other, "success")]


def test_a_push_during_the_calls(repository: Repository) -> None:
    """The calls end; comment and status are about the newer commit, which needs only what changed."""
    repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
    repository.plan()
    old = repository.digest
    pushed: list[str] = []

    def push() -> None:
        pushed.append(repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "sad")))
        assert repository.plan() == "pending"

    repository.runner.after["run"] = push
    assert repository.agree(old), repository.runner.log
    assert (repository.fake.statuses[-1]["sha"], repository.fake.statuses[-1]["state"]) == (pushed[0], "pending")
    assert repository.digest != old
    assert f"`{short_commit(pushed[0])}`" in repository.comment
