"""Findings → run outcome → case outcome → plan outcome, and the comparison of a case with its baseline."""

from planner.outcome.cases import CaseRules, has_own_rate, judge_case, plan_outcome, sample_of_runs
from planner.outcome.comparison import (
    Compared,
    OwnRate,
    Sample,
    StrongestRate,
    SuiteChange,
    case_p_value,
    compare,
    compare_suite,
    could_show_change,
    differ_too_much,
    strongest_rate,
)
from planner.outcome.model import CaseOutcome, CaseVerdict, Fault, Finding, PlanOutcome, RunOutcome, RunVerdict
from planner.outcome.runs import expectation_name, judge_run, platform_verdict, questions_of_run
from planner.outcome.settling import calls_at_once, min_runs_to_settle, passing_run, settled

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
    "StrongestRate",
    "SuiteChange",
    "calls_at_once",
    "case_p_value",
    "compare",
    "compare_suite",
    "could_show_change",
    "differ_too_much",
    "expectation_name",
    "has_own_rate",
    "judge_case",
    "judge_run",
    "min_runs_to_settle",
    "passing_run",
    "plan_outcome",
    "platform_verdict",
    "questions_of_run",
    "sample_of_runs",
    "settled",
    "strongest_rate",
]
