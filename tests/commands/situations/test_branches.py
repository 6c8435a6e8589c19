"""Branches: adoption, release branches, stacked pull requests, the ways to merge, deployment, several projects."""

from __future__ import annotations

import re

from hosted import Hosted, Project

from tests.commands.situations.conftest import (  # pyright: ignore[reportMissingImports]
    ANA_IS_ANGRY,
    ANGRY,
    BOTH,
    FILE,
    PLAN,
    Situation,
    adopts,
    check_everywhere,
    each,
    to_call,
)


@adopts
def base_never_called(hosted: Hosted) -> str:
    """What the pull request does not touch is left to the base branch, whose issue has the calls."""
    hosted.begin({FILE: PLAN})
    hosted.push("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.plan()
    assert hosted.comment() == "", "it is no news of this pull request"
    assert [issue["state"] for issue in hosted.fake.issues] == ["open"]
    return "success"


@adopts
def empty_repository(hosted: Hosted) -> str:
    """One command and a merge, which starts the job that records prices: the first comment has a price."""
    hosted.adopt()
    written = [path.name for path in sorted((hosted.work / ".github/workflows").iterdir())]
    assert written == ["phone-plans-call.yml", "phone-plans-main.yml", "phone-plans.yml"]
    first = (hosted.work / "plans/first.yaml").read_text(encoding="utf-8")
    hosted.push("topic", {"plans/first.yaml": first.replace("calm", "angry")})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    assert re.search(r"^### 📞 \d+ calls to make · \$\d", hosted.comment(), re.MULTILINE)
    return "pending"


@adopts
def open_before_the_adoption(hosted: Hosted) -> str:
    """Its next event starts the workflow, which says to update the branch."""
    hosted.before_adoption("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.begin({FILE: PLAN})
    assert hosted.comment() == ""
    assert hosted.plan() == "pending"
    assert "Update the branch" in hosted.comment()
    return "pending"


def into_a_release_branch(hosted: Hosted) -> str:
    """Calls of the default branch count for the same case; the others are made for this branch, and are not the default
    branch's after the merge."""
    hosted.push("release", {"notes.md": "release\n"})
    hosted.push("topic", {FILE: ANGRY}, start="release")
    hosted.open("topic", into="release")
    assert hosted.plan() == "pending"
    assert "1 call to make" in hosted.comment()
    hosted.check()
    assert hosted.agree() == 0
    assert hosted.status()["state"] == hosted.plan() == "success"
    hosted.check()
    hosted.merge("squash")
    hosted.record()
    hosted.push("next", {FILE: ANGRY})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "pending"
    hosted.may_be_paid_again[ANA_IS_ANGRY] = 1
    assert hosted.agree(8) == 0
    return "success"


def stacked(hosted: Hosted) -> str:
    """A pull request into the branch of another one, which is called first: only its own change is called."""
    to_call(hosted)
    assert hosted.agree() == 0
    hosted.push("second", {FILE: BOTH}, start="topic")
    hosted.open("second", number=8, into="topic")
    assert hosted.plan(8) == "pending"
    hosted.check(8)
    assert hosted.agree(8) == 0
    assert "2 passed" in hosted.status(8)["description"], "the calls of the other one count here"
    hosted.check(8)
    return "success"


def squashed(hosted: Hosted) -> str:
    return _merged(hosted, "squash")


def rebased(hosted: Hosted) -> str:
    return _merged(hosted, "rebase")


def _merged(hosted: Hosted, how: str) -> str:
    """The calls count for the default branch: neither it nor the next pull request needs any."""
    to_call(hosted)
    assert hosted.agree() == 0
    paid = hosted.calls()
    hosted.merge(how)
    hosted.record()
    assert [issue["state"] for issue in hosted.fake.issues] in ([], ["closed"])
    hosted.push("next", {"notes.md": "x\n", FILE: ANGRY.replace("status: completed", "min_turns: 1")})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    assert hosted.calls() == paid
    return "success"


@adopts
def an_agents_file(hosted: Hosted) -> str:
    """Called on a preview, merged, deployed: its calls are those of the deployed agent, and no preview is left."""
    hosted.begin({FILE: PLAN})
    hosted.pull_agent("clinic", FILE, "{agent: 12}", "{agent: 12, config: ../agents/clinic.yaml}")
    assert hosted.of_default_branch() == 0
    file = "agents/clinic.yaml"
    hosted.push("topic", {file: hosted.edited_agent(file)})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    assert "prompt changed" in hosted.comment()
    hosted.check()
    hosted.may_be_paid_again.update(hosted.calls())
    assert hosted.agree() == 0
    assert hosted.status()["state"] == "success"
    hosted.merge("squash")
    hosted.record()
    paid = hosted.calls()
    assert "`planner agent deploy clinic`" in hosted.fake.issues[0]["body"]
    assert hosted.deploy("clinic") == 0, hosted.last.err
    hosted.record()
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    assert (hosted.calls(), hosted.comment(8)) == (paid, "")
    return "success"


@adopts
def tools_with_a_test_address(hosted: Hosted) -> str:
    """The comment shows the address. The calls on previews count for the default branch, which makes none."""
    hosted.begin({FILE: PLAN})
    hosted.pull_agent("clinic", FILE, "{agent: 12}", "{agent: 12, config: ../agents/clinic.yaml}")
    assert hosted.of_default_branch() == 0
    file, test_tools = "agents/clinic.yaml", "test_tools: {refund: 'https://test.example.com/refund'}"
    tools = "tools: [{name: refund, url: 'https://bank.example.com/refund'}]\n"
    plan = (hosted.work / FILE).read_text(encoding="utf-8").replace("clinic.yaml}", f"clinic.yaml, {test_tools}}}")
    hosted.push("topic", {file: hosted.edited_agent(file) + tools, FILE: plan})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    assert "prompt and tools changed, other address of `refund`, called on a preview" in hosted.comment()
    assert "https://test.example.com/refund" in hosted.comment()
    hosted.may_be_paid_again.update(hosted.calls())
    assert hosted.agree() == 0
    hosted.merge("squash")
    hosted.record()
    paid = hosted.calls()
    assert "to call on this branch" in hosted.last.out
    assert "0 cases to call" in hosted.last.out
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    assert hosted.calls() == paid
    return "success"


VOICE, CHAT = Project("voice", "voice"), Project("apps/chat", "chat")


@adopts
def several_projects(hosted: Hosted) -> str:
    """Each has its comment, status and calls, and the prices of its own agents; a pull request to one is green for the
    other."""
    chat = PLAN.replace("Ana", "Dora").replace("Bob", "Eve").replace("agent: 12", "agent: 14")
    hosted.begin({f"voice/{FILE}": PLAN, f"apps/chat/{FILE}": chat}, (VOICE, CHAT))
    hosted.push("early", {f"voice/{FILE}": ANGRY})
    hosted.open("early", number=6)
    assert hosted.plan(6, VOICE) == "pending"
    assert " expected (" in hosted.comment(6, VOICE)
    for project in (VOICE, CHAT):
        assert hosted.of_default_branch(project) == 0, hosted.last.err
    hosted.push("topic", {f"voice/{FILE}": ANGRY})
    hosted.open("topic")
    assert [hosted.plan(project=project) for project in (VOICE, CHAT)] == ["pending", "success"]
    assert hosted.command(project=VOICE).startswith("/planner run voice sha256:")
    assert hosted.comment(project=CHAT) == ""
    paid = hosted.calls()
    for words in ("/planner run", hosted.command(project=VOICE).replace(" voice", "")):
        assert hosted.agree(project=CHAT, command=words) == 2
        assert f"Post one of: `{hosted.command(project=VOICE)}`" in hosted.reply()
    assert hosted.calls() == paid
    assert hosted.agree(project=VOICE) == 0
    assert hosted.calls() - paid == {ANA_IS_ANGRY: 1}
    assert [hosted.plan(project=project) for project in (VOICE, CHAT)] == ["success", "success"]
    hosted.check(project=VOICE)
    hosted.check(project=CHAT)
    hosted.merge("squash")
    for project in (VOICE, CHAT):
        hosted.record(project)
    hosted.push("next", {f"apps/chat/{FILE}": chat.replace("status: completed", "min_turns: 1")})
    hosted.open("next", number=8)
    assert [hosted.plan(8, project) for project in (VOICE, CHAT)] == ["success", "success"]
    return "success"


def last_plan_deleted(hosted: Hosted) -> str:
    """Green, and the comment says what that means. After the merge, nothing is left for the default branch to call, and
    the next pull request is told, too."""
    hosted.push("main", {FILE: ANGRY})
    hosted.record()
    assert [issue["state"] for issue in hosted.fake.issues] == ["open"]
    hosted.push("topic", {})
    (hosted.work / FILE).unlink()
    hosted.push("topic", {"notes.md": "no plans\n"})
    hosted.open("topic")
    assert hosted.plan() == "success"
    assert "### ⚠️ This pull request deletes the last plan: nothing is tested from now on" in hosted.comment()
    hosted.merge("squash")
    hosted.record()
    assert [issue["state"] for issue in hosted.fake.issues] == ["closed"]
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    assert "### ⚠️ There are no plans, here or on the base branch" in hosted.comment(8)
    return "success"


SITUATIONS = [
    last_plan_deleted, empty_repository, base_never_called, open_before_the_adoption, into_a_release_branch, stacked, rebased,
    an_agents_file, tools_with_a_test_address, several_projects,
]  # fmt: skip
PUBLIC = [squashed]


@each(SITUATIONS, PUBLIC)
def test_branches(hosted: Hosted, situation: Situation) -> None:
    check_everywhere(
        hosted,
        situation,
        project=VOICE if situation is several_projects else None,
        queue=situation is not open_before_the_adoption,  # a merge group has the plans
    )
