"""Calls that a pull request needs: agreed to, refused, cancelled, lost, failed."""

from __future__ import annotations

import re
import signal

from fake_github import Fault
from hosted import Hosted

from tests.commands.situations.conftest import (  # pyright: ignore[reportMissingImports]
    ANA_IS_ANGRY,
    ANGRY,
    BOTH,
    CHECK,
    FAILING,
    FILE,
    PLAN,
    SAD,
    Situation,
    adopts,
    alone,
    check_everywhere,
    each,
    to_call,
)

KILLED_AT_ONCE = int(signal.SIGKILL)


def untouched(hosted: Hosted) -> str:
    hosted.push("topic", {"notes.md": "x\n"})
    hosted.open("topic")
    hosted.plan()
    assert hosted.comment() == ""
    return "success"


def commented(hosted: Hosted) -> str:
    to_call(hosted)
    assert hosted.agree() == 0
    return "success"


def pushed_during_the_calls_and_back(hosted: Hosted) -> str:
    """The calls end for the older commit; the newer one needs its own. What was called for an older push counts when its
    content comes back."""
    to_call(hosted)

    def push() -> None:
        hosted.push("topic", {FILE: SAD})
        assert hosted.plan() == "pending"

    assert hosted.agree(during=push) == 0
    assert hosted.status()["state"] == hosted.plan() == "pending"
    hosted.check()
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
    assert "the branch is now at" in hosted.reply()
    return "pending"


def two_at_once(hosted: Hosted) -> str:
    """Two pull requests with different changes; the second one is called while the first one's job has not published."""
    to_call(hosted)
    hosted.push("other", {FILE: PLAN.replace("Bob, calm", "Bob, sad")})
    hosted.open("other", number=8)
    assert hosted.plan(8) == "pending"
    assert hosted.agree(during=lambda: hosted.agree(8)) == 0
    hosted.check(8)
    assert hosted.status(8)["state"] == hosted.queue(8, after=[7]) == "success"
    return "success"


def of_a_fork(hosted: Hosted) -> str:
    hosted.push("topic", {FILE: ANGRY})
    hosted.open("topic", is_fork=True)
    assert hosted.plan() == "pending"
    hosted.check()
    assert hosted.agree() == 0
    return "success"


def cancelled_and_run_again(hosted: Hosted) -> str:
    to_call(hosted, BOTH)
    assert hosted.agree(kill=int(signal.SIGINT)) == 130
    assert hosted.status()["state"] == hosted.plan() == "pending"
    hosted.check()
    assert hosted.agree() == 0
    return "success"


@alone
def killed(hosted: Hosted) -> str:
    """The machine is gone after a launch, with its journal."""
    to_call(hosted, BOTH)
    hosted.agree(kill=KILLED_AT_ONCE, until="run")
    hosted.service.settle()
    assert hosted.plan() == "pending"
    hosted.check()
    assert re.search(r"post this as a comment after [0-9-]{10} [0-9:]{8} UTC:", hosted.comment())
    assert hosted.agree() == 0
    return "success"


def lost_and_asked_again(hosted: Hosted) -> str:
    """The calls were made and stored: planning again finds them, and the same comment once more nothing to call."""
    to_call(hosted)
    command = hosted.command()
    assert hosted.agree(until="run") == 0
    assert hosted.status()["state"] == "pending"
    hosted.check()
    assert hosted.plan() == "success"
    assert hosted.agree(command=command) == 0
    return "success"


def none_selected(hosted: Hosted) -> str:
    to_call(hosted)
    assert hosted.agree(command=f"{hosted.command()} only 'nope/*'") == 2
    assert "`only 'nope/*'` matches no case" in hosted.reply()
    return "pending"


def failed(hosted: Hosted) -> str:
    to_call(hosted, FAILING)
    assert hosted.agree() == 1
    return "failure"


def failed_by_new_expectations(hosted: Hosted) -> str:
    """Stored calls do not meet them, and none is to be made."""
    hosted.push("topic", {FILE: PLAN.replace(CHECK, "{check: duration, max_seconds: 1}", 1)})
    hosted.open("topic")
    assert hosted.plan() == "failure"
    return hosted.plan()


def ordered_twice(hosted: Hosted) -> str:
    """The same comment twice, to start over: the second one is answered, and pays for nothing, by comment or form, also
    if the first one's job was lost before it published. The comment has the command to call once more on purpose."""
    failed(hosted)
    for is_lost in (False, True):
        command, made = hosted.command(), hosted.calls()
        hosted.may_be_paid_again[ANA_IS_ANGRY] += 1
        assert hosted.agree(command=command, until="run" if is_lost else "publish") == 1
        for by_form in (False, True):
            assert hosted.agree(command=command, by_form=by_form) == 3
            assert "Refused, nothing was called: already called, as maria agreed at " in hosted.reply()
            assert hosted.status()["state"] == "failure"
        assert hosted.calls() - made == {ANA_IS_ANGRY: 1}
        assert hosted.command() != command
    return "failure"


