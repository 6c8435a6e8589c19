"""Run outcomes → case outcome → plan outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, Protocol

from planner.checks.base import CheckSeverity, Expectation, FindingOutcome
from planner.checks.wording import counted
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name
from planner.statistics import wilson_interval


class CaseRules(Protocol):
    """What of a case decides its verdict; `planner.spec.model.Case` is one."""

    @property
    def min_pass_rate(self) -> float: ...
    @property
    def min_runs(self) -> int: ...
    @property
    def platform_failures(self) -> Literal["ignore", "fail"]: ...
    @property
    def expectations(self) -> Sequence[Expectation]: ...


def judge_case(rules: CaseRules, verdicts: Sequence[RunVerdict]) -> CaseVerdict:
    """Judge a case by all runs that stand as its evidence.

    The case is the worst of: what its runs come to against `min_pass_rate`, each expectation with a `min_pass_rate` of its
    own over the runs in which it was decided, and its critical expectations, which may fail in no run.
    """
    countable = [verdict for verdict in verdicts if verdict.countable or _platform_counts(rules, verdict)]
    passed = sum(verdict.outcome is RunOutcome.PASSED for verdict in countable)
    parts = [
        _judge_rate(rules, verdicts, passed, len(countable)),
        *(_judge_critical(expectation, verdicts) for expectation in rules.expectations),
        *(_judge_own_rate(expectation, rules.min_runs, verdicts) for expectation in rules.expectations),
    ]
    outcome = max(part for part, _ in parts)
    return CaseVerdict(
        outcome,
        passed,
        len(countable),
        passed / len(countable) if countable else None,
        wilson_interval(passed, len(countable)) if countable else None,
        "; ".join(reason for part, reason in parts if part is outcome and reason),
    )


def plan_outcome(cases: Iterable[CaseOutcome], *, refused: bool = False, interrupted: bool = False) -> PlanOutcome:
    """Of all cases that count (quarantined ones do not). No case at all is a pass: there was nothing to do."""
    outcomes = [_OF_PLAN[case] for case in cases]
    if refused:
        outcomes.append(PlanOutcome.REFUSED)
    if interrupted:
        outcomes.append(PlanOutcome.INTERRUPTED)
    return max(outcomes, default=PlanOutcome.PASSED)


_OF_PLAN = {
    CaseOutcome.PASSED: PlanOutcome.PASSED,
    CaseOutcome.FLAKY: PlanOutcome.PASSED,
    CaseOutcome.UNKNOWN: PlanOutcome.UNKNOWN,
    CaseOutcome.FAILED: PlanOutcome.FAILED,
}


def _platform_counts(rules: CaseRules, verdict: RunVerdict) -> bool:
    return rules.platform_failures == "fail" and verdict.fault is Fault.PLATFORM


_Part = tuple[CaseOutcome, str]
"""What one of a case's requirements comes to, and why in one line ("" when simply passed)."""


def _judge_rate(rules: CaseRules, verdicts: Sequence[RunVerdict], passed: int, countable: int) -> _Part:
    left_out = _left_out(rules, verdicts)
    if not verdicts:
        return CaseOutcome.UNKNOWN, "no run was made"
    if countable < max(1, rules.min_runs):
        found = f"{countable} of {counted(len(verdicts), 'run')} can be counted, {max(1, rules.min_runs)} needed"
        return CaseOutcome.UNKNOWN, f"{found}: {left_out}" if left_out else found
    outcome = _against(passed, countable, rules.min_pass_rate)
    if outcome is CaseOutcome.PASSED:
        return outcome, f"not counted: {left_out}" if left_out else ""
    found = f"{passed} of {counted(countable, 'run')} passed, {_percent(rules.min_pass_rate)} needed"
    return outcome, f"{found} (not counted: {left_out})" if left_out else found


def _judge_critical(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> _Part:
    if expectation.severity is not CheckSeverity.CRITICAL:
        return CaseOutcome.PASSED, ""
    failing = _outcomes(expectation, verdicts).count(FindingOutcome.FAILED)
    if not failing:
        return CaseOutcome.PASSED, ""
    return (
        CaseOutcome.FAILED,
        f"critical {expectation_name(expectation)} failed in {failing} of {counted(len(verdicts), 'run')}",
    )


def _judge_own_rate(expectation: Expectation, min_runs: int, verdicts: Sequence[RunVerdict]) -> _Part:
    if expectation.severity is not CheckSeverity.ERROR or expectation.min_pass_rate is None:
        return CaseOutcome.PASSED, ""
    about_agent = [verdict for verdict in verdicts if verdict.fault not in (Fault.PLATFORM, Fault.CALLER)]
    outcomes = _outcomes(expectation, about_agent)
    held = outcomes.count(FindingOutcome.PASSED)
    decided = held + outcomes.count(FindingOutcome.FAILED)
    if decided < max(1, min_runs):
        found = f"{expectation_name(expectation)} was decided in {decided} of {counted(len(verdicts), 'run')}"
        return CaseOutcome.UNKNOWN, f"{found}, {max(1, min_runs)} needed"
    outcome = _against(held, decided, expectation.min_pass_rate)
    if outcome is CaseOutcome.PASSED:
        return outcome, ""
    found = f"{expectation_name(expectation)} held in {held} of {counted(decided, 'run')}"
    return outcome, f"{found}, {_percent(expectation.min_pass_rate)} needed"


def _outcomes(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> list[FindingOutcome]:
    name = expectation_name(expectation)
    return [finding.outcome for verdict in verdicts for finding in verdict.findings if finding.expectation == name]


def _against(passed: int, total: int, min_pass_rate: float) -> CaseOutcome:
    # A float's shortest decimal is what the author wrote: 0.8 is four fifths, and 4 of 5 are enough.
    if Fraction(passed, total) < Fraction(repr(min_pass_rate)):
        return CaseOutcome.FAILED
    return CaseOutcome.PASSED if passed == total else CaseOutcome.FLAKY


def _left_out(rules: CaseRules, verdicts: Sequence[RunVerdict]) -> str:
    """`2 platform, 1 judge`: the faults of runs that are not counted."""
    faults = [verdict.fault for verdict in verdicts if not verdict.countable and not _platform_counts(rules, verdict)]
    return ", ".join(f"{faults.count(fault)} {fault.value}" for fault in Fault if fault in faults)


def _percent(rate: float) -> str:
    return f"{rate * 100:g} %"
