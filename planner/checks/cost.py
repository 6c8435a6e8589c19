"""`cost`: what the call cost."""

from typing import Literal

from pydantic import Field, field_validator

from planner.checks.base import Count, Expectation, examples, within
from planner.checks.judgement import Judgement, undecided
from planner.evidence import Evidence


class Cost(Expectation, frozen=True):
    """The bill of the run, in US cents: what the account was charged."""

    model_config = examples({"check": "cost", "max_cents": 32})
    looks_at = frozenset()
    caller_can_cause_failure = False

    check: Literal["cost"] = Field(description="The kind of check.")
    max_cents: Count = Field(description="Maximum bill, in US cents.")

    @field_validator("max_cents")
    @classmethod
    def _can_hold(cls, max_cents: int) -> int:
        if max_cents == 0:
            raise ValueError("every call is billed, so `max_cents: 0` never holds; write the highest acceptable bill")
        return max_cents

    def judge(self, evidence: Evidence) -> Judgement:
        cents = evidence.cost_cents
        if cents is None:
            return undecided("the service has not billed this run yet")
        return within(f"cost {cents} cents", cents, (None, self.max_cents))
