"""Findings → run outcome → case outcome → plan outcome, and how a case compares with the baseline."""

from planner.outcome.cases import CaseRules, judge_case, plan_outcome
from planner.outcome.comparison import (
    Compared,
    Sample,
    SuiteChange,
    chance_alone,
    compare,
    compare_suite,
    could_be_told,
)
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, Finding, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import judge_run, platform_verdict, questions_of_run
from planner.outcome.settling import calls_at_once, least_to_settle, settled

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
    "calls_at_once",
    "chance_alone",
    "compare",
    "compare_suite",
    "could_be_told",
    "judge_case",
    "judge_run",
    "least_to_settle",
    "plan_outcome",
    "platform_verdict",
    "questions_of_run",
    "settled",
]
