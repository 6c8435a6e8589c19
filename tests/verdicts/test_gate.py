"""What exits with 1: a failure, a regression of a case or of the suite, or both, as `--fail-on` says."""

from __future__ import annotations

import pytest

from planner.execution.engine import Outcome
from planner.results.model import CaseResult, SuiteDocument
from planner.results.next_steps import NextStepCode
from planner.results.outcomes import FailOn
from planner.verdicts.ending import Ending, ending_of
from planner.verdicts.gate import EVERYTHING, Gate, fail_on_words, fail_on_written
from planner.verdicts.next_steps import NextCommands
from tests.verdicts.test_result_comparison import case

WORSE = SuiteDocument(
    cases=9, passed_before=27, runs_before=27, passed_now=18, runs_now=27, p_value=0.01, compared="worse"
)
QUARANTINE = {"until": "2026-12-31", "reason": "x"}
COMMANDS = NextCommands("a", "b", "c", "d", "e", "f", "g")
FAILURE, REGRESSION = frozenset({FailOn.FAILURE}), frozenset({FailOn.REGRESSION})


def ending(cases: list[CaseResult], fail_on: frozenset[FailOn], suite: SuiteDocument | None = None) -> Ending:
    return ending_of(cases, Outcome(), frozenset(), COMMANDS, Gate(fail_on, suite))


@pytest.mark.parametrize(
    ("cases", "suite", "failing_kinds"),
    [
        ([case("a", "failed", 0, 3)], None, {FailOn.FAILURE}),
        ([case("a", "flaky", 12, 8, compared="regressed")], None, {FailOn.REGRESSION}),
        ([case("a", "failed", 0, 20, compared="regressed")], None, {FailOn.FAILURE, FailOn.REGRESSION}),
        ([case("a", "passed", 3)], WORSE, {FailOn.REGRESSION}),
        ([case("a", "passed", 3)], WORSE.model_copy(update={"compared": "better"}), set[FailOn]()),
        ([case("a", "failed", 0, 20, compared="regressed", quarantine=QUARANTINE)], None, set[FailOn]()),
        ([case("a", "passed", 3, compared="same")], None, set[FailOn]()),
    ],
)
def test_a_failure_and_a_regression_fail_each_alone(
    cases: list[CaseResult], suite: SuiteDocument | None, failing_kinds: set[FailOn]
) -> None:
    """Exit code and outcome follow the kinds that are asked for; the case's own outcome stays what it is."""
    for fail_on in (EVERYTHING, FAILURE, REGRESSION):
        found = ending(cases, fail_on, suite)
        expected = (1, "failed") if fail_on & failing_kinds else (0, "passed")
        assert (found.exit_code, found.outcome) == expected


def test_unknown_cases_hide_no_regression() -> None:
    """The order of exit codes holds: 1 comes before 4."""
    unknown = case("b", "unknown", 1)
    assert ending([unknown], EVERYTHING).exit_code == 4
    assert ending([unknown, case("a", "flaky", 12, 8, compared="regressed")], EVERYTHING).exit_code == 1


def test_a_suite_in_which_everything_is_worse_is_called_again() -> None:
    """Unknown, unless regressions do not count or a case failed."""
    everything = WORSE.model_copy(update={"compared": "everything_worse"})
    found = ending([case("a", "passed", 3)], EVERYTHING, everything)
    assert (found.exit_code, found.outcome, found.finished) == (4, "unknown", True)
    assert [(step.code, step.command, step.charged) for step in found.next_steps] == [
        (NextStepCode.CALL_AGAIN, COMMANDS.everything, True)
    ]
    assert ending([case("a", "failed", 0, 3)], EVERYTHING, everything).exit_code == 1
    assert ending([case("a", "passed", 3)], FAILURE, everything).exit_code == 0


def test_fail_on_is_read_as_written() -> None:
    """One or both, in any order; anything else is named."""
    assert fail_on_written("regression, failure") == EVERYTHING
    assert fail_on_words(fail_on_written("regression")) == ["--fail-on", "regression"]
    assert fail_on_words(EVERYTHING) == []
    for wrong in ("", "regressions", "failure,,regression"):
        with pytest.raises(ValueError, match="is not one of failure, regression"):
            fail_on_written(wrong)
