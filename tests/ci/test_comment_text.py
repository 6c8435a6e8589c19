"""The comment on a pull request and the reply, as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from planner.changes.model import ChangeSet
from planner.changes.weakened import Weakened
from planner.ci.comment import MAX_CHARACTERS
from planner.diagnostics import Diagnostics, Span
from planner.errors import IncompleteError, PlanInvalidError, UsageError
from planner.reports.change_set import PlanView
from planner.reports.problems import render_invalid, render_problem
from planner.reports.pull_request import CommentFacts, Offer, PullRequest, render_comment
from planner.reports.reply import render_reply
from planner.results.model import CaseResult, JudgedRun, RunResult
from planner.results.money_documents import ConsentDocument
from planner.results.outcomes import CaseState, CheckState, RequiredCheck

PULL = PullRequest("7", "c" * 40, "main", "main", "https://x.test/call", "https://x.test/run", "https://x.test/main")
DIGEST = "sha256:" + "9" * 64


def check(state: CheckState, description: str, **cases: list[str]) -> RequiredCheck:
    return RequiredCheck(1, state, description, DIGEST, {CaseState(name): ids for name, ids in cases.items()})


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the agent never said it", "\nthe agent never said it\n"),
        ("took {} s, at most 1", "\n`refunds/order[n=0]@support`: took 40 s, at most 1\n"),
    ],
)
def test_300_equal_failures_are_shown_once(
    make_case: Callable[..., CaseResult],
    make_run: Callable[..., JudgedRun],
    change_set: ChangeSet,
    message: str,
    shown: str,
) -> None:
    """With their number and names, and one message: an example if numbers in it differ. Another failure has its own."""
    run = make_run(states_window=("failed", "error"))

    def failed(name: str, text: str) -> CaseResult:
        findings = [run.findings[0].model_copy(update={"message": text})]
        runs = [run.model_copy(update={"findings": findings})]
        return make_case(f"refunds/{name}@support", runs=runs, outcome="failed", runs_passed=0)

    cases = [failed(f"order[n={number}]", message.format(40 + number)) for number in range(300)]
    cases.append(failed("other", "rude"))
    ids = [case.case_id for case in cases]
    red = check(CheckState.FAILURE, "301 failed", failed=ids)
    facts = CommentFacts(PULL, offer=Offer(DIGEST, "9.60", 301, "start over: fixed"))
    text = render_comment(PlanView(change_set, [], [], ""), red, cases, {name: name for name in ids}, facts)
    assert text.count("**300 cases** failed: ") == text.count(shown) == 1
    assert "**`refunds/other@support`** failed" in text
    assert "<summary>These cases (300)</summary>" in text
    assert f"/planner run {DIGEST} up to 9.60 start over: fixed" in text
    assert len(text) < 20_000 < MAX_CHARACTERS


@pytest.mark.parametrize("ways", [1, 300])
def test_300_weakened_tests_stay_above_the_fold(ways: int, change_set: ChangeSet) -> None:
    """All of the same way, or each of its own: the first ones, the number of all, and all of them folded."""
    ids = [f"refunds/order[n={number}]@support" for number in range(300)]
    tests = {f"runs lowered: {way + 2} → 1": ids[way::ways] for way in range(ways)} | {
        "severity lowered: call": ids[:1]
    }
    facts = CommentFacts(PULL, weakened=Weakened(tests, failing=["refunds/late@support"]))
    text = render_comment(PlanView(change_set, [], [], ""), check(CheckState.SUCCESS, "300 passed"), [], {}, facts)
    assert "300 tests weakened, 1 failing case removed\n" in text.splitlines(keepends=True)[0]
    above, _, folded = text.partition("<details>")
    assert "failing case removed · `refunds/late@support`" in above
    assert "severity lowered: call · `refunds/order[n=0]@support`" in above
    assert (len(above) < 1_000, "`refunds/order[n=298]@support`" in folded) == (True, True)


@pytest.mark.parametrize(
    ("cents", "said"),
    [("2.40", "up to 2.40"), ("", "up to DOLLARS")],
)
def test_an_unknown_price_leads_to_the_workflow_that_records_it(cents: str, said: str, change_set: ChangeSet) -> None:
    to_call = RequiredCheck(3, CheckState.PENDING, "2 calls to make", DIGEST, {CaseState.TO_CALL: ["a"]}, calls=2)
    facts = CommentFacts(PULL, offer=Offer(DIGEST, cents, 2))
    text = render_comment(PlanView(change_set, [], [], ""), to_call, [], {"a": "a"}, facts)
    assert said in text
    assert ("[record prices](https://x.test/main)" in text) == (not cents)


@pytest.mark.parametrize(
    ("again_at", "times"),
    [(datetime(2026, 11, 25, 9, tzinfo=UTC), 2), (None, 0)],
)
def test_unconfirmed_calls_name_the_time_to_go_on(again_at: datetime | None, times: int, change_set: ChangeSet) -> None:
    """Both in what happened and above the command."""
    to_collect = RequiredCheck(
        3, CheckState.PENDING, "1 to check", DIGEST, {CaseState.TO_COLLECT: ["a"]}, calls=0, open_calls=1
    )
    view = PlanView(change_set, [], [], "", unconfirmed={"a": 1}, again_at=again_at)
    text = render_comment(view, to_collect, [], {"a": "a"}, CommentFacts(PULL, offer=Offer(DIGEST, "2.40", 0)))
    assert "**To check and resume**, post this" in text
    assert text.count("2026-11-25 09:00:00 UTC") == times


@pytest.mark.parametrize(
    ("outcome", "start"),
    [
        ({"exit_code": 1}, "@bob ❌ 1 failed · $0.80 of at most $1.00"),
        ({"exit_code": 130}, "@bob ⏹ Cancelled · $0.80 of at most $1.00"),
        (
            {"exit_code": 4, "problems": ["the service answers 503."]},
            "@bob ❌ 1 failed · the service answers 503 · $0.80",
        ),
        (
            {"exit_code": 3, "problems": ["too expensive @ana"], "consent": ConsentDocument(given=False, by="bob")},
            "@bob ✋ Refused, nothing was called: too expensive @\u200bana · [job",
        ),
        ({"exit_code": 1, "consent": ConsentDocument(given=True, by="x <b>")}, "`x <b>` ❌ 1 failed"),
        ({"exit_code": 1, "consent": ConsentDocument(given=False)}, ""),
    ],
)
def test_the_reply(make_result: Callable[..., RunResult], outcome: dict[str, Any], start: str) -> None:
    """One line. Only whoever agreed is mentioned."""
    agreed = ConsentDocument(given=True, by="bob", max_cost_cents=100)
    result = make_result(**{"consent": agreed, **outcome})
    text = render_reply(result, check(CheckState.FAILURE, "1 failed"), PULL, "")
    assert text.startswith(start)
    assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (
            UsageError("no plans in <plans/>", "Add one"),
            "### ❌ No plans in &lt;plans/&gt;\n\nAdd one\n\nFull log: [this job](https://x.test/run).",
        ),
        (IncompleteError("GitHub answered 502", "Try again later"), "### ⏳ GitHub answered 502\n\nTry again later"),
    ],
)
def test_an_error_leads_to_its_job(error: UsageError | IncompleteError, start: str) -> None:
    text = render_problem(error, "", "https://x.test/run")
    assert text.startswith(start)
    assert "[this job](https://x.test/run)" in text.lower()


@pytest.mark.parametrize(
    ("detail", "longest"),
    [
        ("there is no check `sayz{}`", 10_000),
        ("there is no check `" + "sayz" * 1_000 + "{}`", MAX_CHARACTERS),
    ],
    ids=["short", "long"],
)
def test_150_errors_of_a_plan(detail: str, longest: int) -> None:
    """The first, and how many more. A single error of another kind is not lost among them."""
    found = Diagnostics()
    for number in range(150):
        span = Span("plans/hours.yaml", number + 5, 22, number + 5, 26)
        found.error("unknown-check", "No such check", detail.format(number), span)
    found.error("unknown-key", "Unknown key", "a scenario has no key `promt`", Span("plans/z.yaml", 9, 5, 9, 10))
    text = render_invalid(found, "https://x.test/blob/c")
    assert text.startswith("### ❌ Nothing can be called: the plans have 151 errors\n")
    assert (text.count("(`unknown-check`)"), text.count("(`unknown-key`)")) == (20, 1)
    assert "- and 130 more\n" in text
    assert "[`plans/hours.yaml:5:22`](https://x.test/blob/c/plans/hours.yaml#L5)" in text
    assert len(render_problem(PlanInvalidError("x", found), "https://x.test/blob/c", "")) < longest
