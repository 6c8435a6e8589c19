"""Rates beyond verdicts: of expectations, of the suite."""

from __future__ import annotations

from typing import Any

from planner.results.model import CaseResult, ExpectationRate, JudgedRun
from planner.results.outcomes import CaseOutcome
from planner.verdicts.cases import expectation_rates, sample_of
from tests.support.samples import one_side, own_rate


def run(cause: str | None = None, **found: str) -> JudgedRun:
    return JudgedRun.model_validate(
        {
            "run_id": 1,
            "outcome": "passed" if cause is None else "failed",
            "cause": cause,
            "findings": [
                {"expectation": name, "check": "says", "outcome": outcome, "severity": "error", "message": ""}
                for name, outcome in found.items()
            ],
        }
    )


def case(passed: int, failed: int, *, not_needed: int = 0, others: tuple[str, ...] = ()) -> CaseResult:
    runs = [run() for _ in range(passed)] + [run("agent") for _ in range(failed)] + [run(other) for other in others]
    document: dict[str, Any] = {
        "case_id": "p/s@t", "plan": "p", "scenario": "s", "target": "t", "action": "call", "reason": "new",
        "outcome": "flaky", "runs_required": len(runs), "runs_passed": passed, "runs_total": len(runs),
        "runs_not_needed": not_needed, "compared": "new", "call_fingerprint": "", "check_fingerprint": "", "runs": runs,
        "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1, "direction": "outbound", "mode": "bot"},
    }  # fmt: skip
    return CaseResult.model_validate(document)


def test_expectations_over_the_runs_in_which_they_were_decided() -> None:
    """What could not be decided is left out, and so are calls that were none."""
    rates = expectation_rates(
        [
            run(polite="passed", short="passed"),
            run("agent", polite="failed", short="undecided"),
            run("caller", polite="failed", short="failed"),
            run("platform", polite="undecided", late="failed"),
            run("judge", polite="passed", short="undecided"),
        ]
    )
    assert rates == [
        ExpectationRate(expectation="polite", check="says", met=2, decided=3),
        ExpectationRate(expectation="short", check="says", met=1, decided=1),
        ExpectationRate(expectation="late", check="says", met=0, decided=0),
    ]


def test_a_stored_case_is_a_sample_of_its_countable_runs() -> None:
    """With the runs that were not needed, which stand for what might have been."""
    stored = case(3, 1, not_needed=2, others=("platform", "plan"))
    assert sample_of(stored) == one_side(CaseOutcome.FLAKY, 3, 5, 2)
    found = stored.model_copy(update={"runs_countable": 6})  # platform_failures: fail
    assert sample_of(found) == one_side(CaseOutcome.FLAKY, 3, 6, 2)
    assert sample_of(stored.model_copy(update={"runs_countable": 99})) == one_side(CaseOutcome.FLAKY, 3, 5, 2)


def test_a_stored_case_includes_expectations_with_their_own_rate() -> None:
    """Its document says which they are."""
    runs = [run(a="passed", b="passed"), run(a="passed", b="failed"), run("agent", a="failed", b="failed")]
    rates = expectation_rates(runs)
    own = (own_rate("b", 1, 3, "says"),)
    found = case(2, 1).model_copy(update={"runs": runs, "expectations": rates})
    assert sample_of(found) == one_side(CaseOutcome.FLAKY, 2, 3)
    found.expectations[1] = rates[1].model_copy(update={"min_pass_rate": 0.2})
    assert sample_of(found) == one_side(CaseOutcome.FLAKY, 2, 3, 0, own, 1)
