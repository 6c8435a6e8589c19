"""`any_of`: several expectations of which one is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from planner.checks.base import FindingOutcome, Judgement
from planner.checks.call import CallCheck
from planner.checks.parts import OfSeveral, Parts, merged, those
from planner.checks.wording import counted


class AnyOf(OfSeveral, frozen=True):
    """At least one part holds.

    Holds when a part holds; else cannot be told when a part cannot; else fails. For several phrases of one speaker `says`
    has an `any_of` of its own.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "check": "any_of",
                    "id": "solves-or-hands-over",
                    "of": [
                        {"check": "tool_called", "name": "issue_refund"},
                        {"check": "call", "end_reason": "transfer"},
                    ],
                }
            ]
        }
    )

    check: Literal["any_of"] = Field(description="The kind of check.")
    of: Parts = Field(
        description=(
            "The expectations of which one must hold. Each is written as anywhere else, without `severity` and "
            "`min_pass_rate`, which are the whole's; an `id` names it in the finding."
        ),
    )

    @model_validator(mode="after")
    def _may_fail(self) -> Self:
        if any(isinstance(part, CallCheck) and part.is_foregone for part in self.of):
            raise ValueError(
                "every call that is judged is completed, so that this holds whatever else does not: leave out the part "
                "`status: completed`, or put it beside this one"
            )
        return self

    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        if holding := those(judgements, FindingOutcome.PASSED):
            return merged(FindingOutcome.PASSED, "", holding)
        if undecided := those(judgements, FindingOutcome.ERRORED):
            told = f"none holds, and {len(undecided)} of {counted(len(self.of), 'part')} cannot be told: "
            return merged(FindingOutcome.ERRORED, told, undecided)
        return merged(FindingOutcome.FAILED, f"none of {counted(len(self.of), 'part')} holds: ", judgements)
