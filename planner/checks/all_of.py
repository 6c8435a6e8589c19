"""`all_of`: several expectations that must hold together on one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field

from planner.checks.base import FindingOutcome, Judgement
from planner.checks.parts import OfSeveral, Parts, merged, those
from planner.checks.wording import counted


class AllOf(OfSeveral, frozen=True):
    """All parts hold on the same call.

    Fails when a part fails; else cannot be told when a part cannot; else holds. Several expectations of a scenario must all
    hold anyway: this one is for use inside `any_of` and `not`, or to give several one severity and one pass rate.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "check": "all_of",
                    "id": "identity-first",
                    "severity": "critical",
                    "of": [
                        {"check": "tool_called", "name": "verify_identity"},
                        {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
                    ],
                }
            ]
        }
    )

    check: Literal["all_of"] = Field(description="The kind of check.")
    of: Parts = Field(
        description=(
            "The expectations that must all hold. Each is written as anywhere else, without `severity` and `min_pass_rate`, "
            "which are the whole's; an `id` names it in the finding."
        ),
    )

    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        if failing := those(judgements, FindingOutcome.FAILED):
            verb = "does" if len(failing) == 1 else "do"
            return merged(
                FindingOutcome.FAILED, f"{len(failing)} of {counted(len(self.of), 'part')} {verb} not hold: ", failing
            )
        if undecided := those(judgements, FindingOutcome.ERRORED):
            return merged(
                FindingOutcome.ERRORED,
                f"{len(undecided)} of {counted(len(self.of), 'part')} cannot be told: ",
                undecided,
            )
        return merged(FindingOutcome.PASSED, "", judgements)
