"""When runs that are still to come can no longer change what a case comes to, and how many it takes at least until they cannot."""

from __future__ import annotations

from collections.abc import Sequence

from planner.checks.base import CheckSeverity, FindingOutcome
from planner.outcome.cases import CaseRules, judge_parts
from planner.outcome.model import CaseOutcome, Fault, Finding, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name

WORTH_WAITING = 2
"""Fewer calls than this are not worth waiting for a verdict that might save them: it takes as long as a call."""


def settled(rules: CaseRules, verdicts: Sequence[RunVerdict], remaining: int) -> CaseOutcome | None:
    """The outcome that a case comes to whatever its `remaining` runs (or fewer) do; None while it depends on them.

    Three ways bound all others: every run passes with every expectation, every one fails with every expectation, none of them
    counts. A requirement moves one way only as runs pass or fail, so one that comes to the same at all three does so in
    between. A failure must be one and the same requirement's at all three: where one fails only because runs were counted and
    another only because they were not, both may hold in between.
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


def least_to_settle(rules: CaseRules, verdicts: Sequence[RunVerdict], remaining: int) -> int:
    """How many of the `remaining` runs must be made before the case can be settled, were they all to pass or all to fail.

    Without a critical failure, which settles it at once and is hoped not to happen.
    """
    passing, failing, _ = _extremes(rules)
    spared = tuple(finding for finding in failing.findings if finding.severity is not CheckSeverity.CRITICAL)
    failing = RunVerdict(failing.outcome, failing.fault, spared)
    low, high = 0, remaining
    while low < high:  # what is settled stays settled
        middle = (low + high) // 2
        ways = ([*verdicts, *[run] * middle] for run in (passing, failing))
        if any(settled(rules, way, remaining - middle) is not None for way in ways):
            high = middle
        else:
            low = middle + 1
    return low


def calls_at_once(rules: CaseRules, verdicts: Sequence[RunVerdict], to_come: int, first: int) -> int:
    """How many of `to_come` calls of a case that is not settled may be under way at once.

    `first` (`least_to_settle` before any verdict) are made at once. If they all pass, then most likely all calls will be
    needed, and all are made; if not, again only as many as it takes to settle the case. No call waits to save fewer than
    `WORTH_WAITING`: a good agent's case takes as long as two calls, not one, where that could save several.
    """
    passing = sum(verdict.outcome is RunOutcome.PASSED for verdict in verdicts)
    if passing == len(verdicts):
        wave = to_come if passing >= first else first - passing
    else:
        wave = least_to_settle(rules, verdicts, to_come)
    return to_come if to_come - wave < WORTH_WAITING else wave


def passing_run(rules: CaseRules) -> RunVerdict:
    """A run in which every expectation holds."""
    return _extremes(rules)[0]


def _extremes(rules: CaseRules) -> tuple[RunVerdict, RunVerdict, RunVerdict]:
    """A run that passes with all, one that fails with all, one that tells nothing."""
    passing, failing, untold = (
        tuple(Finding(expectation_name(each), each.check, outcome, each.severity, "") for each in rules.expectations)
        for outcome in (FindingOutcome.PASSED, FindingOutcome.FAILED, FindingOutcome.ERRORED)
    )
    return (
        RunVerdict(RunOutcome.PASSED, None, passing),
        RunVerdict(RunOutcome.FAILED, Fault.AGENT, failing),
        RunVerdict(RunOutcome.ERRORED, Fault.JUDGE, untold),
    )
