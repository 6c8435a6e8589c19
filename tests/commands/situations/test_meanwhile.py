"""What people, other apps and the service do meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

from hosted import Hosted

from tests.commands.situations.conftest import (  # pyright: ignore[reportMissingImports]
    ANA_IS_ANGRY,
    FILE,
    PLAN,
    Situation,
    alone,
    check_everywhere,
    each,
    to_call,
)


def asked_by_a_reader(hosted: Hosted) -> str:
    """By comment and by form; GitHub starts no form for readers, but their access may end later."""
    to_call(hosted)
    hosted.fake.roles["mallory"] = hosted.fake.roles["maria"] = "read"
    before, offered = hosted.calls(), hosted.command()
    assert [hosted.agree(author="mallory"), hosted.agree(by_form=True)] == [3, 3]
    assert (hosted.calls(), hosted.command()) == (before, offered)
    return "pending"


def asked_twice(hosted: Hosted) -> str:
    """By comment, and by form before the first job has published."""
    to_call(hosted)
    command = hosted.command()
    assert hosted.agree(during=lambda: hosted.agree(command=command, by_form=True)) == 0
    return "success"


def comment_deleted(hosted: Hosted) -> str:
    """Whoever has copied the command may still use it; the answer is a new comment."""
    to_call(hosted)
    command = hosted.command()
    hosted.fake.comments[7].clear()
    assert hosted.agree(command=command) == 0
    assert "### ✅" in hosted.comment()
    return "success"


def comment_deleted_and_planned_again(hosted: Hosted) -> str:
    to_call(hosted)
    command = hosted.command()
    hosted.fake.comments[7].clear()
    assert hosted.plan() == "pending"
    assert hosted.command() == command
    return "pending"


def comment_rewritten(hosted: Hosted) -> str:
    """By a person with write access: planner writes its answer again, and accepts no command that it did not offer."""
    to_call(hosted)
    (comment,) = hosted.fake.comments[7]
    comment["body"] = "<!-- phone-plans:default -->\n### ✅ all green"
    before = hosted.calls()
    assert hosted.agree(command=f"/planner run sha256:{'0' * 64} up to 1.00") == 3
    assert hosted.calls() == before
    assert "1 call to make" in hosted.comment()
    return "pending"


def status_taken(hosted: Hosted) -> str:
    """Another app or a workflow of a branch sets the same status: the next job sets it again, whatever it is."""
    to_call(hosted)
    head = hosted.head(hosted.pulls[7])
    forged = {"sha": head, "state": "success", "context": "phone-plans", "description": "forged", "target_url": ""}
    hosted.fake.statuses.append(forged)
    return hosted.plan()


@alone
def agent_edited_elsewhere(hosted: Hosted) -> str:
    """It is to be called on the default branch, not here."""
    hosted.push("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    assert hosted.plan() == "success"
    hosted.service.control({"deploy": {"agent_id": 12, "revision": 1}})
    hosted.record()
    assert [issue["state"] for issue in hosted.fake.issues] == ["open"]
    assert hosted.plan() == "success"
    hosted.may_be_paid_again.update(hosted.calls())
    assert hosted.of_default_branch() == 0
    assert [issue["state"] for issue in hosted.fake.issues] == ["closed"]
    return "success"


@alone
def agent_edited_before_the_calls(hosted: Hosted) -> str:
    """The agreed calls are made, of the agent as it is now. What else it needs is left to the default branch."""
    to_call(hosted)
    hosted.service.control({"deploy": {"agent_id": 12, "revision": 1}})
    before = hosted.calls()
    assert hosted.agree() == 0
    assert hosted.calls() - before == {ANA_IS_ANGRY: 1}
    hosted.record()
    return "success"


def combined_by_two_merges(hosted: Hosted) -> str:
    """Each of two pull requests was called, their combination never: the default branch needs its calls, and the next pull
    request is not blocked by them."""
    long = PLAN.replace("calm. Ask", "calm.\n      Be polite.\n      Speak slowly.\n      Ask", 1).replace(
        "prompt: You are Ana", "prompt: |\n      You are Ana"
    )
    hosted.push("main", {FILE: long})
    hosted.record()
    assert hosted.of_default_branch() == 0
    hosted.push("topic", {FILE: long.replace("Ana, calm", "Ana, angry")})
    hosted.push("other", {FILE: long.replace("on Saturday", "on Saturdays")})
    for number, branch in ((7, "topic"), (8, "other")):
        hosted.open(branch, number=number)
        assert hosted.plan(number) == "pending"
        assert hosted.agree(number) == 0
    assert hosted.queue(8, after=[7]) == "pending", "a merge queue keeps them apart"
    for number in (7, 8):
        hosted.merge("merge", number)
        hosted.record()
    assert [issue["state"] for issue in hosted.fake.issues] == ["open"]
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=9)
    assert hosted.plan(9) == "success"
    before = hosted.calls()
    assert hosted.of_default_branch() == 0
    assert sum((hosted.calls() - before).values()) == 1
    assert [issue["state"] for issue in hosted.fake.issues] == ["closed"]
    return "success"


def default_branch_renamed(hosted: Hosted) -> str:
    """What was called for a pull request stays green, and is promoted: the service shows the calls, whichever workflow made
    them."""
    to_call(hosted)
    assert hosted.agree() == 0
    hosted.rename_default("trunk")
    assert hosted.plan() == "success"
    hosted.merge("merge")
    hosted.record()
    assert hosted.fake.issues == []
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    return "success"


def closed_and_opened_again(hosted: Hosted) -> str:
    """A job of the default branch ran in between."""
    to_call(hosted)
    assert hosted.agree() == 0
    hosted.fake.pulls[7] |= {"state": "closed", "closed_at": datetime.now(UTC).isoformat()}
    hosted.record()
    hosted.fake.pulls[7] |= {"state": "open", "closed_at": None}
    hosted.plan()
    return "success"


SITUATIONS = [
    asked_by_a_reader, asked_twice, comment_deleted, comment_deleted_and_planned_again, comment_rewritten, status_taken,
    agent_edited_elsewhere, agent_edited_before_the_calls, combined_by_two_merges, default_branch_renamed, closed_and_opened_again,
]  # fmt: skip


@each(SITUATIONS)
def test_meanwhile(hosted: Hosted, situation: Situation) -> None:
    check_everywhere(hosted, situation)
