"""`not`: an expectation that must not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, assert_never

from pydantic import ConfigDict, Field, model_validator

from planner.checks.base import Expectation, FindingOutcome, Judgement
from planner.checks.call import CallCheck
from planner.checks.parts import Combinator, Part, merged


class Not(Combinator, frozen=True):
    """The part does not hold.

    What cannot be told of the part cannot be told of its opposite either. `never_says` and `tool_not_called` say more
    clearly what they mean; this is for kinds of check that have no opposite of their own.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"check": "not", "of": {"check": "call", "end_reason": "transfer"}}]}
    )

    check: Literal["not"] = Field(description="The kind of check.")
    of: Part = Field(
        description=(
            "The expectation that must not hold, written as anywhere else, without `severity` and `min_pass_rate`, which are "
            "the whole's."
        )
    )

    @model_validator(mode="after")
    def _may_hold(self) -> Self:
        if isinstance(self.of, CallCheck) and self.of.is_foregone:
            raise ValueError(
                "every call that is judged is completed, so that this holds for none: one that failed is the platform's fault; "
                "`platform_failures: fail` in the scenario lets such calls count against it"
            )
        return self

    @property
    def parts(self) -> Mapping[tuple[str | int, ...], Expectation]:
        return {("of",): self.of}

    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        """From what was found of its one part."""
        match judgements[0].outcome:
            case FindingOutcome.PASSED:
                return merged(FindingOutcome.FAILED, "holds, expected not to: ", judgements)
            case FindingOutcome.FAILED:
                return merged(FindingOutcome.PASSED, "does not hold, as expected: ", judgements)
            case FindingOutcome.ERRORED:
                return judgements[0]
            case _:
                assert_never(judgements[0].outcome)

    def fingerprint_fields(self) -> dict[str, Any]:
        return {**super().fingerprint_fields(), "of": self.of.fingerprint_fields()}
