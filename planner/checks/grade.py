"""`grade`: what the platform's own grading made of the call."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator

from planner.checks.base import Expectation, Judgement, errored, failed, passed
from planner.checks.combining import all_hold
from planner.checks.fields import Count, NotBool, at_least, at_most, given
from planner.checks.wording import counted, number, shown
from planner.evidence import Evidence

Outcome = Literal["success", "failure", "unknown", "no_conversation"]
Goal = Literal["achieved", "missed", "no_opportunity"]


class GradeCheck(Expectation, frozen=True):
    """The platform's own grade: all that is written must hold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "grade", "min_score": 0.8},
                {"check": "grade", "outcome": "success", "max_critical_issues": 0},
            ]
        }
    )

    version: ClassVar[int] = 2  # words that are none of the service's

    opposes = ("grade",)

    looks_at = frozenset()

    check: Literal["grade"] = Field(description="The kind of check.")
    min_score: Annotated[float, Field(ge=0, le=1), NotBool] | None = Field(
        default=None, description="Lowest score that holds, from 0 to 1.", examples=[0.8]
    )
    outcome: Outcome | None = Field(default=None, description="What the platform says came of the call.")
    goal: Goal | None = Field(default=None, description="Whether the platform says the agent's goal was achieved.")
    max_issues: Count | None = Field(default=None, description="Issues the platform detected, at most.")
    max_critical_issues: Count | None = Field(
        default=None, description="Critical issues the platform detected, at most."
    )

    @field_validator("min_score", mode="before")
    @classmethod
    def _score_is_a_share(cls, score: Any) -> Any:
        if isinstance(score, int | float) and not isinstance(score, bool) and 1 < score <= 100:
            raise ValueError(f"a score runs from 0 to 1: for {score:g} of 100 write {score / 100:g}")
        return score

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        if not given(self.min_score, self.outcome, self.goal, self.max_issues, self.max_critical_issues):
            raise ValueError(
                "needs at least one of `min_score`, `outcome`, `goal`, `max_issues`, `max_critical_issues`"
            )
        if self.min_score == 0 and not given(self.outcome, self.goal, self.max_issues, self.max_critical_issues):
            raise ValueError("`min_score: 0` alone always holds, so it checks nothing")
        return self

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, GradeCheck):
            return ""
        for name in ("outcome", "goal"):
            mine, others = getattr(self, name), getattr(other, name)
            if None not in (mine, others) and mine != others:
                return f"no grade has both the {name} {mine} and {others}"
        return ""

    def implies(self, other: Expectation) -> bool:
        if not isinstance(other, GradeCheck):
            return False
        return (
            at_least(self.min_score, other.min_score)
            and other.outcome in (None, self.outcome)
            and other.goal in (None, self.goal)
            and at_most(self.max_issues, other.max_issues)
            and at_most(self.max_critical_issues, other.max_critical_issues)
        )

    def judge(self, evidence: Evidence) -> Judgement:
        grade = evidence.grade
        if grade is None:
            return errored("the service gave no grade")
        if grade.status != "completed":
            return errored(f"the service has no finished grade: its status is {shown(grade.status)}")
        conditions: list[Judgement] = []
        if self.min_score is not None:
            conditions.append(_at_least("score", grade.score, self.min_score, untold=_untold_score(evidence)))
        if self.outcome is not None:
            conditions.append(_equal("outcome", grade.outcome, self.outcome, get_args(Outcome)))
        if self.goal is not None:
            conditions.append(_equal("goal", grade.goal, self.goal, get_args(Goal)))
        if self.max_issues is not None:
            conditions.append(_at_most("issue", grade.issues, self.max_issues))
        if self.max_critical_issues is not None:
            conditions.append(_at_most("critical issue", grade.critical_issues, self.max_critical_issues))
        return all_hold(conditions)


def _untold_score(evidence: Evidence) -> Judgement:
    if evidence.call is not None and evidence.call.document.get("grade_score") == 1:
        return errored("the grade's score is told as 1, and not whether of 1 or of 100")
    return _not_told("score")


def _at_least(what: str, found: float | None, limit: float, untold: Judgement) -> Judgement:
    if found is None:
        return untold
    return (
        passed(f"{what} {number(found)}")
        if found >= limit
        else failed(f"{what} {number(found)}, expected at least {number(limit)}")
    )


def _at_most(what: str, found: int | None, limit: int) -> Judgement:
    if found is None:
        return errored(f"how many {what}s the grade found is not told, or not in one number")
    told = counted(found, what)
    return passed(told) if found <= limit else failed(f"{told}, expected at most {limit}")


def _equal(what: str, found: str | None, expected: str, known: Collection[str]) -> Judgement:
    """A word that nobody knows may mean any of those that are known."""
    if found is None:
        return _not_told(what)
    if (word := found.strip().lower()) not in known:
        return errored(f"the grade tells the {what} in a word that is not known: {shown(found)}")
    return (
        passed(f"{what} {shown(found)}")
        if word == expected
        else failed(f"{what} {shown(found)}, expected {shown(expected)}")
    )


def _not_told(what: str) -> Judgement:
    return errored(f"the grade does not tell the {what}")
