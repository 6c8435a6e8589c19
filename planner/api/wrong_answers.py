"""What is wrong with an answer of the service that is JSON and yet not what was asked for: in words, with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import ValidationError

from planner.api.refusals import one_line

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
"""By pydantic's type of error: what should have been there."""
_WIDER = frozenset({"float_type", "float_parsing"})
"""Where a whole number would do, too."""


def what_is_wrong(error: ValidationError, document: object) -> str:
    """The fault that lies deepest in the document: `transcripts[0] is text, and should be an object`.

    An answer that may have two shapes has faults of both: that of the shape which it nearly has is the deepest. No text is
    told: a caller may have said it.
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
    """The keys and indices that lead to the fault, and what is there; names of our models, which `loc` has too, lead nowhere."""
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
            return "text" if value else "an empty text"
        case list():
            return "a list"
        case _:
            return "an object"
