"""What a tool's arguments or result should be: a value, or `{matches}`, `{any_of}` or `{exists}` instead.

A mapping with one of these three keys is a matcher. Any other mapping is an object that is compared key by key, whose
values may be matchers again; further keys are allowed unless `exact`. Lists are compared item by item. A string in the
plan equals a number or boolean of the call that is spelled alike (`"17"` and `17`), because a template can only produce
strings; a number in the plan does not equal a string of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import AfterValidator, JsonValue, WithJsonSchema
from pydantic_core import to_json

from planner.checks.judgement import shown
from planner.checks.patterns import check_pattern, compile_pattern
from planner.values import frozen

MATCHER_KEYS = ("matches", "any_of", "exists")

_TAKES = {"matches": str, "any_of": list, "exists": bool}
_NEAR: Final = {
    **dict.fromkeys(("match", "matching", "regex", "regexp", "contains", "includes"), "matches"),
    **dict.fromkeys(("in", "one_of", "oneof"), "any_of"),
    **dict.fromkeys(("present", "given"), "exists"),
}
_EQUAL: Final = frozenset({"equals", "equal", "eq"})
_RANGE: Final = frozenset({"min", "max", "minimum", "maximum", "gt", "gte", "ge", "lt", "lte", "le"})
_ALIKE = 0.85
"""Ratio of difflib: `matchs` and `matches` have 0.92, `mathces` 0.86, `maximum` 0.43."""


class Absent:
    """The type of `ABSENT`, which stands for a key that is missing. None is a value."""


ABSENT: Final = Absent()

Actual = JsonValue | Absent


@frozen
class Matcher:
    """What a value should be. `exact` allows no further keys in an object; `is_object` takes `matches` and the like as
    plain keys."""

    written: JsonValue
    exact: bool = False
    is_object: bool = False

    def mismatch(self, actual: Actual, where: str) -> str | None:
        """None if the value is as expected, else what it is instead; `where` names it."""
        written = self.written
        if isinstance(written, dict):
            if self.is_object or not _is_matcher(written):
                return self._object_mismatch(written, actual, where)
            ((kind, value),) = written.items()
            return self._special_mismatch(kind, value, actual, where)
        if isinstance(written, list):
            if not isinstance(actual, list) or len(actual) != len(written):
                return f"{where} was {_as_found(actual)}, expected {shown(written)}"
            items = zip(written, actual, strict=True)
            found = (self._of(item).mismatch(each, f"{where}[{index}]") for index, (item, each) in enumerate(items))
            return next(filter(None, found), None)
        if not isinstance(actual, Absent | list | dict) and _same_scalar(written, actual):
            return None
        kind = "the string " if isinstance(actual, str) and not isinstance(written, str) else ""
        return f"{where} was {kind}{_as_found(actual)}, expected {shown(written)}"

    def _of(self, written: JsonValue) -> Matcher:
        return Matcher(written, self.exact)

    def _object_mismatch(self, written: Mapping[str, JsonValue], actual: Actual, where: str) -> str | None:
        if not isinstance(actual, dict):
            return f"{where} was {_as_found(actual)}, expected {shown(written)}"
        prefix = f"{where}." if where else ""
        for key, value in written.items():
            if (fault := self._of(value).mismatch(actual.get(key, ABSENT), f"{prefix}{key}")) is not None:
                return fault
        if self.exact and (extra := [key for key in actual if key not in written]):
            return f"{prefix}{extra[0]} was {shown(actual[extra[0]])}, expected not to be given"
        return None

    def _special_mismatch(self, kind: str, value: JsonValue, actual: Actual, where: str) -> str | None:
        found = f"{where} was {_as_found(actual)}"
        match kind, value:
            case "matches", str():
                text = actual if isinstance(actual, str | Absent) else to_json(actual).decode()
                matches = not isinstance(text, Absent) and compile_pattern(value).search(text)
                return None if matches else f"{found}, expected a match of {shown(value)}"
            case "any_of", list():
                matches = any(self._of(option).mismatch(actual, where) is None for option in value)
                return None if matches else f"{found}, expected one of {', '.join(map(shown, value))}"
            case _:
                if isinstance(actual, Absent) is not value:
                    return None
                return found if value else f"{found}, expected not to be given"


def check_matcher(written: JsonValue) -> None:
    """Raise `ValueError` with a message for the author unless this can be compared, and was probably meant to be."""
    if isinstance(written, list):
        for item in written:
            check_matcher(item)
    elif isinstance(written, dict) and _is_matcher(written):
        _check_special(written)
    elif isinstance(written, dict):
        if (meant := _meant(written)) is not None:
            key = next(iter(written))
            raise ValueError(
                f"`{key}` is not a matcher: write {meant}; for an object with this key write {{any_of: [{{{key}: …}}]}}"
            )
        for value in written.values():
            check_matcher(value)


def _is_matcher(written: Mapping[str, JsonValue]) -> bool:
    return any(key in written for key in MATCHER_KEYS)


def _check_special(written: Mapping[str, JsonValue]) -> None:
    if len(written) != 1:
        raise ValueError("takes one of `matches`, `any_of` and `exists`, with no other key beside it")
    match next(iter(written.items())):
        case "matches", str(pattern):
            check_pattern(pattern)
        case "any_of", [dict() as alone] if not _is_matcher(alone):  # an object that only looks like a matcher
            for value in alone.values():
                check_matcher(value)
        case "any_of", [_, *_] as options:
            check_matcher(options)
        case "exists", bool():
            return
        case "matches", _:
            raise ValueError("`matches` takes a regular expression, in quotes")
        case "any_of", _:
            raise ValueError("`any_of` takes a list of at least one value")
        case _:
            raise ValueError("`exists` takes true or false")


def _meant(written: Mapping[str, JsonValue]) -> str | None:
    """What to write instead of an object whose keys belong to another matcher language, or are misspelled.

    Compared as an object it would hardly ever be equal, and in `tool_not_called` it would hide every call.
    """
    keys = [key.lower().replace("-", "_").replace(" ", "_") for key in written]
    values = list(written.values())
    if (
        keys
        and _RANGE.issuperset(keys)
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    ):
        return "a pattern, such as {matches: '^[3-9]$'}"
    if len(keys) != 1:
        return None
    if keys[0] in _EQUAL and not isinstance(values[0], dict):
        return f"the value itself, {shown(values[0])}"
    if keys[0] == "not":
        return "the opposite, or use `tool_not_called` or the check `not`"
    matcher = _NEAR.get(keys[0]) or _closest(keys[0])
    return f"`{matcher}`" if matcher and isinstance(values[0], _TAKES[matcher]) else None


def _closest(key: str) -> str | None:
    return next(iter(get_close_matches(key, MATCHER_KEYS, n=1, cutoff=_ALIKE)), None)


def _same_scalar(expected: str | float | bool | None, actual: str | float | bool | None) -> bool:
    if isinstance(expected, str) and isinstance(actual, bool | int | float):
        return expected == to_json(actual).decode()
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return expected == actual


def _as_found(actual: Actual) -> str:
    return "not given" if isinstance(actual, Absent) else shown(actual)


def _readable(written: JsonValue) -> JsonValue:
    check_matcher(written)
    return written


def _schema(*scalars: str) -> dict[str, Any]:
    def matcher(key: str, **takes: Any) -> dict[str, Any]:
        return {"type": "object", "required": [key], "properties": {key: takes}, "additionalProperties": False}

    return {
        "description": "A value to equal, or a matcher instead.",
        "anyOf": [
            matcher("matches", type="string", description="A regular expression (RE2 syntax) to find in it."),
            matcher("any_of", type="array", minItems=1, description="Values, one of which it equals."),
            matcher("exists", type="boolean", description="Whether it is given at all."),
            {"type": [*scalars, "array"]},
            {"type": "object", "not": {"anyOf": [{"required": [key]} for key in MATCHER_KEYS]}},
        ],
    }


Expected = Annotated[
    JsonValue, AfterValidator(_readable), WithJsonSchema(_schema("string", "number", "boolean", "null"))
]
"""A field that holds what was written, which `check_matcher` accepts."""
ExpectedUnlessNull = Annotated[
    JsonValue, AfterValidator(_readable), WithJsonSchema(_schema("string", "number", "boolean"))
]
"""The same for a field in which null is no expectation."""
