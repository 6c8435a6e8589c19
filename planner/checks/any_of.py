"""`any_of`: several expectations of which one is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field

from planner.checks.base import Doubt, Expectation, FindingOutcome, Judgement
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.checks.parts import doubts_of, judge_parts, merged, open_questions, those
from planner.checks.wording import counted
from planner.evidence import Evidence

if TYPE_CHECKING:
    from planner.checks.parts import Parts


class AnyOf(Expectation, frozen=True):
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

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return [rubric for part in self.of for rubric in part.rubrics()]

    def doubts(self) -> Sequence[Doubt]:
        return doubts_of([(("of", index), part) for index, part in enumerate(self.of)])

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, nobody_asked)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        return open_questions(self, self.of, evidence)

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        judgements = judge_parts(self.of, evidence, ask)
        if holding := those(judgements, FindingOutcome.PASSED):
            return merged(FindingOutcome.PASSED, "", holding)
        if undecided := those(judgements, FindingOutcome.ERRORED):
            told = f"none holds, and {len(undecided)} of {counted(len(self.of), 'part')} cannot be told: "
            return merged(FindingOutcome.ERRORED, told, undecided)
        return merged(FindingOutcome.FAILED, f"none of {counted(len(self.of), 'part')} holds: ", judgements)

    def fingerprint_fields(self) -> dict[str, Any]:
        return {**super().fingerprint_fields(), "of": [part.fingerprint_fields() for part in self.of]}
