"""How a session ends: exit code, what stopped it, and the commands that it suggests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from planner.errors import StoreError
from planner.execution.engine import Outcome, UnsettledLaunch
from planner.results.model import CaseResult
from planner.results.next_steps import NextStepCode
from planner.results.outcomes import Action, Cause
from planner.verdicts.ending import ending_of, first_of, why_not_called
from planner.verdicts.gate import Gate
from planner.verdicts.next_steps import NextCommands
from tests.support.stored_cases import NO_NUMBER
from tests.verdicts.test_gate import WORSE
from tests.verdicts.test_result_comparison import case

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 10, tzinfo=UTC)
COMMANDS = NextCommands("RESUME", "RESUME FREE", "RERUN", "RERUN FREE", "FAILED", "ALL", "READ", "RECONCILE")
PASSED = case("good", "passed", 3)
FAILED = case("bad", "failed", 0, 3)
READ_FAILED = ("transcript", "READ p/bad@s --failed")
QUARANTINE = {"until": "2026-12-31", "reason": "x"}


def unknown(name: str = "open", cause: str = "judge", **fields: Any) -> CaseResult:
    """A case with one run that is undecided for lack of `fields`."""
    found = case(name, "unknown", 0, platform=1)
    run = found.runs[0].model_copy(update={"cause": Cause(cause), **fields})
    return found.model_copy(update={"runs": [run]})


RECHECKED = unknown().model_copy(update={"action": Action.RECHECK, "reason": "expectations_changed"})
"""To `--rerun failed` it is still what the older expectations found."""


def unsettled(cents: int = 32, *, needs_person: bool = False, again_at: datetime | None = None) -> UnsettledLaunch:
    return UnsettledLaunch("1", ("p/open@s",), cents, needs_person, "", again_at)


def called(found: CaseResult) -> CaseResult:
    """The case, with conversations."""
    return found.model_copy(update={"runs": [run.model_copy(update={"call_id": 8}) for run in found.runs]})


CALLED, UNDECIDED = called(FAILED), called(unknown(missing=["grade"]))
FRUITLESS = unknown(cause="platform").model_copy(update={"inconclusive_sessions": 2})
WAITING = {"p/open@s"}


@pytest.mark.parametrize(
    ("codes", "first"),
    [((), 0), ((4, 1), 1), ((1, 3), 3), ((3, 2), 2), ((2, 130), 130), ((130, 5), 5), ((4,), 4)],
)
def test_the_most_urgent_exit_code_wins(codes: tuple[int, ...], first: int) -> None:
    assert first_of(codes) == first


@pytest.mark.parametrize(
    ("cases", "outcome", "overdue", "gate", "code", "word", "finished"),
    [
        ([PASSED], Outcome(), (), Gate(), 0, "passed", True),
        ([PASSED, FAILED], Outcome(), (), Gate(), 1, "failed", True),
        ([PASSED], Outcome(), (), Gate(suite=WORSE), 1, "failed", True),
        ([unknown()], Outcome(), (), Gate(), 4, "unknown", True),
        ([unknown().model_copy(update={"quarantine": QUARANTINE})], Outcome(), (), Gate(), 0, "passed", True),
        ([FAILED, unknown()], Outcome(), (), Gate(), 1, "failed", True),
        ([unknown()], Outcome(overdue=1), WAITING, Gate(), 4, "unknown", False),
        ([PASSED], Outcome(overdue=1), {"p/good@s"}, Gate(), 0, "passed", True),
        ([unknown()], Outcome(left={"p/open@s": 2}), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(fail_fast=True), (), Gate(), 1, "failed", True),
        ([PASSED], Outcome(interrupted=True), (), Gate(), 130, "interrupted", False),
        ([FAILED], Outcome(usage="a bad key"), (), Gate(), 2, "refused", False),
        ([FAILED], Outcome(refusal="402"), (), Gate(), 3, "refused", False),
        ([PASSED], Outcome(ceiling="--max-cost"), (), Gate(), 3, "refused", False),
        ([PASSED], Outcome(trouble="no network"), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(blocked="the store failed"), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(anomalies={"run 7": "no such case"}), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(unsettled=(unsettled(),)), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(broken="--max-cost"), (), Gate(), 0, "passed", True),
    ],
)  # fmt: skip
def test_exit_code_and_outcome(
    cases: list[CaseResult], outcome: Outcome, overdue: Any, gate: Gate, code: int, word: str, finished: bool
) -> None:
    """Quarantined cases do not count; an unfinished session never becomes a baseline."""
    ending = ending_of(cases, outcome, set(overdue), COMMANDS, gate)
    assert (ending.exit_code, ending.outcome, ending.finished) == (code, word, finished)


REFUSED = Outcome(usage="GET /v1/calls: 401", trouble="GET /v1/calls: 401")


@pytest.mark.parametrize(
    ("outcome", "problems"),
    [
        (Outcome(), []),
        (Outcome(interrupted=True), ["interrupted"]),
        (Outcome(ceiling="--max-cost"), ["(--max-cost)"]),
        (Outcome(ceiling="--max-cost", ceiling_detail="$1 of $1"), ["($1 of $1)"]),
        (Outcome(broken="--max-cost"), ["--max-cost"]),
        (Outcome(trouble="no network", blocked="locked"), ["no network", "locked"]),
        (REFUSED, ["GET /v1/calls: 401"]),
        (Outcome(anomalies={"1": "strange data", "2": "unknown run"}), ["strange data", "unknown run"]),
        (Outcome(unsettled=(unsettled(), unsettled(18))), ["2 unconfirmed launches (up to $0.50)"]),
        (
            Outcome(unsettled=(unsettled(again_at=NOW), unsettled(again_at=LATER))),
            ["again after 2026-11-25 10:00:00 UTC"],
        ),
        (
            Outcome(unsettled=(unsettled(again_at=NOW), unsettled(again_at=LATER, needs_person=True))),
            ["after 2026-11-25 09:00:00"],
        ),
        (Outcome(left={"a": 2, "b": 1}), ["3 calls of 2 cases not made"]),
    ],
)
def test_what_stopped_the_calls_is_named_once(outcome: Outcome, problems: list[str]) -> None:
    found = ending_of([PASSED], outcome, set(), COMMANDS).problems
    assert len(found) == len(problems)
    assert all(part in problem for part, problem in zip(problems, found, strict=True))


@pytest.mark.parametrize(
    ("outcome", "late", "unreadable"),
    [
        (Outcome(overdue=1), True, False),
        (Outcome(overdue=1, unread=["no JSON"]), False, True),
        (Outcome(overdue=2, unread=["no JSON"]), True, True),
        (Outcome(), True, False),
    ],
)
def test_late_and_unreadable_runs_differ(outcome: Outcome, late: bool, unreadable: bool) -> None:
    (problem,) = ending_of([unknown(cause="platform")], outcome, WAITING, COMMANDS).problems
    assert ("did not end in time" in problem, "cannot be read: no JSON" in problem) == (late, unreadable)


@pytest.mark.parametrize(
    ("cases", "outcome", "overdue", "steps"),
    [
        ([PASSED], Outcome(), (), []),
        ([PASSED], Outcome(interrupted=True), (), [("resume", "RESUME")]),
        ([PASSED], Outcome(left={"a": 1}), (), [("resume", "RESUME")]),
        ([unknown(cause="platform")], Outcome(overdue=1), WAITING, [("wait", ""), ("resume", "RESUME FREE")]),
        ([unknown(cause="platform"), unknown("b", "platform")], Outcome(overdue=1), WAITING, [("wait", ""), ("resume", "RESUME")]),
        ([unknown(cause="platform")], Outcome(overdue=1, trouble="x"), WAITING, [("wait", ""), ("resume", "RESUME")]),
        ([PASSED], Outcome(ceiling="--max-cost"), (), [("raise_ceiling", "")]),
        ([PASSED], Outcome(ceiling="the balance", ceiling_by_service=True), (), [("top_up", "")]),
        ([PASSED], Outcome(unsettled=(unsettled(),)), (), [("resume", "RESUME")]),
        ([PASSED], Outcome(unsettled=(unsettled(again_at=NOW),)), (), [("wait", "RECONCILE"), ("resume", "RESUME")]),
        ([PASSED], Outcome(unsettled=(unsettled(again_at=NOW, needs_person=True),)), (), [("reconcile", "RECONCILE"), ("resume", "RESUME")]),
        ([FAILED], Outcome(), (), []),
        ([UNDECIDED, CALLED], Outcome(), (), [READ_FAILED, ("call_again", "RERUN")]),
        ([UNDECIDED], Outcome(), (), [("transcript", "READ p/open@s --failed"), ("read_again", "RERUN FREE")]),
        ([unknown(cause="platform")], Outcome(), (), [("call_again", "RERUN")]),
        ([unknown(cause="platform"), FAILED], Outcome(), (), [("call_again", "RERUN")]),
        ([FRUITLESS], Outcome(), (), [("call_again", "FAILED")]),
        ([FRUITLESS, unknown(cause="platform")], Outcome(), (), [("call_again", "RERUN"), ("call_again", "FAILED")]),
        ([unknown(missing=["transcript"])], Outcome(), (), [("read_again", "RERUN FREE")]),
        ([unknown(votes_missing=1)], Outcome(), (), [("call_again", "RERUN")]),
        ([unknown(missing=["transcript"]), FAILED], Outcome(), (), [("call_again", "RERUN")]),
    ],
)  # fmt: skip
def test_the_next_steps(cases: list[CaseResult], outcome: Outcome, overdue: Any, steps: list[tuple[str, str]]) -> None:
    """A step that costs nothing suggests the command without calls."""
    found = ending_of(cases, outcome, set(overdue), COMMANDS).next_steps
    assert [(step.code, step.command) for step in found] == steps
    assert [step.charged for step in found] == [command in ("RESUME", "RERUN", "FAILED") for _, command in steps]


def test_a_step_names_the_ceiling_that_is_enough() -> None:
    outcome = Outcome(ceiling="--max-cost", ceiling_enough="$5", left={"a": 1})
    (step,) = ending_of([PASSED], outcome, set(), COMMANDS).next_steps
    assert "($5 is enough) to make the remaining calls" in step.text


def test_raising_runs_decides_open_cases() -> None:
    """Three are named, with their price where it is known; the others are counted."""
    open_cases = [
        unknown(f"c{number}").model_copy(update={"more_runs": 4, "more_runs_cents": 64}) for number in range(3)
    ]

    def raised(*cases: CaseResult) -> list[str]:
        steps = ending_of(cases, Outcome(), set(), COMMANDS).next_steps
        return [step.text for step in steps if step.code is NextStepCode.RAISE_RUNS]

    steps = raised(*open_cases)
    assert all(
        f"p/c{number}@s, raise its `runs` from 1 to about 5, about $0.64" in steps[number] for number in range(3)
    )
    assert len(steps) == 3
    more = [*open_cases, unknown("c3").model_copy(update={"more_runs": 2}), unknown("c4")]
    assert raised(*more)[3:] == ["1 more case also needs more `runs`."]
    (unpriced,) = raised(*more[3:])
    assert "from 1 to about 3. " in unpriced
    (judged,) = raised(open_cases[0].model_copy(update={"judged_by": "m"}))
    assert "about $0.64 plus judge calls" in judged


def test_new_calls_are_not_suggested_where_they_would_be_undecided_too() -> None:
    """As where an expectation with its own rate was decided in no run."""
    for findings, steps in (([], 1), ([NO_NUMBER], 0)):
        case_ = case("open", "unknown", 1)
        runs = [case_.runs[0].model_copy(update={"findings": findings})]
        found = ending_of([case_.model_copy(update={"runs": runs})], Outcome(), set(), COMMANDS)
        assert sum(step.code is NextStepCode.CHANGE_EXPECTATIONS for step in found.next_steps) == steps
        assert sum("new calls would be undecided too" in problem for problem in found.problems) == 1 - steps


@pytest.mark.parametrize(("rate", "more_runs_help"), [(1.0, False), (0.6, True)])
def test_a_case_out_of_reach_is_not_called_again(rate: float, more_runs_help: bool) -> None:
    """Where every run must pass, a failed one is final: more of them are no way out."""
    failed = FAILED.model_copy(update={"min_pass_rate": rate})
    (step,) = ending_of([failed], Outcome(), set(), COMMANDS, out_of_reach={"p/bad@s"}).next_steps
    assert (step.code, step.command) == (NextStepCode.START_OVER, "RERUN --start-over REASON")
    assert ("`runs`" in step.text) is more_runs_help


@pytest.mark.parametrize(
    ("cases", "parts"),
    [
        ([unknown()], ["could not be judged although their evidence is complete"]),
        ([unknown()], ["or call again (--rerun failed, charged)"]),
        ([RECHECKED], ["or call again (--rerun all, with --select, charged)"]),
        ([unknown(cause="platform")], []),
        ([unknown(missing=["transcript", "call"])], ["(call, transcript)"]),
        ([unknown(missing=["call"], votes_missing=2)], ["(call)", "2 votes of the judge are missing: the next `planner run` requests them"]),
        ([unknown(votes_missing=1, reason="x: late")], ["1 vote of the judge is missing (x: late): the next `planner run` requests it"]),
        (
            [unknown(votes_missing=1, reason="x: late"), unknown("b", votes_missing=1, reason="y: gone")],
            ["2 votes of the judge are missing (x: late; and for 1 other reason)"],
        ),
        ([unknown(votes_missing=1), unknown("b")], ["could not be judged", "1 vote of the judge"]),
        ([unknown(findings=[NO_NUMBER]), unknown("b", findings=[NO_NUMBER])], ["2 transferred calls undecided"]),
        ([unknown(findings=[NO_NUMBER]), unknown("b")], ["1 transferred call undecided", "could not be judged"]),
    ],
)  # fmt: skip
def test_why_cases_are_undecided(cases: list[CaseResult], parts: list[str]) -> None:
    problems = ending_of(cases, Outcome(), set(), COMMANDS).problems
    assert len(problems) == len(parts), problems
    assert all(part in problem for part, problem in zip(parts, problems, strict=True))


def test_results_that_cannot_be_stored_are_no_baseline() -> None:
    """A failure stays a failure; the store's hint is named once."""
    error = StoreError("disk full", hint="make room")
    for case_, code, word in ((PASSED, 4, "unknown"), (FAILED, 1, "failed")):
        ended = ending_of([case_], Outcome(), set(), COMMANDS)
        again = ended.with_store_error(error).with_store_error(error)
        assert (again.exit_code, again.outcome, again.finished) == (code, word, False)
        assert [step.text for step in again.next_steps].count("make room") == 1
        assert again.problems[-1] == "disk full"


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome(), ""),
        (Outcome(interrupted=True, fail_fast=True), "interrupted; --fail-fast"),
        (Outcome(ceiling="--max-cost"), "ceiling reached (--max-cost)"),
        (Outcome(refusal="402", usage="401"), "402"),
        (Outcome(usage="401", trouble="x"), "401"),
        (Outcome(trouble="x", blocked="y"), "x"),
        (Outcome(blocked="y", unsettled=(unsettled(),)), "y; their launch is unconfirmed"),
    ],
)
def test_why_calls_were_not_made(outcome: Outcome, why: str) -> None:
    assert why_not_called(outcome) == why


def test_what_was_refused_is_corrected_first() -> None:
    """The same command would be refused again."""
    why = "HTTP 400: no such voice"
    for outcome, is_named in ((Outcome(usage=why), True), (Outcome(refusal=why), True), (Outcome(trouble=why), False)):
        step = ending_of([PASSED], outcome, frozenset(), COMMANDS).next_steps[-1]
        assert (step.code, step.command) == ("resume", "RESUME")
        assert ("refused until it is corrected: HTTP 400: no such voice. Then" in step.text) is is_named
