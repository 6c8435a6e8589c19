"""Run outcomes → case outcome → plan outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol

from planner.checks.base import CheckSeverity, Expectation, FindingOutcome
from planner.checks.wording import counted
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name
from planner.statistics import decide, runs_to_decide, wilson_interval


class CaseRules(Protocol):
    """What of a case decides its verdict; `planner.planfile.model.Case` is one."""

    @property
    def min_pass_rate(self) -> float: ...
    @property
    def min_runs(self) -> int: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def platform_failures(self) -> Literal["ignore", "fail"]: ...
    @property
    def expectations(self) -> Sequence[Expectation]: ...


def judge_case(rules: CaseRules, verdicts: Sequence[RunVerdict], *, cents_per_run: float | None = None) -> CaseVerdict:
    """Judge a case by all runs that stand as its evidence.

    The case is the worst of: what its runs come to against `min_pass_rate`, each expectation with a `min_pass_rate` of its
    own over the runs in which it was decided, and its critical expectations, which may fail in no run. With `confidence`
    rates must be shown to hold, or shown not to (`planner.statistics.decide`); what is left open is unknown, and says how
    many runs more would probably decide, at `cents_per_run` each if that is known.
    """
    countable, passed = count_runs(rules, verdicts)
    parts = judge_parts(rules, verdicts)
    outcome = max(part.outcome for part in parts)
    deciding = [part for part in parts if part.outcome is outcome]
    more = [runs_to_decide(*part.left_open) for part in deciding if part.left_open is not None]
    more_runs = _most(more)
    reasons = [part.reason for part in deciding if part.reason]
    if more:
        reasons.append(_told_runs(more_runs, cents_per_run))
    return CaseVerdict(
        outcome,
        passed,
        countable,
        passed / countable if countable else None,
        wilson_interval(passed, countable) if countable else None,
        "; ".join(reasons),
        more_runs,
    )


class Part(NamedTuple):
    """What one of a case's requirements comes to, and why in one line ("" when simply passed)."""

    outcome: CaseOutcome
    reason: str
    left_open: tuple[int, int, float, float] | None = None
    """What `runs_to_decide` is asked with, where only more runs can tell."""


def judge_parts(rules: CaseRules, verdicts: Sequence[RunVerdict]) -> list[Part]:
    """Each requirement of a case on its own, always in the same order: its rate, its critical expectations, those with a rate
    of their own. The case is the worst of them."""
    countable, passed = count_runs(rules, verdicts)
    return [
        _judge_rate(rules, verdicts, passed, countable),
        *(_judge_critical(expectation, verdicts) for expectation in rules.expectations),
        *(_judge_own_rate(expectation, rules, verdicts) for expectation in rules.expectations),
    ]


def count_runs(rules: CaseRules, verdicts: Sequence[RunVerdict]) -> tuple[int, int]:
    """(countable runs, how many of them passed)."""
    countable = [verdict for verdict in verdicts if verdict.countable or _platform_counts(rules, verdict)]
    return len(countable), sum(verdict.outcome is RunOutcome.PASSED for verdict in countable)


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


def _most(numbers: Sequence[int | None]) -> int | None:
    return max((number or 0 for number in numbers), default=0) or None if None not in numbers else None


def _told_runs(more_runs: int | None, cents_per_run: float | None) -> str:
    if more_runs is None:
        return "more than a thousand runs more would be needed to tell: the rate is close to what is required"
    price = "" if cents_per_run is None else f", about ${more_runs * cents_per_run / 100:,.2f}"
    return f"about {counted(more_runs, 'more run')} would probably decide{price}"


def _judge_rate(rules: CaseRules, verdicts: Sequence[RunVerdict], passed: int, countable: int) -> Part:
    left_out = _left_out(rules, verdicts)
    if not verdicts:
        return Part(CaseOutcome.UNKNOWN, "no run was made")
    if countable < max(1, rules.min_runs):
        found = f"{countable} of {counted(len(verdicts), 'run')} can be counted, {max(1, rules.min_runs)} needed"
        return Part(CaseOutcome.UNKNOWN, f"{found}: {left_out}" if left_out else found)
    outcome = _against(passed, countable, rules.min_pass_rate, rules.confidence)
    if outcome is CaseOutcome.PASSED:
        return Part(outcome, f"not counted: {left_out}" if left_out else "")
    needed = _needed(rules.min_pass_rate, rules.confidence)
    found = f"{passed} of {counted(countable, 'run')} passed, {needed}"
    found = f"{found} (not counted: {left_out})" if left_out else found
    return _left_open(outcome, found, passed, countable, rules.min_pass_rate, rules.confidence)


