"""The truth table of the required check: green in exactly the proven rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from planner.changes.model import Change, Reason
from planner.results.model import CaseResult, SuiteDocument
from planner.results.outcomes import Action, CaseOutcome, CaseState, CheckState
from planner.verdicts.gate import CheckedCase, Gate, decide_check, must_call, with_results
from tests.support.samples import changed, one_side
from tests.verdicts.test_gate import WORSE
from tests.verdicts.test_result_comparison import AT, case

CALL = "sha256:call"


def checked(
    judged: CaseResult | None,
    reason: Reason = Reason.PASSED,
    *,
    base: CaseResult | None = None,
    is_base: bool = False,
    calls: int = 0,
    in_progress: int = 0,
) -> CheckedCase:
    """`is_base`: the current result is the base branch's own."""
    action = Action.CALL if calls or in_progress else Action.REUSE
    prior = base if is_base else judged
    change = Change("p/a@s", action, reason, calls + in_progress, "", None, prior, None, CALL, "")
    return CheckedCase(change, judged, base, calls, in_progress)


def billed(case: CaseResult, *, cents: int | None, hours: float) -> CaseResult:
    """With calls that ended so many hours ago."""
    update = {"call_id": 1, "cost_cents": cents, "completed_at": AT - timedelta(hours=hours)}
    return case.model_copy(update={"runs": [run.model_copy(update=update) for run in case.runs]})


def failing(**fields: Any) -> CaseResult:
    return case("a", "failed", 0, 3, call_fingerprint=CALL, **fields)


def failing_also(**fields: Any) -> CaseResult:
    """An expectation fails that does not fail elsewhere; or passes, or only warns."""
    found = failing()
    runs = [
        run.model_copy(
            update={"findings": [*run.findings, run.findings[0].model_copy(update={"expectation": "c", **fields})]}
        )
        for run in found.runs
    ]
    return found.model_copy(update={"runs": runs})


def unknown(**fields: Any) -> CaseResult:
    found = case("a", "unknown", 0, 1)
    return found.model_copy(update={"runs": [found.runs[0].model_copy(update=fields)]})


PASSED = case("a", "passed", 3)
QUARANTINED = failing(quarantine={"until": "2026-12-31", "reason": "x"})
OTHER_CALL = case("a", "failed", 0, 3, call_fingerprint="sha256:other")

