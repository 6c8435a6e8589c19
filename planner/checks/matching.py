"""What a tool's arguments or result should be: a value, or `{matches}`, `{any_of}`, `{exists}` in place of one.

A mapping with one of these three keys is a matcher; any other mapping is an object, compared key by key (further keys
are welcome unless `exact`), whose values may again be matchers. A plan may not write one that looks like a mistyped matcher. Lists are compared item by item. A string in the plan
equals a number or boolean of the call that is spelled alike (`"17"` and `17`), because a template can only give strings;
a number in the plan does not equal a string of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from pydantic import AfterValidator, JsonValue, WithJsonSchema
from pydantic_core import to_json

from planner.checks.near_matchers import check_no_near_matcher
from planner.checks.patterns import check_pattern, compile_pattern
from planner.checks.wording import shown

MATCHER_KEYS = ("matches", "any_of", "exists")


class Absent:
    """The type of `ABSENT`: what a key that is not there holds. Not None, which is a value."""


ABSENT: Final = Absent()

Actual = JsonValue | Absent


class Matcher(Protocol):
    def mismatch(self, actual: Actual, where: str) -> str | None:
        """None when `actual` is as expected, else what it was instead; `where` names it."""
        ...


@dataclass(frozen=True, slots=True)
class Matches:
    pattern: str

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if isinstance(actual, Absent):
            return f"{where} was not given, expected a match of {shown(self.pattern)}"
        text = actual if isinstance(actual, str) else to_json(actual).decode()
        if compile_pattern(self.pattern).search(text):
            return None
        return f"{where} was {shown(actual)}, expected a match of {shown(self.pattern)}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    options: tuple[Matcher, ...]
    written: str

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if any(option.mismatch(actual, where) is None for option in self.options):
            return None
        return f"{where} was {_as_found(actual)}, expected one of {self.written}"


@dataclass(frozen=True, slots=True)
class Exists:
    expected: bool

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if isinstance(actual, Absent) is not self.expected:
            return None
        return (
            f"{where} was not given" if self.expected else f"{where} was {_as_found(actual)}, expected not to be given"
        )


@dataclass(frozen=True, slots=True)
class Equals:
    """A scalar."""

    value: str | float | bool | None

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if not isinstance(actual, Absent | list | dict) and _same_scalar(self.value, actual):
            return None
        expected, found = shown(self.value), _as_found(actual)
        if isinstance(actual, str) and not isinstance(self.value, str):
            return f"{where} was the string {found}, expected {expected}"
        return f"{where} was {found}, expected {expected}"


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Matcher, ...]
    written: str

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if not isinstance(actual, list) or len(actual) != len(self.items):
            return f"{where} was {_as_found(actual)}, expected {self.written}"
        for index, (item, found) in enumerate(zip(self.items, actual, strict=True)):
            if (fault := item.mismatch(found, f"{where}[{index}]")) is not None:
                return fault
        return None


@dataclass(frozen=True, slots=True)
class Fields:
    fields: tuple[tuple[str, Matcher], ...]
    exact: bool
    written: str

    def mismatch(self, actual: Actual, where: str) -> str | None:
        if not isinstance(actual, dict):
            return f"{where} was {_as_found(actual)}, expected {self.written}"
        prefix = f"{where}." if where else ""
        for key, field in self.fields:
            if (fault := field.mismatch(actual.get(key, ABSENT), f"{prefix}{key}")) is not None:
                return fault
        known = {key for key, _ in self.fields}
        if self.exact and (extra := [key for key in actual if key not in known]):
            return f"{prefix}{extra[0]} was {shown(actual[extra[0]])}, expected not to be given"
        return None


def read_matcher(written: JsonValue, *, exact: bool = False) -> Matcher:
    """What is written in a plan, understood. Raises `ValueError` with a sentence for the author."""
    if isinstance(written, dict):
        if any(key in MATCHER_KEYS for key in written):
            return _read_special(written, exact=exact)
        return read_fields(written, exact=exact)
    if isinstance(written, list):
        return Items(tuple(read_matcher(item, exact=exact) for item in written), shown(written))
    return Equals(written)


def read_fields(written: Mapping[str, JsonValue], *, exact: bool = False) -> Fields:
    """Expected keys of an object, such as a tool's arguments; `exact` allows no others."""
    return Fields(
        tuple((key, read_matcher(value, exact=exact)) for key, value in written.items()), exact, shown(written)
    )


def _read_special(written: Mapping[str, JsonValue], *, exact: bool) -> Matcher:
    if len(written) != 1:
        raise ValueError("takes one of `matches`, `any_of` and `exists`, with no other key beside it")
    ((kind, value),) = written.items()
    match kind:
        case "matches" if isinstance(value, str):
            check_pattern(value)
            return Matches(value)
        case "any_of" if isinstance(value, list) and value:
            return AnyOf(tuple(read_matcher(option, exact=exact) for option in value), ", ".join(map(shown, value)))
        case "exists" if isinstance(value, bool):
            return Exists(value)
        case "matches":
            raise ValueError("`matches` takes a regular expression, in quotes")
        case "any_of":
            raise ValueError("`any_of` takes a list of at least one value")
        case _:
            raise ValueError("`exists` takes true or false")


def _same_scalar(expected: str | float | bool | None, actual: str | float | bool | None) -> bool:
    if isinstance(expected, str) and isinstance(actual, bool | int | float):
        return expected == to_json(actual).decode()
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return expected == actual


def _as_found(actual: Actual) -> str:
    return "not given" if isinstance(actual, Absent) else shown(actual)


def _readable(written: JsonValue) -> JsonValue:
    if not isinstance(written, (dict, list)):
        return written
    check_no_near_matcher(written)
    read_matcher(written)
    return written


def _schema(*scalars: str) -> dict[str, Any]:
    return {
        "description": "A value to equal, or a matcher in place of one.",
        "anyOf": [*_MATCHERS, {"type": [*scalars, "array"]}, _PLAIN],
    }


_MATCHERS: list[dict[str, Any]] = [
    {
        "type": "object",
        "required": ["matches"],
        "properties": {
            "matches": {"type": "string", "description": "A regular expression (RE2 syntax) to find in it."}
        },
        "additionalProperties": False,
    },
    {
        "type": "object",
        "required": ["any_of"],
        "properties": {"any_of": {"type": "array", "minItems": 1, "description": "Values, one of which it equals."}},
        "additionalProperties": False,
    },
    {
        "type": "object",
        "required": ["exists"],
        "properties": {"exists": {"type": "boolean", "description": "Whether it is given at all."}},
        "additionalProperties": False,
    },
]
_PLAIN: dict[str, Any] = {"type": "object", "not": {"anyOf": [{"required": [key]} for key in MATCHER_KEYS]}}

Expected = Annotated[
    JsonValue, AfterValidator(_readable), WithJsonSchema(_schema("string", "number", "boolean", "null"))
]
"""A field that holds what was written, known to be readable by `read_matcher`."""
ExpectedUnlessNull = Annotated[
    JsonValue, AfterValidator(_readable), WithJsonSchema(_schema("string", "number", "boolean"))
]
"""The same where no value, and so null, is no expectation."""