def _judge_critical(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> Part:
    if expectation.severity is not CheckSeverity.CRITICAL:
        return Part(CaseOutcome.PASSED, "")
    name, of_runs = expectation_name(expectation), counted(len(verdicts), "run")
    if failing := _outcomes(expectation, verdicts).count(FindingOutcome.FAILED):
        return Part(CaseOutcome.FAILED, f"critical {name} failed in {failing} of {of_runs}")
    # What must hold in every call is not known to hold where it could not be told in one.
    if untold := _outcomes(expectation, _about_agent(verdicts)).count(FindingOutcome.ERRORED):
        return Part(CaseOutcome.UNKNOWN, f"critical {name} could not be decided in {untold} of {of_runs}")
    return Part(CaseOutcome.PASSED, "")


def _judge_own_rate(expectation: Expectation, rules: CaseRules, verdicts: Sequence[RunVerdict]) -> Part:
    if not has_own_rate(expectation) or expectation.min_pass_rate is None:
        return Part(CaseOutcome.PASSED, "")
    held, decided = decided_in(expectation, verdicts)
    if decided < max(1, rules.min_runs):
        found = f"{expectation_name(expectation)} was decided in {decided} of {counted(len(verdicts), 'run')}"
        return Part(CaseOutcome.UNKNOWN, f"{found}, {max(1, rules.min_runs)} needed")
    outcome = _against(held, decided, expectation.min_pass_rate, rules.confidence)
    if outcome is CaseOutcome.PASSED:
        return Part(outcome, "")
    needed = _needed(expectation.min_pass_rate, rules.confidence)
    found = f"{expectation_name(expectation)} held in {held} of {counted(decided, 'run')}, {needed}"
    return _left_open(outcome, found, held, decided, expectation.min_pass_rate, rules.confidence)


def has_own_rate(expectation: Expectation) -> bool:
    """Whether it is counted over the runs of the case, and decides none of them."""
    return expectation.severity is CheckSeverity.ERROR and expectation.min_pass_rate is not None


def decided_in(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> tuple[int, int]:
    """(runs in which it held, runs in which it was decided)."""
    outcomes = _outcomes(expectation, _about_agent(verdicts))
    held = outcomes.count(FindingOutcome.PASSED)
    return held, held + outcomes.count(FindingOutcome.FAILED)


def _about_agent(verdicts: Sequence[RunVerdict]) -> list[RunVerdict]:
    return [verdict for verdict in verdicts if verdict.fault not in (Fault.PLATFORM, Fault.CALLER)]


def _outcomes(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> list[FindingOutcome]:
    name = expectation_name(expectation)
    return [finding.outcome for verdict in verdicts for finding in verdict.findings if finding.expectation == name]


def _left_open(
    outcome: CaseOutcome, found: str, passed: int, total: int, min_pass_rate: float, confidence: float | None
) -> Part:
    if outcome is not CaseOutcome.UNKNOWN or confidence is None:
        return Part(outcome, found)
    return Part(outcome, f"{found}: not enough to tell", (passed, total, min_pass_rate, confidence))


def _needed(min_pass_rate: float, confidence: float | None) -> str:
    needed = f"{_percent(min_pass_rate)} needed"
    return needed if confidence is None else f"{needed} with {_percent(confidence)} confidence"


def _against(passed: int, total: int, min_pass_rate: float, confidence: float | None) -> CaseOutcome:
    if confidence is not None and min_pass_rate < 1:  # a rate of 1 cannot be shown, only broken
        holds = decide(passed, total, min_pass_rate, confidence)
        if holds is None:
            return CaseOutcome.UNKNOWN
        if not holds:
            return CaseOutcome.FAILED
        return CaseOutcome.PASSED if passed == total else CaseOutcome.FLAKY
    # A float's shortest decimal is what the author wrote: 0.8 is four fifths, and 4 of 5 are enough.
    if Fraction(passed, total) < Fraction(repr(min_pass_rate)):
        return CaseOutcome.FAILED
    return CaseOutcome.PASSED if passed == total else CaseOutcome.FLAKY


def _left_out(rules: CaseRules, verdicts: Sequence[RunVerdict]) -> str:
    """`2 platform, 1 undecided`: the faults of runs that are not counted."""
    faults = [verdict.fault for verdict in verdicts if not verdict.countable and not _platform_counts(rules, verdict)]
    return ", ".join(
        f"{faults.count(fault)} {'undecided' if fault is Fault.JUDGE else fault.value}"
        for fault in Fault
        if fault in faults
    )


def _percent(rate: float) -> str:
    return f"{rate * 100:g} %"
