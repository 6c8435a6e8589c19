"""`duration`: how long the call lasted."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from planner.checks.base import Expectation, Judgement, errored, failed, passed
from planner.checks.fields import PositiveSeconds, Seconds, at_least, at_most, given
from planner.checks.wording import number
from planner.evidence import Evidence


class Duration(Expectation, frozen=True):
    """The length of the call, in seconds."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"check": "duration", "min_seconds": 10, "max_seconds": 180}]}
    )

    opposes = ("duration",)

    looks_at = frozenset()

    check: Literal["duration"] = Field(description="The kind of check.")
    min_seconds: Seconds | None = Field(default=None, description="Shortest length that holds.")
    max_seconds: PositiveSeconds | None = Field(default=None, description="Longest length that holds.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if not given(self.min_seconds, self.max_seconds):
            raise ValueError("needs `min_seconds`, `max_seconds` or both")
        if self.max_seconds is None and self.min_seconds == 0:
            raise ValueError("`min_seconds: 0` alone always holds, so it checks nothing")
        if self.min_seconds is not None and self.max_seconds is not None and self.max_seconds < self.min_seconds:
            raise ValueError(f"`max_seconds` ({self.max_seconds:g}) is less than `min_seconds` ({self.min_seconds:g})")
        return self

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, Duration) or self.max_seconds is None or other.min_seconds is None:
            return ""
        if self.max_seconds >= other.min_seconds:
            return ""
        return f"no call lasts at most {self.max_seconds:g} s and at least {other.min_seconds:g} s"

    def implies(self, other: Expectation) -> bool:
        if not isinstance(other, Duration):
            return False
        return at_least(self.min_seconds, other.min_seconds) and at_most(self.max_seconds, other.max_seconds)

    def judge(self, evidence: Evidence) -> Judgement:
        seconds = evidence.duration_seconds
        if seconds is None:
            return errored("the service did not say how long the call lasted")
        if self.min_seconds is not None and seconds < self.min_seconds:
            return failed(f"lasted {number(seconds)} s, expected at least {number(self.min_seconds)} s")
        if self.max_seconds is not None and seconds > self.max_seconds:
            return failed(f"lasted {number(seconds)} s, expected at most {number(self.max_seconds)} s")
        return passed(f"lasted {number(seconds)} s")
