"""`not`: an expectation that must not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, assert_never

from pydantic import ConfigDict, Field

from planner.checks.base import Doubt, Expectation, FindingOutcome, Judgement
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.checks.parts import Part, doubts_of, judge_parts, merged, open_questions
from planner.evidence import Evidence


class Not(Expectation, frozen=True):
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

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return self.of.rubrics()

    def doubts(self) -> Sequence[Doubt]:
        return doubts_of([(("of",), self.of)])

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, nobody_asked)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        return open_questions(self, [self.of], evidence)

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        return self.combined(judge_parts([self.of], evidence, ask))

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
