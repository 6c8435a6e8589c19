"""What `all_of`, `any_of` and `not` share: the expectations they are made of.

Combinators judge by three-valued logic (S. C. Kleene, Introduction to Metamathematics (1952), section 64): what cannot be
told stays so unless the other parts decide alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Union

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from planner.checks.base import Doubt, Expectation, FindingOutcome, Judgement, Missed, PartsRead
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.evidence import Evidence

OF_THE_WHOLE = ("severity", "min_pass_rate")
"""Fields that a part has not: they are the combinator's."""

PART_SCHEMA: Mapping[str, Any] = MappingProxyType({"type": "object", "required": ["check"]})
"""Stands for "any expectation"; the schema of plan files puts its own in its place."""


class _AnyKind:
    """Stands for any kind of expectation, told apart by `check`. Looks at the kinds when a combinator is first used."""

    kinds: ClassVar[Mapping[str, type[Expectation]]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        union: Any = Union
        return handler.generate_schema(Annotated[union[tuple(self.kinds.values())], Field(discriminator="check")])


def register_kinds(kinds: Mapping[str, type[Expectation]]) -> None:
    """Only the registry knows all kinds, and it imports the combinators."""
    _AnyKind.kinds = kinds


def _as_part(part: Expectation) -> Expectation:
    for name in OF_THE_WHOLE:
        if name in part.model_fields_set:
            raise ValueError(f"`{name}` is the whole's: write it beside `of`, not inside")
    return part


def _at_least_two(parts: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
    """Not pydantic's `min_length`, which also counts out the parts that were refused for another reason."""
    if len(parts) < 2:
        raise ValueError("needs at least two expectations: one alone needs no combinator")
    return parts


Part = Annotated[Expectation, _AnyKind(), AfterValidator(_as_part), WithJsonSchema(dict(PART_SCHEMA))]
Parts = Annotated[tuple[Part, ...], AfterValidator(_at_least_two), Field(json_schema_extra={"minItems": 2})]


def _named(part: Expectation, judgement: Judgement) -> Judgement:
    """Its message led by the id that the part's author gave it."""
    if part.id is None:
        return judgement
    return Judgement(judgement.outcome, f"{part.id}: {judgement.message}", judgement.quote)


class Combinator(Expectation, frozen=True):
    """Expectations made one; its `combined` says what the judgements of its parts come to."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[tuple[str | int, ...], Expectation]:
        """By the route that leads to each from the whole."""

    @abstractmethod
    def combined(self, judgements: Sequence[Judgement]) -> Judgement:
        """One judgement from those of the parts, in their order."""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        return frozenset(read for part in self.parts.values() for read in part.reads(evidence, missed))

    def judge_by(self, judge: Callable[[Expectation], Judgement]) -> Judgement:
        """From its parts, each judged so."""
        return self.combined([_named(part, judge(part)) for part in self.parts.values()])

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        return self.judge_by(lambda part: part.judge_with(evidence, ask))

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, nobody_asked)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        """Those of the parts; none where the other parts decide alone, so that nobody pays for an answer that changes nothing."""
        found = [question for part in self.parts.values() for question in part.questions(evidence)]
        return found if found and self.judge(evidence).outcome is FindingOutcome.ERRORED else ()

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return [rubric for part in self.parts.values() for rubric in part.rubrics()]

    def doubts(self) -> Sequence[Doubt]:
        return [
            replace(doubt, route=(*route, *doubt.route))
            for route, part in self.parts.items()
            for doubt in part.doubts()
        ]


class OfSeveral(Combinator, frozen=True):
    of: tuple[Expectation, ...]

    @property
    def parts(self) -> Mapping[tuple[str | int, ...], Expectation]:
        return {("of", index): part for index, part in enumerate(self.of)}

    def fingerprint_fields(self) -> dict[str, Any]:
        return {**super().fingerprint_fields(), "of": [part.fingerprint_fields() for part in self.of]}


def those(judgements: Sequence[Judgement], outcome: FindingOutcome) -> list[Judgement]:
    return [judgement for judgement in judgements if judgement.outcome is outcome]


def merged(outcome: FindingOutcome, led_by: str, deciding: Sequence[Judgement]) -> Judgement:
    """One judgement that tells of all that decided it and quotes the first that quotes anything."""
    messages = "; ".join(judgement.message for judgement in deciding)
    quote = next((judgement.quote for judgement in deciding if judgement.quote is not None), None)
    return Judgement(outcome, f"{led_by}{messages}", quote)
