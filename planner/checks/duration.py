"""`duration`: how long the call lasted."""

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Expectation, PositiveSeconds, Seconds, check_given, check_order, examples, within
from planner.checks.judgement import Judgement, number, undecided
from planner.evidence import Evidence


def _seconds(value: float) -> str:
    return f"{number(value)} s"


class Duration(Expectation, frozen=True):
    """The length of the call, in seconds."""

    model_config = examples({"check": "duration", "min_seconds": 10, "max_seconds": 180})
    looks_at = frozenset()
    caller_can_cause_failure = True

    check: Literal["duration"] = Field(description="The kind of check.")
    min_seconds: Seconds | None = Field(default=None, description="Minimum length of the call, in seconds.")
    max_seconds: PositiveSeconds | None = Field(default=None, description="Maximum length of the call, in seconds.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        check_given(self, "min_seconds", "max_seconds")
        check_order(self, "min_seconds", "max_seconds")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        seconds = evidence.duration_seconds
        if seconds is None:
            return undecided("the service did not say how long the call lasted")
        return within(f"lasted {_seconds(seconds)}", seconds, (self.min_seconds, self.max_seconds), _seconds)
