"""`grade`: the platform's own grade of the call."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from planner.checks.base import Count, Expectation, NotBool, check_given, examples, within
from planner.checks.judgement import FindingOutcome, Judgement, all_hold, failed, number, passed, shown, undecided
from planner.evidence import Evidence, Grade
from planner.quantities import count

_MAX_REASONS = 3
Outcome = Literal["success", "failure", "unknown", "no_conversation"]
Goal = Literal["achieved", "missed", "no_opportunity"]


class GradeCheck(Expectation, frozen=True):
    """The platform's own grade. All given fields must hold."""

    model_config = examples(
        {"check": "grade", "min_score": 0.8},
        {"check": "grade", "outcome": "success", "max_critical_issues": 0},
    )
    version: ClassVar[int] = 2  # unknown words are undecided
    looks_at = frozenset()
    caller_can_cause_failure = True

    check: Literal["grade"] = Field(description="The kind of check.")
    min_score: Annotated[float, Field(ge=0, le=1), NotBool] | None = Field(
        default=None, description="Minimum score, from 0 to 1.", examples=[0.8]
    )
    outcome: Outcome | None = Field(default=None, description="The outcome of the call, as the platform reports it.")
    goal: Goal | None = Field(default=None, description="Whether the platform says the agent's goal was achieved.")
    max_issues: Count | None = Field(default=None, description="Maximum number of issues that the platform detected.")
    max_critical_issues: Count | None = Field(
        default=None, description="Maximum number of critical issues that the platform detected."
    )

    @field_validator("min_score", mode="before")
    @classmethod
    def _score_is_a_share(cls, score: Any) -> Any:
        if isinstance(score, int | float) and not isinstance(score, bool) and 1 < score <= 100:
            raise ValueError(f"a score runs from 0 to 1: for {score:g} of 100 write {score / 100:g}")
        return score

    @property
    def wants_grade(self) -> bool:
        return True

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        check_given(self, "min_score", "outcome", "goal", "max_issues", "max_critical_issues")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        grade = evidence.grade
        if grade is None:
            return undecided("the service gave no grade")
        if grade.status != "completed":
            return undecided(f"the service has no finished grade: its status is {shown(grade.status)}")
        conditions: list[Judgement] = []
        if self.min_score is not None:
            reasons = grade.rubric or (grade.summary,)
            conditions.append(_because(_judge_score(grade, self.min_score), reasons))
        if self.outcome is not None:
            found = _judge_word("outcome", grade.outcome, self.outcome, get_args(Outcome))
            conditions.append(_because(found, [grade.outcome_reasoning or grade.summary]))
        if self.goal is not None:
            found = _judge_word("goal", grade.goal, self.goal, get_args(Goal))
            conditions.append(_because(found, [grade.goal_reasoning or grade.summary]))
        if self.max_issues is not None:
            found = _judge_issues("issue", grade.issues, self.max_issues)
            conditions.append(_because(found, [issue.title for issue in grade.titles]))
        if self.max_critical_issues is not None:
            found = _judge_issues("critical issue", grade.critical_issues, self.max_critical_issues)
            critical = [issue.title for issue in grade.titles if (issue.severity or "").lower() == "critical"]
            conditions.append(_because(found, critical))
        return all_hold(conditions)


def _because(found: Judgement, reasons: Sequence[str | None]) -> Judgement:
    """A failure, with what the grader says of it."""
    said = [shown(reason) for reason in reasons if reason]
    if found.outcome is not FindingOutcome.FAILED or not said:
        return found
    more = f" and {len(said) - _MAX_REASONS} more" if len(said) > _MAX_REASONS else ""
    return replace(found, message=f"{found.message}; the grader says {', '.join(said[:_MAX_REASONS])}{more}")


def _judge_score(grade: Grade, least: float) -> Judgement:
    if grade.score is not None:
        return within(f"score {number(grade.score)}", grade.score, (least, None))
    return undecided("the grade has no score, or the service does not say whether it is out of 1 or of 100")


def _judge_issues(what: str, found: int | None, limit: int) -> Judgement:
    if found is None:
        return undecided(f"the grade has no number of {what}s, or several that differ")
    return within(count(found, what), found, (None, limit))


def _judge_word(what: str, found: str | None, expected: str, known: Collection[str]) -> Judgement:
    """Undecided for an unknown word, which may mean any of the known ones."""
    if found is None:
        return undecided(f"the grade has no {what}")
    if (word := found.strip().lower()) not in known:
        return undecided(f"the grade has an unknown {what}: {shown(found)}")
    message = f"{what} {shown(found)}"
    return passed(message) if word == expected else failed(f"{message}, expected {shown(expected)}")
