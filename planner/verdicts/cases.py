"""Run outcomes → case outcome, and the pass rate of each expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple, TypeAlias

from planner.checks.base import CheckSeverity, Expectation
from planner.checks.judgement import FindingOutcome
from planner.planfile.model import Case
from planner.quantities import count
from planner.results.model import CaseResult, ExpectationRate, Finding, JudgedRun, RunVerdict, Sample
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.statistics import wilson_interval
from planner.verdicts.runs import expectation_name, undecided_run


class CaseVerdict(NamedTuple):
    """These fields of a `CaseResult`. The rate and its interval (Wilson, 95 %) are None without countable runs."""

    outcome: CaseOutcome
    runs_passed: int
    runs_countable: int
    pass_rate: float | None
    interval: tuple[float, float] | None
    outcome_reason: str = ""


class Part(NamedTuple):
    """The outcome of one requirement of a case, and the reason in one line ("" if passed)."""

    outcome: CaseOutcome
    reason: str = ""


def judge_case(case: Case, verdicts: Sequence[RunVerdict]) -> CaseVerdict:
    """Judge a case by its runs.

    The outcome is the worst of: its pass rate against `min_pass_rate`; each expectation with its own `min_pass_rate`,
    over the runs in which it was decided; and its critical expectations, which may not fail in any run.
    """
    if unproven := _unproven(case, verdicts):
        return unproven
    countable, passed = count_runs(verdicts)
    parts = judge_parts(case, verdicts)
    outcome = CaseOutcome.worst(part.outcome for part in parts)
    reasons = [part.reason for part in parts if part.outcome is outcome and part.reason]
    return CaseVerdict(
        outcome,
        passed,
        countable,
        passed / countable if countable else None,
        wilson_interval(passed, countable) if countable else None,
        "; ".join(reasons),
    )


def _unproven(case: Case, verdicts: Sequence[RunVerdict]) -> CaseVerdict | None:
    """The verdict on a case that other runs instead of its excluded ones could change, else None."""
    excluded = sum(verdict.excluded is not None for verdict in verdicts)
    if not excluded or settled(case, [verdict for verdict in verdicts if verdict.excluded is None], excluded):
        return None
    countable, passed = count_runs(verdicts)
    return CaseVerdict(
        CaseOutcome.UNKNOWN,
        passed,
        countable,
        passed / countable if countable else None,
        wilson_interval(passed, countable) if countable else None,
        f"{count(excluded, 'call')} of {count(len(verdicts), 'run')} reached an agent that was edited meanwhile",
    )


def judge_parts(case: Case, verdicts: Sequence[RunVerdict]) -> list[Part]:
    """Each requirement separately, in a fixed order: the pass rate, critical expectations, expectations with their own
    rate."""
    return [
        _judge_rate(case, verdicts),
        *(_judge_critical(expectation, verdicts) for expectation in case.expectations),
        *(_judge_own_rate(expectation, case, verdicts) for expectation in case.expectations),
    ]


def settled(case: Case, verdicts: Sequence[RunVerdict], remaining: int) -> CaseOutcome | None:
    """The outcome of a case if its `remaining` runs (or fewer) cannot change it, else None.

    Three extremes bound all ways in which they may end: every run passes, every run fails, or none counts. Each
    requirement is monotonic, so if it has the same outcome in all three, it has in between. A failure must be that of
    one requirement in all three: if one fails only when runs count, and another only when they do not, both may be met
    in between.
    """
    ends = [judge_parts(case, [*verdicts, *[run] * remaining]) for run in extreme_runs(case)]
    outcomes = {CaseOutcome.worst(part.outcome for part in parts) for parts in ends}
    if len(outcomes) > 1:
        return None
    (outcome,) = outcomes
    if outcome is CaseOutcome.FAILED and not any(
        all(part.outcome is CaseOutcome.FAILED for part in same) for same in zip(*ends, strict=True)
    ):
        return None
    return outcome


def extreme_runs(case: Case) -> tuple[RunVerdict, RunVerdict, RunVerdict]:
    """A run that passes every expectation, one that fails every expectation, and an undecided one."""
    passing, failing, undecided = (
        [
            Finding(
                expectation=expectation_name(each),
                check=each.check,
                outcome=outcome,
                severity=each.severity,
                message="",
            )
            for each in case.expectations
        ]
        for outcome in (FindingOutcome.PASSED, FindingOutcome.FAILED, FindingOutcome.UNDECIDED)
    )
    return (
        RunVerdict(outcome=RunOutcome.PASSED, findings=passing),
        RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT, findings=failing),
        undecided_run(Cause.JUDGE, "", undecided),
    )


def count_runs(verdicts: Sequence[RunVerdict]) -> tuple[int, int]:
    """(countable runs, how many of them passed)."""
    return sum(verdict.countable for verdict in verdicts), sum(verdict.cause is None for verdict in verdicts)


_SAYS_NOTHING: Final = {
    Cause.CALLER: "failed because of the test bot",
    Cause.PLATFORM: "failed because of the platform",
    Cause.JUDGE: "undecided",
    Cause.PLAN: "with a value that the sandbox's world lacks",
}
"""Of runs that say nothing about the agent."""


def _judge_rate(case: Case, verdicts: Sequence[RunVerdict]) -> Part:
    if not verdicts:
        return Part(CaseOutcome.UNKNOWN, "no run was made")
    countable, passed = count_runs(verdicts)
    causes = [verdict.cause for verdict in verdicts if not verdict.countable]
    left_out = ", ".join(
        f"{causes.count(cause)} {_SAYS_NOTHING.get(cause, cause.value)}" for cause in Cause if cause in causes
    )
    if countable < case.min_runs:
        found = f"{countable} of {count(len(verdicts), 'run')} can be counted, {case.min_runs} needed"
        return Part(CaseOutcome.UNKNOWN, f"{found}: {left_out}" if left_out else found)
    part = _against(passed, countable, case.min_pass_rate)
    if part.outcome is CaseOutcome.PASSED:
        return part._replace(reason=f"not counted: {left_out}" if left_out else "")
    found = f"{passed} of {count(countable, 'run')} passed, {part.reason}"
    return part._replace(reason=f"{found} (not counted: {left_out})" if left_out else found)


def _judge_critical(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> Part:
    if expectation.severity is not CheckSeverity.CRITICAL:
        return Part(CaseOutcome.PASSED)
    name, of_runs = expectation_name(expectation), count(len(verdicts), "run")
    if failing := _outcomes(expectation, verdicts).count(FindingOutcome.FAILED):
        return Part(CaseOutcome.FAILED, f"critical {name} failed in {failing} of {of_runs}")
    if undecided := _outcomes(expectation, _about_agent(verdicts)).count(FindingOutcome.UNDECIDED):
        return Part(CaseOutcome.UNKNOWN, f"critical {name} could not be decided in {undecided} of {of_runs}")
    return Part(CaseOutcome.PASSED)


def _judge_own_rate(expectation: Expectation, case: Case, verdicts: Sequence[RunVerdict]) -> Part:
    if not has_own_rate(expectation) or expectation.min_pass_rate is None:
        return Part(CaseOutcome.PASSED)
    name = expectation_name(expectation)
    outcomes = _outcomes(expectation, _about_agent(verdicts))
    met = outcomes.count(FindingOutcome.PASSED)
    decided = met + outcomes.count(FindingOutcome.FAILED)
    if decided < case.min_runs:
        found = f"{name} was decided in {decided} of {count(len(verdicts), 'run')}"
        return Part(CaseOutcome.UNKNOWN, f"{found}, {case.min_runs} needed")
    part = _against(met, decided, expectation.min_pass_rate)
    if part.outcome is CaseOutcome.PASSED:
        return Part(CaseOutcome.PASSED)
    return part._replace(reason=f"{name} was met in {met} of {count(decided, 'run')}, {part.reason}")


def _against(passed: int, total: int, min_pass_rate: float) -> Part:
    """The outcome of a rate; the reason is what is needed."""
    # As the author wrote it: 0.8 is exactly four fifths, so 4 of 5 are enough.
    if Fraction(passed, total) < Fraction(repr(min_pass_rate)):
        outcome = CaseOutcome.FAILED
    else:
        outcome = CaseOutcome.PASSED if passed == total else CaseOutcome.FLAKY
    return Part(outcome, f"{min_pass_rate * 100:g} % needed")


def has_own_rate(expectation: Expectation) -> bool:
    """Whether it is counted over all runs of the case instead of deciding each run."""
    return expectation.severity is CheckSeverity.ERROR and expectation.min_pass_rate is not None


def rates_of(case: Case, runs: Sequence[RunVerdict]) -> list[ExpectationRate]:
    """The pass rate of each expectation, and its own required rate."""
    own = {expectation_name(each): each.min_pass_rate for each in case.expectations if has_own_rate(each)}
    return [rate.model_copy(update={"min_pass_rate": own.get(rate.expectation)}) for rate in expectation_rates(runs)]


def sample_of_runs(case: Case, runs: Sequence[RunVerdict], outcome: CaseOutcome, not_made: int = 0) -> Sample:
    """The runs as one side of a comparison. `not_made` runs were not needed for the `outcome`."""
    own = {expectation_name(each): each.check for each in case.expectations if has_own_rate(each)}
    return sample(runs, outcome, own, not_made)


def case_fields(case: Case, verdict: CaseVerdict, runs: Sequence[JudgedRun]) -> dict[str, Any]:
    """The fields of a `CaseResult` that depend on its runs."""
    return {**verdict._asdict(), "runs": list(runs), "runs_total": len(runs), "expectations": rates_of(case, runs)}


def _about_agent(verdicts: Sequence[RunVerdict]) -> list[RunVerdict]:
    return [verdict for verdict in verdicts if verdict.had_call]


def _outcomes(expectation: Expectation, verdicts: Sequence[RunVerdict]) -> list[FindingOutcome]:
    name = expectation_name(expectation)
    return [finding.outcome for verdict in verdicts for finding in verdict.findings if finding.expectation == name]


RunKey: TypeAlias = tuple[str, int]


def expectation_rates(runs: Sequence[RunVerdict]) -> list[ExpectationRate]:
    """How often each expectation was met, of the runs in which it was decided. Runs without a call do not count."""
    outcomes: dict[str, list[bool]] = {}
    checks: dict[str, str] = {}
    for run in runs:
        for finding in run.findings:
            checks.setdefault(finding.expectation, finding.check)
            decided = outcomes.setdefault(finding.expectation, [])
            if finding.outcome is not FindingOutcome.UNDECIDED and run.had_call:
                decided.append(finding.outcome is FindingOutcome.PASSED)
    return [
        ExpectationRate(expectation=name, check=checks[name], met=sum(decided), decided=len(decided))
        for name, decided in outcomes.items()
    ]


def sample_of(case: CaseResult, runs: Sequence[JudgedRun] | None = None) -> Sample:
    """A stored case as one side of a comparison, with all of its runs or only some."""
    own = {rate.expectation: rate.check for rate in case.expectations if rate.min_pass_rate is not None}
    return sample(case.runs if runs is None else runs, case.outcome, own)


def sample(runs: Sequence[RunVerdict], outcome: CaseOutcome, own: Mapping[str, str], not_made: int = 0) -> Sample:
    """These runs as one side of a comparison. `own` has the checks of the expectations with their own rate, by id;
    `not_made` runs were not needed for the `outcome`."""
    passed = [run for run in runs if run.cause is None]
    found = {rate.expectation: rate for rate in expectation_rates(runs)} if own else {}
    own_rates = (
        found.get(name) or ExpectationRate(expectation=name, check=check, met=0, decided=0)
        for name, check in own.items()
    )
    return Sample(
        outcome=outcome,
        runs_passed=len(passed),
        runs_countable=sum(run.countable for run in runs),
        runs_not_made=not_made,
        runs_clean=sum(own.keys().isdisjoint(_failed_in(run)) for run in passed) if own else None,
        own_rates=tuple(own_rates),
    )


def run_key(run: JudgedRun) -> RunKey:
    """Includes the session, as two services may use the same run ids."""
    return run.session_id, run.run_id


def _failed_in(run: RunVerdict) -> set[str]:
    return {
        finding.expectation
        for finding in run.findings
        if finding.outcome is FindingOutcome.FAILED and finding.severity is CheckSeverity.ERROR
    }
