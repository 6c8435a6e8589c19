"""Findings → run outcome → case outcome → plan outcome, and how a case compares with the baseline."""

from planner.outcome.cases import CaseRules, judge_case, plan_outcome, settled
from planner.outcome.comparison import Compared, Sample, SuiteChange, chance_alone, compare, compare_suite
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, Finding, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import judge_run, platform_verdict

__all__ = [
    "CaseOutcome",
    "CaseRules",
    "CaseVerdict",
    "Compared",
    "Fault",
    "Finding",
    "PlanOutcome",
    "RunOutcome",
    "RunVerdict",
    "Sample",
    "SuiteChange",
    "chance_alone",
    "compare",
    "compare_suite",
    "judge_case",
    "judge_run",
    "plan_outcome",
    "platform_verdict",
    "settled",
]
