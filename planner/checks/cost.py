"""`cost`: what the run was billed."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from planner.checks.base import Expectation, Judgement, errored, failed, passed
from planner.checks.fields import Count
from planner.evidence import Evidence


class Cost(Expectation, frozen=True):
    """The bill of the run, in US cents: what the account was charged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"check": "cost", "max_cents": 32}]})

    looks_at = frozenset()

    check: Literal["cost"] = Field(description="The kind of check.")
    max_cents: Count = Field(description="Highest bill that holds, in US cents.")

    @field_validator("max_cents")
    @classmethod
    def _can_hold(cls, max_cents: int) -> int:
        if max_cents == 0:
            raise ValueError(
                "every call is billed, so that `max_cents: 0` never holds; write the highest bill that is right"
            )
        return max_cents

    def implies(self, other: Expectation) -> bool:
        return isinstance(other, Cost) and self.max_cents <= other.max_cents

    def judge(self, evidence: Evidence) -> Judgement:
        cents = evidence.cost_cents
        if cents is None:
            return errored("the service has not billed this run yet")
        if cents > self.max_cents:
            return failed(f"cost {cents} cents, expected at most {self.max_cents}")
        return passed(f"cost {cents} cents")
