"""Findings → run outcome → case outcome → plan outcome, and how a case compares with the baseline."""

from planner.outcome.cases import CaseRules, has_own_rate, judge_case, plan_outcome
from planner.outcome.comparison import (
    Compared,
    OwnRate,
    Sample,
    SuiteChange,
    Telling,
    chance_alone,
    compare,
    compare_suite,
    could_be_told,
    differ_too_much,
    telling,
)
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, Finding, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name, judge_run, platform_verdict, questions_of_run
from planner.outcome.sampling import sample_of_runs
from planner.outcome.settling import calls_at_once, least_to_settle, passing_run, settled

__all__ = [
    "CaseOutcome",
    "CaseRules",
    "CaseVerdict",
    "Compared",
    "Fault",
    "Finding",
    "OwnRate",
    "PlanOutcome",
    "RunOutcome",
    "RunVerdict",
    "Sample",
    "SuiteChange",
    "Telling",
    "calls_at_once",
    "chance_alone",
    "compare",
    "compare_suite",
    "could_be_told",
    "differ_too_much",
    "expectation_name",
    "has_own_rate",
    "judge_case",
    "judge_run",
    "least_to_settle",
    "passing_run",
    "plan_outcome",
    "platform_verdict",
    "questions_of_run",
    "sample_of_runs",
    "settled",
    "telling",
]
