"""Decide when further runs can no longer change the outcome of a case."""

from __future__ import annotations

from collections.abc import Sequence

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome
from planner.verdicts.cases import CaseRules, judge_parts
from planner.verdicts.outcomes import CaseOutcome, Fault, Finding, RunOutcome, RunVerdict
from planner.verdicts.runs import expectation_name

WORTH_WAITING = 2
"""To save fewer calls than this, it is not worth waiting for a verdict."""


def settled(rules: CaseRules, verdicts: Sequence[RunVerdict], remaining: int) -> CaseOutcome | None:
    """The outcome of a case if its `remaining` runs (or fewer) cannot change it, else None.

    Three extremes bound all ways in which they may end: every run passes, every run fails, or none counts. Each requirement is
    monotonic, so if it has the same outcome in all three, it has in between. A failure must be that of one requirement in all three:
    if one fails only when runs count, and another only when they do not, both may be met in between.
    """
    ends = [judge_parts(rules, [*verdicts, *[run] * remaining]) for run in _extremes(rules)]
    outcomes = {max(part.outcome for part in parts) for parts in ends}
    if len(outcomes) > 1:
        return None
    (outcome,) = outcomes
    if outcome is CaseOutcome.FAILED and not any(
        all(part.outcome is CaseOutcome.FAILED for part in same) for same in zip(*ends, strict=True)
    ):
        return None
    return outcome


def min_runs_to_settle(rules: CaseRules, verdicts: Sequence[RunVerdict], remaining: int) -> int:
    """How many of the `remaining` runs are needed to settle the case if all pass or all fail.

    Assumes no critical failure, which would settle it at once.
    """
    passing, failing, _ = _extremes(rules)
    not_critical = tuple(finding for finding in failing.findings if finding.severity is not CheckSeverity.CRITICAL)
    failing = RunVerdict(failing.outcome, failing.fault, not_critical)
    low, high = 0, remaining
    while low < high:  # a settled case stays settled
        middle = (low + high) // 2
        ways = ([*verdicts, *[run] * middle] for run in (passing, failing))
        if any(settled(rules, way, remaining - middle) is not None for way in ways):
            high = middle
        else:
            low = middle + 1
    return low


def calls_at_once(rules: CaseRules, verdicts: Sequence[RunVerdict], to_come: int, first: int) -> int:
    """How many of the `to_come` calls of an unsettled case may be in progress at once.

    The first wave is `first` calls (`min_runs_to_settle` before any verdict). If all pass, most likely every call is needed, so all
    others follow at once; if not, again as many as could settle the case. Calls do not wait to save fewer than `WORTH_WAITING`.
    """
    passing = sum(verdict.outcome is RunOutcome.PASSED for verdict in verdicts)
    if passing == len(verdicts):
        wave = to_come if passing >= first else first - passing
    else:
        wave = min_runs_to_settle(rules, verdicts, to_come)
    return to_come if to_come - wave < WORTH_WAITING else wave


def passing_run(rules: CaseRules) -> RunVerdict:
    """A run in which every expectation is met."""
    return _extremes(rules)[0]


def _extremes(rules: CaseRules) -> tuple[RunVerdict, RunVerdict, RunVerdict]:
    """A run that passes every expectation, one that fails every expectation, and an undecided one."""
    passing, failing, undecided = (
        tuple(Finding(expectation_name(each), each.check, outcome, each.severity, "") for each in rules.expectations)
        for outcome in (FindingOutcome.PASSED, FindingOutcome.FAILED, FindingOutcome.ERRORED)
    )
    return (
        RunVerdict(RunOutcome.PASSED, None, passing),
        RunVerdict(RunOutcome.FAILED, Fault.AGENT, failing),
        RunVerdict(RunOutcome.ERRORED, Fault.JUDGE, undecided),
    )
