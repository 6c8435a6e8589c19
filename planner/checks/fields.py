"""Types of fields that several checks share; each refuses what cannot be meant in words an author understands."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from planner.checks.phrases import padded_words


def _no_bool(value: Any) -> Any:
    """YAML's `true` must not pass for the number 1."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _has_words(phrase: str) -> str:
    if not padded_words(phrase, fold=True):
        raise ValueError("a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for")
    return phrase


def _not_empty(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Not pydantic's `min_length`, which also counts out the items that were refused for another reason."""
    if not phrases:
        raise ValueError("needs at least one phrase")
    return phrases


def _as_tuple(value: Any) -> Any:
    """Behind a wrap validator a list of JSON is a list of Python, which strictness would not take for a tuple."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


NotBool = BeforeValidator(_no_bool)
Count = Annotated[int, Field(ge=0), NotBool]
Positive = Annotated[int, Field(ge=1), NotBool]
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBool]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), NotBool]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBool]
Phrase = Annotated[str, AfterValidator(_has_words)]
Phrases = Annotated[tuple[Phrase, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
ListOfPhrases = Annotated[Phrases, BeforeValidator(_as_tuple)]
"""Beside something else that may be written in its place: see `_as_tuple`."""
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_as_tuple)]


def one_message(message: str) -> WrapValidator:
    """For a field that may be written in several ways: one sentence, not a complaint from each way."""

    def parse(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        try:
            return read(value)
        except ValidationError as error:
            raise ValueError(message) from error

    return WrapValidator(parse)


def given(*limits: object) -> bool:
    """Whether any of the limits was written."""
    return any(limit is not None for limit in limits)


def at_least(limit: float | None, other: float | None) -> bool:
    """Whether what reaches `limit` reaches `other`, too, where there is such a limit."""
    return other is None or (limit is not None and limit >= other)


def at_most(limit: float | None, other: float | None) -> bool:
    """Whether what is within `limit` is within `other`, too, where there is such a limit."""
    return other is None or (limit is not None and limit <= other)
