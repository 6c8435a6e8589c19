"""Describes why a JSON answer of the service is invalid, with the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import ValidationError

from planner.api.error_mapping import one_line

_EXPECTED = {
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a number that fits into 64 bits",
    "greater_than_equal": "a number that fits into 64 bits",
    "less_than": "a number that fits into 64 bits",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "datetime_type": "a time",
    "datetime_parsing": "a time",
    "datetime_from_date_parsing": "a time",
    "datetime_object_invalid": "a time",
}
"""The expected value by pydantic error type."""
_WIDER = frozenset({"float_type", "float_parsing"})
"""Where an integer is also valid."""


def describe_mismatch(error: ValidationError, document: object) -> str:
    """The deepest error: `transcripts[0] is text, and should be an object`.

    If two shapes are allowed, the deepest error is that of the closer one. Texts are not repeated: a caller may have
    said them.
    """
    faults = [(_route(fault["loc"], document), fault) for fault in error.errors(include_url=False, include_input=False)]
    (places, value), fault = max(faults, key=lambda each: (len(each[0][0]), each[1]["type"] in _WIDER))
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{one_line(part)}" for part in places).removeprefix(".")
    subject = where or "it"
    if fault["type"] == "missing":
        return f"{subject} has no `{one_line(str(fault['loc'][-1]))}`"
    expected = _EXPECTED.get(fault["type"])
    if expected is None:
        return f"{subject} is {_shown(value)}: {fault['msg']}"
    return f"{subject} is {_shown(value)}, and should be {expected}"


def _route(loc: Sequence[int | str], document: object) -> tuple[list[int | str], object]:
    """The path to the error in the document, and the value there. Model names in `loc` are skipped."""
    places: list[int | str] = []
    value = document
    for part in loc:
        if isinstance(part, str) and isinstance(value, Mapping) and part in value:
            value = cast("Mapping[str, object]", value)[part]
        elif isinstance(part, int) and isinstance(value, list) and part < len(cast("list[object]", value)):
            value = cast("list[object]", value)[part]
        else:
            continue
        places.append(part)
    return places, cast("object", value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "text" if value else "empty text"
        case list():
            return "a list"
        case _:
            return "an object"