@alone
def ordered_twice_and_cancelled(hosted: Hosted) -> str:
    """A job that starts over is killed after its launch: the command of the comment goes on with its calls."""
    failed(hosted)
    command, made = hosted.command(), hosted.calls()
    hosted.may_be_paid_again[ANA_IS_ANGRY] += 1
    hosted.agree(kill=KILLED_AT_ONCE, until="run")
    hosted.service.settle()
    assert hosted.command() == command
    assert [hosted.agree(command=command), hosted.agree(command=command)] == [1, 3]
    assert hosted.calls() - made == {ANA_IS_ANGRY: 1}
    return "failure"


def retried_twice(hosted: Hosted) -> str:
    """A failure that more calls could outvote: the same command once more calls nothing, and says the same."""
    to_call(hosted, FAILING.replace("saturday:\n", "saturday:\n    runs: 2\n    min_pass_rate: 0.4\n"))
    command = hosted.command()
    assert hosted.agree(command=command) == 1
    made = hosted.calls()
    assert hosted.agree(command=command) == 1
    assert hosted.calls() == made
    return hosted.status()["state"]


def no_balance(hosted: Hosted) -> str:
    return _ended_early(hosted, "no_balance")


@alone
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


def many(hosted: Hosted) -> str:
    """300 cases."""
    to_call(hosted, _with_cases(300))
    assert "300 calls to make" in hosted.comment()
    assert len(hosted.comment()) < 60_000
    return "pending"


def _with_cases(number: int) -> str:
    head, _, scenarios = PLAN.partition("scenarios:\n")
    first = scenarios.partition("  sunday:")[0]
    cases = "".join(first.replace("saturday", f"s{n}").replace("calm", f"number {n}") for n in range(number))
    return f"{head}scenarios:\n{cases}"


def many_failed(hosted: Hosted) -> str:
    """All in the same way: one quote, their number, and room for the command."""
    to_call(hosted, _with_cases(12).replace(CHECK, "{check: duration, max_seconds: 1}"))
    assert hosted.agree() == 1
    assert "**12 cases** failed: 0/1 passed" in hosted.comment()
    assert len(hosted.comment()) < 5_000
    return "failure"


@adopts
def price_unknown(hosted: Hosted) -> str:
    """The first job of the default branch has not run: whoever agrees writes a ceiling, or records the prices."""
    hosted.begin({FILE: PLAN}, records=False)
    hosted.push("topic", {FILE: ANGRY})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    assert hosted.command().endswith(" up to DOLLARS")
    before = hosted.calls()
    assert hosted.agree() == 2
    assert hosted.calls() == before
    assert hosted.agree(command=hosted.command().replace("DOLLARS", "2.00")) == 0
    return "success"


@adopts
def price_read_by_a_refused_session(hosted: Hosted) -> str:
    """Another agent is called, which the default branch does not know. The job with the key reads its price, and later
    jobs without one show it."""
    hosted.begin({FILE: PLAN})
    hosted.push("topic", {FILE: PLAN.replace("agent: 12", "agent: 14")})
    hosted.open("topic")
    assert hosted.plan() == "pending"
    assert hosted.agree(command=hosted.command().replace("DOLLARS", "0.01")) == 3
    price = re.search(r"2 calls to make · (\$\S+) expected", hosted.comment())
    assert hosted.plan() == "pending"
    assert price is not None
    assert f"2 calls to make · {price[1]} expected" in hosted.comment()
    assert not hosted.command().endswith("DOLLARS")
    return "pending"


def undecided(hosted: Hosted) -> str:
    """Calls that the service failed count for nothing, and are made again only if somebody asks for it."""
    to_call(hosted)
    hosted.may_be_paid_again[ANA_IS_ANGRY] = 3
    hosted.service.control({"faults": [{"kind": "fail_run"}]})
    for _ in range(3):
        assert hosted.agree() == 4
    assert hosted.command().endswith(" rerun failed")
    assert "Undecided: `hours/saturday@clinic`: " in hosted.comment()
    return "pending"


SITUATIONS = [
    untouched, pushed_during_the_calls_and_back, superseded, two_at_once, cancelled_and_run_again, killed, lost_and_asked_again,
    none_selected, failed_by_new_expectations, ordered_twice, ordered_twice_and_cancelled, retried_twice, no_balance, service_down,
    comments_down, second_attempt, many, many_failed, price_unknown, price_read_by_a_refused_session, undecided,
]  # fmt: skip
PUBLIC = [commented, of_a_fork, failed]


@each(SITUATIONS, PUBLIC)
def test_calls(hosted: Hosted, situation: Situation) -> None:
    check_everywhere(hosted, situation)
