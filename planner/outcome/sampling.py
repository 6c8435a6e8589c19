"""Judged runs as one side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from planner.checks.base import FindingOutcome
from planner.outcome.cases import CaseRules, count_runs, decided_in, has_own_rate
from planner.outcome.comparison import OwnRate, Sample
from planner.outcome.model import CaseOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name


def sample_of_runs(rules: CaseRules, verdicts: Sequence[RunVerdict], outcome: CaseOutcome, not_made: int = 0) -> Sample:
    """`outcome` is what they come to; `not_made` are runs that were not needed for it."""
    countable, passed = count_runs(rules, verdicts)
    own_rates = [
        OwnRate(expectation_name(each), *decided_in(each, verdicts))
        for each in rules.expectations
        if has_own_rate(each)
    ]
    names = {own.expectation for own in own_rates}
    clean = [
        verdict
        for verdict in verdicts
        if verdict.outcome is RunOutcome.PASSED
        and not any(each.outcome is FindingOutcome.FAILED and each.expectation in names for each in verdict.findings)
    ]
    return Sample(outcome, passed, countable, not_made, tuple(own_rates), len(clean) if names else None)