ROWS = {
    "done": (checked(PASSED), 0, CaseState.GREEN),
    "flaky": (checked(case("a", "flaky", 2, 1)), 0, CaseState.GREEN),
    "done, base branch's result": (checked(PASSED, base=PASSED, is_base=True), 0, CaseState.GREEN),
    "to call: new, or a fork without a key": (checked(None, Reason.NEW, calls=2), 3, CaseState.TO_CALL),
    "to call: prompt changed": (
        checked(None, Reason.CALLER_PROMPT_CHANGED, base=PASSED, calls=2),
        3,
        CaseState.TO_CALL,
    ),
    "to call: the base fails another call": (
        checked(None, Reason.CALLER_PROMPT_CHANGED, base=OTHER_CALL, calls=1),
        3,
        CaseState.TO_CALL,
    ),
    "cancelled before the rest was launched": (checked(None, Reason.NEW, calls=1, in_progress=1), 3, CaseState.TO_CALL),
    "cancelled, all launched": (checked(None, Reason.NEW, in_progress=2), 4, CaseState.TO_COLLECT),
    "re-run in progress": (checked(failing(), Reason.FAILED, in_progress=1), 4, CaseState.TO_COLLECT),
    "to collect: transcript missing": (checked(unknown(missing=["transcript"])), 4, CaseState.TO_COLLECT),
    "to judge": (checked(unknown(votes_missing=2)), 4, CaseState.TO_JUDGE),
    "undecided": (checked(unknown()), 4, CaseState.UNDECIDED),
    "failed": (checked(failing(), Reason.FAILED), 1, CaseState.FAILED),
    "failed, passes on the base": (checked(failing(), base=PASSED), 1, CaseState.FAILED),
    "failed, the base fails another call": (checked(failing(), base=OTHER_CALL), 1, CaseState.FAILED),
    "regressed": (checked(case("a", "flaky", 8, 4, compared="regressed"), base=PASSED), 1, CaseState.REGRESSED),
    "regressed although failing on the base": (
        checked(failing(compared="regressed"), base=failing()),
        1,
        CaseState.REGRESSED,
    ),
    "known failing": (checked(failing(), base=failing()), 0, CaseState.KNOWN_FAILING),
    "fails the base's expectation and another one": (checked(failing_also(), base=failing()), 1, CaseState.FAILED),
    "known failing, another expectation passes": (
        checked(failing_also(outcome="passed"), base=failing()),
        0,
        CaseState.KNOWN_FAILING,
    ),
    "known failing, with a warning": (
        checked(failing_also(severity="warning"), base=failing()),
        0,
        CaseState.KNOWN_FAILING,
    ),
    "known failing, never called here": (
        checked(known := failing(), Reason.KNOWN_FAILING, base=known, is_base=True),
        0,
        CaseState.KNOWN_FAILING,
    ),
    "regressed on the base branch": (
        checked(old := case("a", "passed", 3, compared="regressed"), base=old, is_base=True),
        0,
        CaseState.GREEN,
    ),
    "quarantined": (checked(QUARANTINED), 0, CaseState.QUARANTINED),
    "not touched, never called": (checked(None, Reason.LEFT_TO_BASE), 0, CaseState.LEFT_TO_BASE),
    "not touched, failing": (checked(failing(), Reason.LEFT_TO_BASE), 0, CaseState.LEFT_TO_BASE),
    "bill missing, 23 h": (checked(billed(PASSED, cents=None, hours=23)), 4, CaseState.TO_COLLECT),
    "bill missing, 24 h": (checked(billed(PASSED, cents=None, hours=24)), 0, CaseState.GREEN),
    "bill missing, 25 h": (checked(billed(PASSED, cents=None, hours=25)), 0, CaseState.GREEN),
    "bill of the base branch missing": (
        checked(late := billed(PASSED, cents=None, hours=1), base=late, is_base=True),
        0,
        CaseState.GREEN,
    ),
    "billed": (checked(billed(PASSED, cents=12, hours=1)), 0, CaseState.GREEN),
}


@pytest.mark.parametrize("row", ROWS)
def test_truth_table(row: str) -> None:
    one, code, case_state = ROWS[row]
    check = decide_check([one, checked(PASSED)], "sha256:1", Gate(), AT)
    assert check.exit_code == code
    assert "p/a@s" in check.cases[case_state]
    assert (
        check.state
        is {0: CheckState.SUCCESS, 1: CheckState.FAILURE, 3: CheckState.PENDING, 4: CheckState.PENDING}[code]
    )
    assert ("to make" in check.description) is (code == 3)
    assert "nothing to check" not in check.description
    assert len(check.description) <= 140


def test_calls_to_make_come_before_failures_and_these_before_missing_results() -> None:
    to_call, failed, undecided = (ROWS[name][0] for name in ("to call: prompt changed", "failed", "undecided"))
    check = decide_check([to_call, failed, undecided], "", Gate(), AT)
    assert (check.exit_code, check.calls) == (3, 2)
    assert {"failed", "undecided"} <= set(check.description.replace(",", "").split())
    assert decide_check([failed, undecided], "", Gate(), AT).exit_code == 1


def test_a_worse_suite_is_red() -> None:
    worse = decide_check([checked(PASSED)], "", Gate(suite=WORSE), AT)
    assert (worse.exit_code, worse.suite_regressed) == (1, True)


def test_a_suite_in_which_everything_is_worse_is_undecided() -> None:
    """Neither green nor red: it may be a bad hour of the platform."""
    everything = WORSE.model_copy(update={"compared": "everything_worse"})
    check = decide_check([checked(PASSED)], "", Gate(suite=everything), AT)
    assert (check.exit_code, check.state, check.everything_worse) == (4, CheckState.PENDING, True)
    assert not check.suite_regressed
    assert "everything is worse than usual" in check.description
    assert decide_check([ROWS["failed"][0]], "", Gate(suite=everything), AT).exit_code == 1


