"""What exits with 1: a failure, a regression of a case or of the suite."""

from __future__ import annotations

import pytest

from planner.results.model import CaseResult, SuiteDocument
from planner.results.next_steps import NextStepCode
from planner.verdicts.ending import Ending, ending_of
from planner.verdicts.gate import Gate
from planner.verdicts.next_steps import NextCommands
from planner.verdicts.outcome import Outcome
from tests.verdicts.test_result_comparison import case

WORSE = SuiteDocument(
    cases=9,
    passed_before=27,
    runs_before=27,
    passed_now=18,
    runs_now=27,
    probability_lower=0.1,
    probability_worse=0.9,
    compared="worse",
)
QUARANTINE = {"until": "2026-12-31", "reason": "x"}
COMMANDS = NextCommands("a", "b", "c", "d", "e", "f", "g")


def ending(cases: list[CaseResult], suite: SuiteDocument | None = None) -> Ending:
    return ending_of(cases, Outcome(), frozenset(), COMMANDS, Gate(suite))


@pytest.mark.parametrize(
    ("cases", "suite", "exit_code"),
    [
        ([case("a", "failed", 0, 3)], None, 1),
        ([case("a", "flaky", 12, 8, compared="regressed")], None, 1),
        ([case("a", "failed", 0, 20, compared="regressed")], None, 1),
        ([case("a", "passed", 3)], WORSE, 1),
        ([case("a", "passed", 3)], WORSE.model_copy(update={"compared": "not_enough_evidence"}), 0),
        ([case("a", "failed", 0, 20, compared="regressed", quarantine=QUARANTINE)], None, 0),
        ([case("a", "passed", 3, compared="same")], None, 0),
    ],
)
def test_a_failure_and_a_regression_fail_each_alone(
    cases: list[CaseResult], suite: SuiteDocument | None, exit_code: int
) -> None:
    """The case's own outcome stays what it is."""
    found = ending(cases, suite)
    assert (found.exit_code, found.outcome) == (exit_code, "failed" if exit_code else "passed")


def test_unknown_cases_hide_no_regression() -> None:
    """The order of exit codes holds: 1 comes before 4."""
    unknown = case("b", "unknown", 1)
    assert ending([unknown]).exit_code == 4
    assert ending([unknown, case("a", "flaky", 12, 8, compared="regressed")]).exit_code == 1


def test_a_suite_in_which_everything_is_worse_is_called_again() -> None:
    """Unknown, unless a case failed."""
    everything = WORSE.model_copy(update={"compared": "everything_worse"})
    found = ending([case("a", "passed", 3)], everything)
    assert (found.exit_code, found.outcome, found.finished) == (4, "unknown", True)
    assert [(step.code, step.command, step.charged) for step in found.next_steps] == [
        (NextStepCode.CALL_AGAIN, COMMANDS.everything, True)
    ]
    assert ending([case("a", "failed", 0, 3)], everything).exit_code == 1
