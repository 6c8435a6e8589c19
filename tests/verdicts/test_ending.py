"""How a session ends: exit code, what stopped it, and the commands that it suggests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from planner.calls.model import Unsettled
from planner.errors import StoreError
from planner.log.facts import Asked, Intent
from planner.providers.base import Line
from planner.results.model import CaseResult
from planner.results.outcomes import Cause
from planner.verdicts.ending import ending_of, first_of
from planner.verdicts.gate import Gate
from planner.verdicts.next_steps import NextCommands
from planner.verdicts.outcome import Outcome
from tests.verdicts.test_gate import WORSE
from tests.verdicts.test_result_comparison import case

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
COMMANDS = NextCommands("RESUME", "RESUME FREE", "RERUN", "RERUN FREE", "FAILED", "ALL", "READ", "RECONCILE")
PASSED = case("good", "passed", 3)
FAILED = case("bad", "failed", 0, 3)
READ_FAILED = ("transcript", "READ p/bad@s --failed")
QUARANTINE = {"until": "2026-12-31", "reason": "x"}


def unknown(name: str = "open", cause: str = "judge", **fields: Any) -> CaseResult:
    """A case with one run that is undecided for lack of `fields`."""
    found = case(name, "unknown", 0, 1)
    run = found.runs[0].model_copy(update={"cause": Cause(cause), **fields})
    return found.model_copy(update={"runs": [run]})


def unsettled(cents: int = 32, *, needs_person: bool = False, again_at: datetime | None = None) -> Unsettled:
    asked = (Asked("k", "p", 1, cents, case="p/open@s"),)
    line = Line("agent", 12, "outbound", "bot", None)
    intent = Intent(NOW, "a", "1", "c", "s", line, asked, 5.0, "key")
    return Unsettled(intent, needs_person, "", again_at=again_at)


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
        ([PASSED], Outcome(ceilings=("--max-cost",)), (), Gate(), 3, "refused", False),
        ([PASSED], Outcome(trouble="no network"), (), Gate(), 4, "unknown", False),
        ([PASSED], Outcome(anomalies=("no such case",)), (), Gate(), 4, "unknown", False),
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


@pytest.mark.parametrize(
    ("cases", "outcome", "overdue", "steps"),
    [
        ([PASSED], Outcome(), (), []),
        ([PASSED], Outcome(interrupted=True), (), [("resume", "RESUME")]),
        ([PASSED], Outcome(left={"a": 1}), (), [("resume", "RESUME")]),
        ([unknown(cause="platform")], Outcome(overdue=1), WAITING, [("wait", ""), ("resume", "RESUME FREE")]),
        ([unknown(cause="platform"), unknown("b", "platform")], Outcome(overdue=1), WAITING, [("wait", ""), ("resume", "RESUME")]),
        ([unknown(cause="platform")], Outcome(overdue=1, trouble="x"), WAITING, [("wait", ""), ("resume", "RESUME")]),
        ([PASSED], Outcome(ceilings=("--max-cost",)), (), [("raise_ceiling", "")]),
        ([PASSED], Outcome(ceilings=("the balance",), ceiling_by_service=True), (), [("top_up", "")]),
        ([PASSED], Outcome(unsettled=(unsettled(),)), (), [("resume", "RESUME")]),
        ([PASSED], Outcome(unsettled=(unsettled(again_at=NOW),)), (), [("wait", "RECONCILE"), ("resume", "RESUME")]),
        ([PASSED], Outcome(unsettled=(unsettled(again_at=NOW, needs_person=True),)), (), [("reconcile", "RECONCILE"), ("resume", "RESUME")]),
        ([FAILED], Outcome(), (), [("call_again", "FAILED")]),
        ([UNDECIDED, CALLED], Outcome(), (), [READ_FAILED, ("read_again", "RERUN FREE"), ("call_again", "FAILED")]),
        ([UNDECIDED], Outcome(), (), [("transcript", "READ p/open@s --failed"), ("read_again", "RERUN FREE")]),
        ([unknown(cause="platform")], Outcome(), (), [("call_again", "RERUN")]),
        ([unknown(cause="platform"), FAILED], Outcome(), (), [("call_again", "RERUN"), ("call_again", "FAILED")]),
        ([FRUITLESS], Outcome(), (), [("call_again", "FAILED")]),
        ([FRUITLESS, unknown(cause="platform")], Outcome(), (), [("call_again", "RERUN"), ("call_again", "FAILED")]),
        ([unknown(missing=["transcript"])], Outcome(), (), [("read_again", "RERUN FREE")]),
        ([unknown(votes_missing=1)], Outcome(), (), [("call_again", "RERUN")]),
        ([unknown(missing=["transcript"]), FAILED], Outcome(), (), [("read_again", "RERUN FREE"), ("call_again", "FAILED")]),
    ],
)  # fmt: skip
def test_the_next_steps(cases: list[CaseResult], outcome: Outcome, overdue: Any, steps: list[tuple[str, str]]) -> None:
    """A step that costs nothing suggests the command without calls."""
    found = ending_of(cases, outcome, set(overdue), COMMANDS).next_steps
    assert [(step.code, step.command) for step in found] == steps
    assert [step.charged for step in found] == [command in ("RESUME", "RERUN", "FAILED") for _, command in steps]


def test_results_that_cannot_be_stored_are_no_baseline() -> None:
    """A failure stays a failure; the store's hint is named once."""
    error = StoreError("disk full", hint="make room")
    for case_, code, word in ((PASSED, 4, "unknown"), (FAILED, 1, "failed")):
        ended = ending_of([case_], Outcome(), set(), COMMANDS)
        again = ended.with_store_error(error).with_store_error(error)
        assert (again.exit_code, again.outcome, again.finished) == (code, word, False)
        assert [step.text for step in again.next_steps].count("make room") == 1
        assert again.problems[-1] == "disk full"


def test_what_was_refused_is_corrected_first() -> None:
    """The same command would be refused again."""
    why = "HTTP 400: no such voice"
    for outcome, is_named in ((Outcome(usage=why), True), (Outcome(refusal=why), True), (Outcome(trouble=why), False)):
        step = ending_of([PASSED], outcome, frozenset(), COMMANDS).next_steps[-1]
        assert (step.code, step.command) == ("resume", "RESUME")
        assert ("refused until it is corrected: HTTP 400: no such voice. Then" in step.text) is is_named
