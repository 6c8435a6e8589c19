"""The required check in the situations of a pull request's life, in private and in public repositories.

Each situation ends in a state. For every one of them: the status is green only if the service's ledger has the calls, no call
was paid for twice, and status and comment lead on. Then planning again (an edited title, a job that is run again, the merge
queue) must give the same answer.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_github import Fault, fake_github
from hosted import Hosted, Project

from tests.commands.conftest import (
    Project as Program,  # pyright: ignore[reportMissingImports]
)
from tests.commands.conftest import (
    Served,  # pyright: ignore[reportMissingImports]
    server,
)

FILE = "plans/hours.yaml"
PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
  sunday:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    expect: [{check: call, status: completed}]
"""
ANGRY, SAD, GLAD = (PLAN.replace("Ana, calm", f"Ana, {mood}") for mood in ("angry", "sad", "glad"))
BOTH = ANGRY.replace("Bob, calm", "Bob, angry")
CHECK = "{check: call, status: completed}"
FAILING = ANGRY.replace(CHECK, "{check: duration, max_seconds: 1}", 1)
ANA_IS_ANGRY = "You are Ana, angry. Ask when the clinic is open on Saturday."
KILLED_AT_ONCE = int(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all situations."""
    with server(tmp_path_factory) as start:
        yield start()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def hosted(
    project: Program,
    shared: Served,
    serve: Callable[[], Served],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    situation: Callable[[Hosted], str],
    is_public: bool,
) -> Iterator[Hosted]:
    """The default branch has called its plans."""
    is_alone = situation in (
        killed,
        service_down,
        *ON_THEIR_OWN,
    )  # the service's clock is put forward, or the agent edited
    with fake_github() as fake:
        hosted = Hosted(tmp_path, project, serve() if is_alone else shared, fake, monkeypatch, is_public)
        folder = kept / str(is_public)
        if folder.is_dir() and not is_alone:
            hosted.begin_as(folder)
        elif situation not in ON_THEIR_OWN:
            hosted.begin({FILE: PLAN})
            assert hosted.of_default_branch() == 0
            fake.issues.clear()
            if not is_alone:
                hosted.keep(folder)
        yield hosted
        shared.release()


def to_call(hosted: Hosted, plan: str = ANGRY) -> None:
    hosted.push("topic", {FILE: plan})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    hosted.check()


def opened(hosted: Hosted) -> str:
    to_call(hosted)
    assert len(hosted.calls()) == 2, "planning calls nobody"
    return "pending"


def untouched(hosted: Hosted) -> str:
    hosted.push("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.plan()
    assert hosted.comment() == ""
    return "success"


def base_never_called(hosted: Hosted) -> str:
    """What the pull request does not touch is left to the base branch, whose issue has the calls."""
    hosted.begin({FILE: PLAN})
    hosted.push("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.plan()
    assert hosted.comment() == "", "it is no news of this pull request"
    assert [issue["state"] for issue in hosted.fake.issues] == ["open"]
    return "success"


def open_before_the_adoption(hosted: Hosted) -> str:
    """No event of it starts a workflow: the first job of the default branch tells it to update its branch, once."""
    hosted.before_adoption("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.begin({FILE: PLAN})
    assert "Update the branch" in hosted.comment()
    hosted.record()
    assert len(hosted.fake.comments[7]) == 1
    return hosted.plan()


def commented(hosted: Hosted) -> str:
    to_call(hosted)
    assert hosted.agree() == 0
    return "success"


def dispatched(hosted: Hosted) -> str:
    to_call(hosted)
    assert hosted.agree(by_form=True) == 0
    return "success"


def pushed_during_the_calls(hosted: Hosted) -> str:
    """The calls end for the older commit; the newer one needs its own."""
    to_call(hosted)

    def push() -> None:
        hosted.push("topic", {FILE: SAD})
        assert hosted.plan() == "pending"

    assert hosted.agree(during=push) == 0
    return "pending"


def pushed_and_back(hosted: Hosted) -> str:
    """What was called for an older push counts when its content comes back."""
    pushed_during_the_calls(hosted)
    hosted.push("topic", {FILE: ANGRY})
    return hosted.plan()


def superseded(hosted: Hosted) -> str:
    """The command of an older push is refused; the comment has the new one."""
    to_call(hosted)
    old = hosted.command()
    hosted.push("topic", {FILE: SAD})
    hosted.plan()
    before = hosted.calls()
    assert [hosted.agree(command=old, by_form=by_form) for by_form in (False, True)] == [3, 3]
    assert (hosted.calls(), hosted.command() != old) == (before, True)
    return "pending"


def two_at_once(hosted: Hosted) -> str:
    """Two pull requests with different changes; the second one is called while the first one's job has not published."""
    to_call(hosted)
    hosted.push("other", {FILE: PLAN.replace("Bob, calm", "Bob, sad")})
    hosted.open("other", number=8)
    assert hosted.plan(8) == "pending"
    assert hosted.agree(during=lambda: hosted.agree(8)) == 0
    hosted.check(8)
    assert hosted.status(8)["state"] == "success"
    return "success"


def of_a_fork(hosted: Hosted) -> str:
    hosted.push("topic", {FILE: ANGRY})
    hosted.open("topic", is_fork=True)
    assert hosted.plan() == "pending"
    hosted.check()
    assert hosted.agree() == 0
    return "success"


def into_a_release_branch(hosted: Hosted) -> str:
    """Calls of the default branch count for the same case; its own are promoted there by nobody yet."""
    hosted.push("release", {"notes.md": "release\n"})
    hosted.push("topic", {FILE: ANGRY}, start="release")
    hosted.open("topic", into="release")
    assert hosted.plan() == "pending"
    assert "1 call to make" in hosted.comment()
    hosted.check()
    assert hosted.agree() == 0
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
    assert hosted.status(8)["state"] == "success"
    hosted.check(8)
    return "success"


def cancelled(hosted: Hosted) -> str:
    to_call(hosted, BOTH)
    assert hosted.agree(kill=int(signal.SIGINT)) == 130
    assert hosted.command()
    return "pending"


def cancelled_and_run_again(hosted: Hosted) -> str:
    cancelled(hosted)
    assert hosted.agree() == 0
    return "success"


def killed(hosted: Hosted) -> str:
    """The machine is gone after a launch, with its journal."""
    to_call(hosted, BOTH)
    hosted.agree(kill=KILLED_AT_ONCE, until="run")
    hosted.service.settle()
    assert hosted.plan() == "pending"
    hosted.check()
    assert hosted.agree() == 0
    return "success"


def lost_before_publishing(hosted: Hosted) -> str:
    """The calls were made and stored; planning again finds them."""
    to_call(hosted)
    assert hosted.agree(until="run") == 0
    assert hosted.status()["state"] == "pending"
    hosted.check()
    return hosted.plan()


def lost_and_asked_again(hosted: Hosted) -> str:
    """The same comment once more finds nothing to call."""
    to_call(hosted)
    assert hosted.agree(until="run") == 0
    assert hosted.agree() == 0
    return "success"


def failed(hosted: Hosted) -> str:
    to_call(hosted, FAILING)
    assert hosted.agree() == 1
    return "failure"


def failed_and_fixed_elsewhere(hosted: Hosted) -> str:
    """The command of the red comment calls again, once."""
    failed(hosted)
    hosted.may_be_paid_again[ANA_IS_ANGRY] = 1
    assert hosted.agree() == 1
    return "failure"


def failing_on_base(hosted: Hosted) -> str:
    """What fails on the base branch is no news of a pull request that changes another case."""
    hosted.push("main", {FILE: FAILING})
    hosted.record()
    hosted.of_default_branch()
    to_call(hosted, FAILING.replace("Bob, calm", "Bob, sad"))
    assert hosted.agree() == 1
    assert "Already failing on `main`" in hosted.comment()
    return "success"


def no_balance(hosted: Hosted) -> str:
    return _ended_early(hosted, "no_balance")


def throttled(hosted: Hosted) -> str:
    return _ended_early(hosted, "throttle", retry_after_seconds=9000)


def service_down(hosted: Hosted) -> str:
    """Nobody knows whether the launch arrived: nothing is sent again until the service shows that it did not."""
    return _ended_early(hosted, "error_before", status=503)


def _ended_early(hosted: Hosted, kind: str, **fault: object) -> str:
    """Pending, with the reason; the same command goes on when the service is back."""
    to_call(hosted)
    hosted.service.control({"faults": [{"kind": kind, "times": 99, **fault}]})
    assert hosted.agree() in (3, 4)
    assert hosted.status()["state"] == "pending"
    assert "✋" in hosted.comment()
    assert "It makes no call" not in hosted.comment(), "the next start may call"
    hosted.check()
    hosted.service.release()
    if kind == "error_before":
        hosted.service.settle()
    assert hosted.agree() == 0
    return "success"


def comments_down(hosted: Hosted) -> str:
    """The status is set all the same, and leads to the job; when GitHub is back, the comment is there."""
    hosted.push("topic", {FILE: ANGRY})
    hosted.open("topic")
    hosted.fake.faults.append(Fault("POST", 503, 1, path=r"issues/\d+/comments"))
    assert hosted.plan() == "pending"
    assert "/actions/runs/" in hosted.status()["target_url"]
    assert hosted.comment() == ""
    hosted.check()
    assert hosted.plan() == "pending"
    assert hosted.agree() == 0
    return "success"


def second_attempt(hosted: Hosted) -> str:
    """The job that made calls is run again, with the same comment; so is the job that planned, whose answer is old."""
    to_call(hosted)
    command, old = hosted.command(), hosted.prepare()
    assert hosted.agree() == 0
    made = hosted.calls()
    assert hosted.publish(old) == "success"
    hosted.agree(command=command)
    assert hosted.calls() == made
    return "success"


def invalid(hosted: Hosted) -> str:
    hosted.push("topic", {FILE: ANGRY.replace("scenarios:", "scenarois:")})
    hosted.open("topic")
    hosted.plan()
    return "failure"


def many(hosted: Hosted) -> str:
    """300 cases."""
    head, _, scenarios = PLAN.partition("scenarios:\n")
    first = scenarios.partition("  sunday:")[0]
    cases = "".join(first.replace("saturday", f"s{n}").replace("calm", f"number {n}") for n in range(300))
    to_call(hosted, f"{head}scenarios:\n{cases}")
    assert "300 calls to make" in hosted.comment()
    assert len(hosted.comment()) < 60_000
    return "pending"


def squashed(hosted: Hosted) -> str:
    return _merged(hosted, "squash")


def merged(hosted: Hosted) -> str:
    return _merged(hosted, "merge")


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


def merged_into_a_release_branch(hosted: Hosted) -> str:
    """What was called for the release branch is not the default branch's."""
    into_a_release_branch(hosted)
    hosted.merge("squash")
    hosted.record()
    hosted.push("next", {FILE: ANGRY})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "pending"
    hosted.may_be_paid_again[ANA_IS_ANGRY] = 1
    assert hosted.agree(8) == 0
    return "success"


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
    assert hosted.deploy("clinic") == 0, hosted.last.err
    hosted.record()
    hosted.push("next", {"notes.md": "x\n"})
    hosted.open("next", number=8)
    assert hosted.plan(8) == "success"
    assert (hosted.calls(), hosted.comment(8)) == (paid, "")
    return "success"


VOICE, CHAT = Project("voice", "voice"), Project("apps/chat", "chat")


def several_projects(hosted: Hosted) -> str:
    """Each has its comment, status and calls; a pull request to one is green for the other."""
    chat = PLAN.replace("Ana", "Dora").replace("Bob", "Eve")
    hosted.begin({f"voice/{FILE}": PLAN, f"apps/chat/{FILE}": chat}, (VOICE, CHAT))
    for project in (VOICE, CHAT):
        assert hosted.of_default_branch(project) == 0, hosted.last.err
    hosted.push("topic", {f"voice/{FILE}": ANGRY})
    hosted.open("topic")
    assert [hosted.plan(project=project) for project in (VOICE, CHAT)] == ["pending", "success"]
    assert hosted.command(project=VOICE).startswith("/planner run voice sha256:")
    assert hosted.comment(project=CHAT) == ""
    paid = hosted.calls()
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


SITUATIONS = [
    opened, open_before_the_adoption, untouched, base_never_called, commented, dispatched, pushed_during_the_calls, pushed_and_back, superseded, two_at_once,
    of_a_fork, into_a_release_branch, stacked, cancelled, cancelled_and_run_again, killed, lost_before_publishing,
    lost_and_asked_again, failed, failed_and_fixed_elsewhere, failing_on_base, no_balance, throttled, service_down,
    comments_down, second_attempt, invalid, many, squashed, merged, rebased, merged_into_a_release_branch,
    an_agents_file, several_projects,
]  # fmt: skip
ON_THEIR_OWN = [base_never_called, open_before_the_adoption, an_agents_file, several_projects]
"""They adopt planner themselves."""


PUBLIC = (opened, commented, of_a_fork, failed, second_attempt, squashed)
"""Those of private repositories that are also tried in public ones, which only differ in the agreement to publish results."""


@pytest.mark.parametrize(
    ("situation", "is_public"),
    [
        pytest.param(situation, is_public, id=f"{situation.__name__}{'-public' if is_public else ''}")
        for is_public, situations in ((False, SITUATIONS), (True, PUBLIC))
        for situation in situations
    ],
)
def test_a_situation(hosted: Hosted, situation: Callable[[Hosted], str]) -> None:
    state = situation(hosted)
    number, project = max(hosted.pulls), VOICE if situation is several_projects else Project()
    assert hosted.status(number, project)["state"] == state, hosted.last.err
    hosted.check(number, project)
    paid, comment = hosted.calls(), hosted.comment(number, project)
    assert hosted.plan(number, project) == state, "an edited title, or a job that is run again"
    if situation is not open_before_the_adoption:  # a merge group has the plans
        assert hosted.queue(number, project) == state
    assert hosted.calls() == paid
    assert headline(hosted.comment(number, project)) == headline(comment)


def headline(comment: str) -> str:
    return next((line for line in comment.splitlines() if line.startswith("### ")), "")