SIDE = one_side(CaseOutcome.FAILED, 3, 5)
AS_BEFORE = failing(compared="same", baseline=SIDE, latest=SIDE)
CRITICAL = AS_BEFORE.model_copy(update={"runs": failing_also(severity="critical").runs})
FEW = SuiteDocument(
    cases=2, sessions=0, passed_before=6, runs_before=6, passed_now=6, runs_now=6, probability_lower=0,
    probability_worse=0, compared="not_enough_evidence"
)  # fmt: skip
SEVERAL = FEW.model_copy(update={"sessions": 2})
BELOW, FAILED, KNOWN = CaseState.BELOW_REQUIREMENT, CaseState.FAILED, CaseState.KNOWN_FAILING


@pytest.mark.parametrize(
    ("one", "few", "several", "regressions", "strict"),
    [
        (checked(AS_BEFORE, base=PASSED), FAILED, BELOW, BELOW, FAILED),
        (checked(AS_BEFORE), FAILED, BELOW, BELOW, FAILED),
        (checked(AS_BEFORE, base=failing()), KNOWN, KNOWN, KNOWN, FAILED),
        (checked(failing(), base=PASSED), FAILED, FAILED, FAILED, FAILED),  # new
        (checked(changed(AS_BEFORE, not_comparable="prompt"), base=PASSED), FAILED, FAILED, FAILED, FAILED),
        (checked(CRITICAL, base=PASSED), FAILED, FAILED, FAILED, FAILED),
        (checked(CRITICAL, base=changed(CRITICAL, outcome="passed")), FAILED, BELOW, BELOW, FAILED),
        (replace(checked(AS_BEFORE), excuse_known=False), FAILED, FAILED, FAILED, FAILED),  # --base none
        (checked(changed(AS_BEFORE, compared="regressed")), *[CaseState.REGRESSED] * 4),
        (checked(PASSED), *[CaseState.GREEN] * 4),
    ],
)
def test_the_policy_says_what_is_red(
    one: CheckedCase, few: CaseState, several: CaseState, regressions: CaseState, strict: CaseState
) -> None:
    """By default, a requirement that is missed as before is not red once two sessions show what is usual."""
    gates = [
        Gate(suite=FEW),
        Gate(suite=SEVERAL),
        Gate(suite=FEW, policy="regressions"),
        Gate(suite=SEVERAL, policy="strict"),
    ]
    assert [one.case_state(gate, AT) for gate in gates] == [few, several, regressions, strict]
    below = decide_check([one], "", gates[1], AT)
    assert (below.exit_code == 1) == (several in (FAILED, CaseState.REGRESSED))
    assert ("below the requirement as before" in below.description) == (several is BELOW)


def test_every_case_state_but_five_blocks() -> None:
    """A new state must be added to a table."""
    green = {case_state for _, code, case_state in ROWS.values() if code == 0}
    assert green == {CaseState.GREEN, CaseState.KNOWN_FAILING, CaseState.QUARANTINED, CaseState.LEFT_TO_BASE}
    assert {case_state for _, _, case_state in ROWS.values()} == set(CaseState) - {BELOW}


@pytest.mark.parametrize(
    ("action", "reason", "same_expectations", "must"),
    [
        (Action.REUSE, Reason.PASSED, True, False),
        (Action.RECHECK, Reason.FAILED, False, False),
        (Action.CALL, Reason.NEW, True, True),
        (Action.CALL, Reason.CALLER_PROMPT_CHANGED, True, True),
        (Action.CALL, Reason.FAILED, True, False),
        (Action.CALL, Reason.FAILED, False, True),
    ],
)
def test_a_failed_case_need_not_be_called_again(
    action: Action, reason: Reason, same_expectations: bool, must: bool
) -> None:
    """Its failure counts, as long as the expectations are the same."""
    prior = failing(check_fingerprint="now" if same_expectations else "older")
    assert must_call(Change("p/a@s", action, reason, 1, "", None, prior, None, CALL, "now")) is must


def test_the_words_of_the_comparison_with_earlier_sessions_decide() -> None:
    """Not those that the case was stored with."""
    stored = checked(case("a", "flaky", 8, 4, compared="regressed"), base=PASSED)
    now = with_results([stored], [case("a", "flaky", 8, 4, compared="same")])
    states = [each.case_state(Gate(), AT) for each in (stored, *now)]
    assert states == [CaseState.REGRESSED, CaseState.GREEN]
