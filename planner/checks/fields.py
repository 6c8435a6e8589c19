"""Field types, validations and comparisons that several checks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from planner.checks.judgement import Judgement, Quote, failed, number, passed
from planner.checks.phrases import padded_words


def _no_bool(value: Any) -> Any:
    """YAML's `true` is not the number 1."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _has_words(phrase: str) -> str:
    if not padded_words(phrase, fold=True):
        raise ValueError("a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for")
    return phrase


def _not_empty(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Unlike pydantic's `min_length`, does not also report a list whose items were rejected."""
    if not phrases:
        raise ValueError("needs at least one phrase")
    return phrases


def _as_tuple(value: Any) -> Any:
    """Inside a wrap validator a JSON list is a Python list, which strict mode rejects for a tuple."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


NotBool = BeforeValidator(_no_bool)
Count = Annotated[int, Field(ge=0), NotBool]
Positive = Annotated[int, Field(ge=1), NotBool]
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBool]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), NotBool]
PositiveSeconds = Milliseconds
Phrase = Annotated[str, AfterValidator(_has_words)]
Phrases = Annotated[tuple[Phrase, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
ListOfPhrases = Annotated[Phrases, BeforeValidator(_as_tuple)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_as_tuple)]


def one_message(message: str) -> WrapValidator:
    """For a field with alternative types: one message instead of one for each alternative."""

    def parse(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        try:
            return read(value)
        except ValidationError as error:
            raise ValueError(message) from error

    return WrapValidator(parse)


def given(*values: object) -> bool:
    """Whether any of the values is not None."""
    return any(value is not None for value in values)


def check_given(model: BaseModel, *names: str) -> None:
    """Raises `ValueError` if none of the fields is given, or only a lower limit of 0, which always holds."""
    values = {name: value for name in names if (value := getattr(model, name)) is not None}
    if not values:
        raise ValueError(f"needs at least one of {', '.join(f'`{name}`' for name in names)}")
    if len(values) == 1 and names[0].startswith("min") and values.get(names[0]) == 0:
        raise ValueError(f"`{names[0]}: 0` alone always holds, so it checks nothing")


def check_order(model: BaseModel, low: str, high: str) -> None:
    """Raises `ValueError` if the upper limit is less than the lower one."""
    least, most = getattr(model, low), getattr(model, high)
    if given(least) and given(most) and most < least:
        raise ValueError(f"`{high}` ({most:g}) is less than `{low}` ({least:g})")


def within(
    found: str,
    value: float,
    limits: tuple[float | None, float | None],
    form: Callable[[float], str] = number,
    quote: Quote | None = None,
) -> Judgement:
    """Judge a value by its lower and upper limit. `form` formats a limit for the message."""
    low, high = limits
    if low is not None and value < low:
        return failed(f"{found}, expected at least {form(low)}", quote)
    if high is not None and value > high:
        return failed(f"{found}, expected at most {form(high)}", quote)
    return passed(found)
