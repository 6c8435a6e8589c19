"""Where verdicts turn, exactly: the last number that still counts one way, and the first that counts the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.checks.judgement import FindingOutcome
from planner.evidence import Call, Evidence, Role, RunStatus, Turn
from planner.results.model import Finding, RunVerdict, Sample
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.verdicts.attribution import caller_cause
from planner.verdicts.cases import judge_case
from planner.verdicts.comparison import case_p_value, compare, compare_suite, could_show_change
from planner.verdicts.early_stopping import calls_at_once, min_runs_to_settle
from planner.verdicts.runs import undecided_run
from tests.support.samples import case_rules, changed, one_side

GOOD = RunVerdict(outcome=RunOutcome.PASSED)
BAD = RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT)

PAGE = (Path(__file__).parent.parent / "docs" / "callers.md").read_text(encoding="utf-8")


def evidence(*lines: tuple[str, str, int | None], seconds: float = 60, reason: str = "caller_hangup") -> Evidence:
    """Turns as (role, words, end); each begins when the one before ends."""
    turns = tuple(
        Turn(number=number, role=Role(role), text=text, end_ms=end) for number, (role, text, end) in enumerate(lines, 1)
    )
    call = Call(call_id=2, status="completed", end_reason=reason, duration_seconds=seconds)
    return Evidence(run_id=1, run_status=RunStatus.COMPLETED, call=call, turns=turns)


def finding(check: str) -> Finding:
    return Finding(
        expectation=check, check=check, outcome=FindingOutcome.FAILED, severity=CheckSeverity.ERROR, message=""
    )


def failed(check: str) -> Expectation:
    """Without its own fields, which do not matter after it failed."""
    return CHECKS[check].model_construct(check=check)


SLIPPED = evidence(
    ("agent", "Hello.", 3000), ("caller", "I'm an AI language model.", 6000), ("agent", "Oh.", 9000), reason="agent_end"
)


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_an_unprompted_agent_action_is_never_caused_by_the_caller(check: str) -> None:
    """The list of docs/callers.md has the kinds that fail for what the agent did. The others may fail for what it had no occasion
    to do."""
    listed = re.search(r"the agent did on its own: (.*?) fail regardless of the caller", PAGE, re.DOTALL)
    assert listed is not None
    cause = caller_cause(SLIPPED, [failed(check)], "")
    assert CHECKS[check].caller_can_cause_failure is (cause is not None)
    assert (cause is None) is (f"`{check}`" in listed[1]), "correct the list in docs/callers.md"


@pytest.mark.parametrize(
    ("lines", "seconds", "reason", "quoted"),
    [
        ([("agent", "Hello.", 3000)], 4.99, "after 4.99 s", None),
        ([("agent", "Hello.", 3000)], 5, None, None),
        ([("agent", "Hello.", 3000), ("caller", "Bye.", 7000)], 9.99, "after 9.99 s", 2),
        ([("agent", "Hello.", 3000), ("caller", "Bye.", 7000)], 10, None, None),
        ([("agent", "Hello.", 1000), ("caller", "Bye.", 3000)], 7.999, "after 7.999 s", 2),
        ([("agent", "Hello.", 1000), ("caller", "Bye.", 3000)], 8, None, None),
        ([("agent", "Hello.", 1000), ("caller", "Hi.", 3000), ("caller", "Bye.", 7000)], 8, None, None),
        ([], 9.99, "after 9.99 s", None),
        ([("agent", "Hello.", 9500)], 10.5, None, None),
        ([("agent", "Hello.", 12_000), ("caller", "Bye.", 15_000)], 16.999, "with its first words", 2),
        ([("agent", "Hello.", 12_000), ("caller", "Bye.", 15_000)], 17.0, None, None),
        ([("agent", "Hello.", 12_000), ("caller", "Bye.", 15_000)], 14.0, "with its first words", 2),
        ([("agent", "Hello.", 12_000), ("caller", "Bye.", None)], 15.5, None, None),
        ([("agent", "Hello.", 1000), ("caller", "Bye.", None)], 3, "after 3 s", 2),
        ([("agent", "Hello.", 1000), ("caller", "Bye.", 2000), ("tool", "{}", 2500)], 3, "after 3 s", 2),
        ([("agent", "Hello.", 1000), ("caller", "Bye.", 2000), ("agent", " ", 2500)], 3, "after 3 s", 2),
        ([("agent", " ", 1000)], 9.99, "after 9.99 s", None),
        ([], 3, "after 3 s", None),
    ],
)
def test_when_a_caller_hung_up_at_once(
    lines: list[tuple[str, str, int | None]], seconds: float, reason: str | None, quoted: int | None
) -> None:
    """Ten seconds of a call, two of its own first words, unless the agent had five to answer them; quoted where it spoke, and only then."""
    cause = caller_cause(evidence(*lines, seconds=seconds), [failed("says")], "")
    if reason is None:
        assert cause is None
    else:
        assert cause is not None
        assert cause.reason == f"the caller hung up {reason}, before the agent could answer"
        assert (cause.quote.turn if cause.quote else None) == quoted


def test_runs_that_would_decide_are_reported_only_if_they_decide_everything() -> None:
    """One requirement that a few runs would settle does not speak for one that a thousand would not."""
    polite = CHECKS["says"].model_validate(
        {"check": "says", "id": "polite", "any_of": ["please"], "min_pass_rate": 0.5}
    )
    met = [changed(finding("says"), expectation="polite", outcome=FindingOutcome.PASSED)]
    verdicts = [changed(GOOD, findings=met)] * 6 + [GOOD] * 35 + [BAD] * 9
    open_part = case_rules(min_pass_rate=0.5, confidence=0.999, expectations=(polite,))
    assert judge_case(open_part, verdicts).more_runs is not None
    both = case_rules(min_pass_rate=0.8, confidence=0.999, expectations=(polite,))
    assert judge_case(both, verdicts).more_runs is None
    assert judge_case(case_rules(0.8), [GOOD] * 3).more_runs is None
    assert judge_case(case_rules(0.8), [BAD] * 3).more_runs is None


def test_a_run_without_evidence_is_caused_by_the_platform() -> None:
    """It never counts, and says why."""
    verdict = undecided_run(Cause.PLATFORM, "it never ended")
    assert verdict == RunVerdict(outcome=RunOutcome.UNDECIDED, cause=Cause.PLATFORM, reason="it never ended")
    assert not verdict.countable


def sample(passed: int, countable: int, not_made: int = 0, outcome: CaseOutcome | None = None) -> Sample:
    found = CaseOutcome.PASSED if passed == countable else CaseOutcome.FAILED
    return one_side(outcome or found, passed, countable, not_made)


FLAKY = CaseOutcome.FLAKY


def test_one_run_is_a_sample() -> None:
    """Of one run on each side it can be said that nothing changed, and of one run against twenty that it did."""
    assert compare({"case": (sample(1, 1), sample(1, 1))}) == {"case": "same"}
    assert compare({"case": (sample(0, 1), sample(0, 1))}) == {"case": "same"}
    assert could_show_change(sample(20, 20), sample(0, 1))
    assert not could_show_change(sample(18, 18, outcome=FLAKY), sample(18, 18))


def test_stopping_early_is_allowed_if_no_outcome_could_change() -> None:
    """Neither as they are, nor all failed, nor all passed."""
    assert not could_show_change(sample(0, 3), sample(1, 2, 1, outcome=FLAKY))
    assert could_show_change(sample(0, 3), sample(2, 2, 1, outcome=FLAKY))
    assert could_show_change(sample(0, 1, 3, outcome=CaseOutcome.FAILED), sample(6, 10, 1, outcome=FLAKY))


def test_a_rate_that_changed_under_the_same_outcome_is_a_change() -> None:
    """A case that failed and fails, or was flaky and is, is compared by its counts."""
    assert compare({"case": (sample(0, 10), sample(9, 10, outcome=CaseOutcome.FAILED))}) == {"case": "improved"}
    assert compare({"case": (sample(3, 20, outcome=FLAKY), sample(19, 20, outcome=FLAKY))}) == {"case": "improved"}
    assert compare({"case": (sample(19, 20, outcome=FLAKY), sample(3, 20, outcome=FLAKY))}) == {"case": "regressed"}


def test_runs_not_made_speak_against_a_difference_on_both_sides() -> None:
    """If runs not made could make both sides equal, there is no difference."""
    stopped_high, stopped_low = sample(15, 15, 5), sample(0, 5, 15)
    assert compare_suite({"case": (stopped_high, stopped_low)}).p_value == 1
    assert compare_suite({"case": (stopped_low, stopped_high)}).p_value == 1
    assert case_p_value(sample(15, 20, outcome=FLAKY), stopped_low) == 1
    assert case_p_value(stopped_low, sample(15, 20, outcome=FLAKY)) == 1
    assert (case_p_value(sample(16, 20, outcome=FLAKY), stopped_low) or 1) < 1
    almost = sample(8, 9, outcome=FLAKY), sample(0, 1, 1)
    assert compare_suite({"case": almost}).p_value == pytest.approx(2 * 19 / 55)
    assert (case_p_value(*almost) or 1) < 1


def test_cases_aside_are_compared_by_themselves() -> None:
    """Neither side raises the bar for the other; where all are aside they are compared as they would be elsewhere."""
    cases = {"broken": (sample(3, 3), sample(0, 3)), "fixed": (sample(0, 3), sample(3, 3))}
    assert compare(cases, aside={"fixed"}) == {"broken": "regressed", "fixed": "improved"}
    assert set(compare(cases).values()) == {"same"}
    assert compare(cases, aside=set(cases)) == compare(cases)
    steady = {**cases, "steady": (sample(3, 3), sample(3, 3))}
    assert compare(steady, aside={"broken"}) == {"broken": "regressed", "fixed": "improved", "steady": "same"}


@pytest.mark.parametrize("stopped", [(sample(5, 5), sample(1, 1, 4)), (sample(0, 5), sample(0, 1, 4))])
def test_runs_not_made_weaken_other_comparisons(stopped: tuple[Sample, Sample]) -> None:
    """A case that could differ, were they made, weakens what is said of another, as if they had been."""
    broken = sample(3, 3), sample(0, 3)
    assert compare({"broken": broken}) == {"broken": "regressed"}
    assert compare({"broken": broken, "stopped": stopped})["broken"] == "same"


@pytest.mark.parametrize(
    ("passed", "failed", "to_come", "expected"), [(2, 1, 4, 2), (2, 1, 3, 3), (1, 1, 4, 2), (0, 1, 3, 1), (0, 1, 2, 2)]
)
def test_no_call_waits_to_save_one_and_some_to_save_two(passed: int, failed: int, to_come: int, expected: int) -> None:
    """60 % needed: what settles it is made, unless only one more would be left."""
    rules = case_rules(0.6)
    verdicts = [GOOD] * passed + [BAD] * failed
    first = min_runs_to_settle(rules, (), passed + failed + to_come)
    assert calls_at_once(rules, verdicts, to_come, first) == expected


def test_a_rise_by_less_than_one_run_is_no_regression() -> None:
    """None of 1,000, and then one of one."""
    never, once = one_side(CaseOutcome.FAILED, 0, 1000), one_side(CaseOutcome.FAILED, 1, 1)
    assert compare({"": (never, once)}) == {"": "improved"}
    assert compare({"": (once, never)}) == {"": "regressed"}
    assert not could_show_change(never, once)
    assert could_show_change(once, never)


def test_a_large_case_does_not_outweigh_many_small_ones() -> None:
    """By how many more runs passed than if the rates were equal: one of 100 more, against three of three fewer in each of nine."""
    large = (one_side(CaseOutcome.FLAKY, 50, 100), one_side(CaseOutcome.FLAKY, 51, 100))
    small = (one_side(CaseOutcome.PASSED, 3, 3), one_side(CaseOutcome.FAILED, 0, 3))
    assert compare_suite({"large": large, **{str(number): small for number in range(9)}}).compared == "worse"
