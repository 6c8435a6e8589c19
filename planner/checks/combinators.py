"""`all_of`, `any_of` and `not`: expectations made of others, judged by three-valued logic.

An undecided part leaves the whole undecided unless the other parts decide alone.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from planner.checks.base import Expectation, Lint, Missed, PartsRead, at_least, examples
from planner.checks.judgement import FindingOutcome, Judgement, merged, undecided, with_outcome
from planner.checks.opinions import Ask, Question, no_judge
from planner.evidence import Evidence
from planner.quantities import count

OF_THE_WHOLE = ("severity", "min_pass_rate")
"""Fields of the combinator that its parts lack."""

PART_SCHEMA: Mapping[str, Any] = MappingProxyType({"type": "object", "required": ["check"]})
"""A placeholder for any expectation, which the schema of plan files replaces."""


class _AnyKind:
    """Validates any kind of expectation by its `check`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from planner.checks import CHECKS  # they include the combinators

        del source
        union: Any = Union
        return handler.generate_schema(Annotated[union[tuple(CHECKS.values())], Field(discriminator="check")])


def _as_part(part: Expectation) -> Expectation:
    for name in OF_THE_WHOLE:
        if name in part.model_fields_set:
            raise ValueError(f"`{name}` applies to the whole: write it beside `of`, not inside")
    return part


Part = Annotated[Expectation, _AnyKind(), AfterValidator(_as_part), WithJsonSchema(dict(PART_SCHEMA))]


class Combinator(Expectation, frozen=True):
    """An expectation made of others. `combined` judges the whole from its parts."""

    @abstractmethod
    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        """One judgement from those of the parts, in order."""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        return frozenset(read for part in self.parts.values() for read in part.reads(evidence, missed))

    def judge_by(self, judge: Callable[[Expectation], Judgement]) -> Judgement:
        """Judge each part with `judge`, and combine the results."""
        judged = [(part, judge(part)) for part in self.parts.values()]
        return self.combined(
            [
                judgement if part.id is None else replace(judgement, message=f"{part.id}: {judgement.message}")
                for part, judgement in judged
            ]
        )

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        return self.judge_by(lambda part: part.judge_with(evidence, ask))

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, no_judge)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        """The questions of the parts; none if the other parts decide alone, so nothing is paid without need."""
        found = [question for part in self.parts.values() for question in part.questions(evidence)]
        return found if found and self.judge(evidence).outcome is FindingOutcome.UNDECIDED else ()

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return [rubric for part in self.parts.values() for rubric in part.rubrics()]

    def lints(self) -> Sequence[Lint]:
        return [
            replace(lint, route=(*route, *lint.route)) for route, part in self.parts.items() for lint in part.lints()
        ]


class OfSeveral(Combinator, frozen=True):
    """The fields of `all_of` and `any_of`."""

    decisive: ClassVar[FindingOutcome]
    """The outcome of one part that decides the whole."""
    among: ClassVar[Callable[[Iterable[object]], bool]]
    """`all` or `any`: which failed parts must have failed by silence, so that the whole did."""

    of: Annotated[
        tuple[Part, ...],
        at_least(2, "needs at least two expectations: one alone needs no combinator"),
        Field(json_schema_extra={"minItems": 2}),
    ] = Field(
        description=(
            "The expectations, each written as usual but without `severity` and `min_pass_rate`, which belong to the "
            "whole; an `id` names a part in the finding."
        ),
    )

    @property
    def parts(self) -> Mapping[tuple[str | int, ...], Expectation]:
        return {("of", index): part for index, part in enumerate(self.of)}

    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        deciding = with_outcome(judgements, self.decisive) or with_outcome(judgements, FindingOutcome.UNDECIDED)
        outcome = (deciding or judgements)[0].outcome
        share = f"{len(deciding or judgements)} of {count(len(self.of), 'part')}"
        prefixes = {
            FindingOutcome.FAILED: f"{share} failed: ",
            FindingOutcome.UNDECIDED: f"{share} cannot be decided: ",
        }
        whole = merged(outcome, prefixes.get(outcome, ""), deciding or judgements)
        return replace(whole, is_silence=self.among(judgement.is_silence for judgement in deciding or judgements))

    def fingerprint_fields(self) -> dict[str, Any]:
        return {**super().fingerprint_fields(), "of": [part.fingerprint_fields() for part in self.of]}


class AllOf(OfSeveral, frozen=True):
    """All parts hold on the same call.

    Fails if a part fails; otherwise undecided if a part is undecided. Use it inside `any_of` and `not`, or to give
    several expectations one severity and one pass rate.
    """

    model_config = examples(
        {
            "check": "all_of",
            "id": "identity-first",
            "severity": "critical",
            "of": [
                {"check": "tool_called", "name": "verify_identity"},
                {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
            ],
        }
    )
    decisive = FindingOutcome.FAILED
    among = all
    caller_can_cause_failure = True

    check: Literal["all_of"] = Field(description="The kind of check.")


class AnyOf(OfSeveral, frozen=True):
    """At least one part holds.

    Holds if a part holds; otherwise undecided if a part is undecided. For several phrases of one speaker, `says` has
    its own `any_of`.
    """

    model_config = examples(
        {
            "check": "any_of",
            "id": "solves-or-hands-over",
            "of": [
                {"check": "tool_called", "name": "issue_refund"},
                {"check": "call", "end_reason": "transfer"},
            ],
        }
    )
    decisive = FindingOutcome.PASSED
    among = any
    caller_can_cause_failure = True

    check: Literal["any_of"] = Field(description="The kind of check.")

    @model_validator(mode="after")
    def _may_fail(self) -> Self:
        if any(part.is_trivial for part in self.of):
            raise ValueError(
                "this always holds, since every call that is judged is completed: remove the part `status: completed`"
            )
        return self


class Not(Combinator, frozen=True):
    """The part does not hold.

    Undecided if the part is undecided, or fails because the speaker never spoke. Prefer `never_says` and
    `tool_not_called`, which are clearer; use this for checks without an opposite.
    """

    model_config = examples({"check": "not", "of": {"check": "call", "end_reason": "transfer"}})

    version: ClassVar[int] = 2  # 1 passed where the speaker never spoke
    caller_can_cause_failure = False

    check: Literal["not"] = Field(description="The kind of check.")
    of: Part = Field(
        description=(
            "The expectation that must not hold, written as usual but without `severity` and `min_pass_rate`, which "
            "belong to the whole."
        )
    )

    @model_validator(mode="after")
    def _may_hold(self) -> Self:
        if self.of.is_trivial:
            raise ValueError("this never holds, since every call that is judged is completed")
        return self

    @property
    def parts(self) -> Mapping[tuple[str | int, ...], Expectation]:
        return {("of",): self.of}

    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        match judgements[0].outcome:
            case FindingOutcome.PASSED:
                return merged(FindingOutcome.FAILED, "holds, expected not to: ", judgements)
            case FindingOutcome.FAILED if judgements[0].is_silence:
                return undecided(judgements[0].message)
            case FindingOutcome.FAILED:
                return merged(FindingOutcome.PASSED, "does not hold, as expected: ", judgements)
            case FindingOutcome.UNDECIDED:
                return judgements[0]

    def fingerprint_fields(self) -> dict[str, Any]:
        return {**super().fingerprint_fields(), "of": self.of.fingerprint_fields()}
