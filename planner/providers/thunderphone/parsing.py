"""Parses answers of the service: JSON, without lone surrogates, valid for a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar, cast

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from planner.errors import ServiceError
from planner.providers.thunderphone.error_mapping import GARBAGE_HINT, one_line

if TYPE_CHECKING:
    from planner.network.transport import Answer

T = TypeVar("T")

_NOT_JSON: Final = (b"NaN", b"Infinity")
"""Invalid JSON that many parsers accept."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def parse(answer: Answer, request: str, adapter: TypeAdapter[T]) -> T:
    """Raises ServiceError for anything but the expected JSON."""
    if not any(word in answer.body for word in _NOT_JSON):
        with suppress(ValidationError):  # the slower steps below report the error
            return adapter.validate_json(answer.body)
    try:
        document = pydantic_core.from_json(answer.body, allow_inf_nan=False)
    except ValueError as error:
        if (whole := _without_surrogates(answer.body)) is not None:
            return parse(replace(answer, body=whole), request, adapter)
        kind = one_line(answer.headers.get("content-type", "no content type").split(";")[0])
        raise ServiceError(f"the service answered {answer.status} with {kind}, not JSON", GARBAGE_HINT) from error
    return validated(adapter, document, request)


def validated(adapter: TypeAdapter[T], document: object, request: str) -> T:
    """Raises ServiceError for an invalid document."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        detail = _deepest_error(error, document)
        raise ServiceError(f"{request}: the service's answer is invalid: {detail}", GARBAGE_HINT) from error


def _deepest_error(error: ValidationError, document: object) -> str:
    """`transcripts[0].role: Input should be a valid string`.

    If two shapes are allowed, the deepest error is that of the closer one. Names of models in the path are skipped, and
    values are not shown: a caller may have said them.
    """
    found: list[tuple[str, str]] = []
    for each in error.errors(include_url=False, include_input=False):
        place, value = "", document
        for part in each["loc"]:
            if isinstance(part, str) and isinstance(value, Mapping) and part in value:
                value = cast("Mapping[str, object]", value)[part]
                place += f".{one_line(part)}"
            elif isinstance(part, int) and isinstance(value, list) and part < len(cast("list[object]", value)):
                value = cast("list[object]", value)[part]
                place += f"[{part}]"
        if each["type"] == "missing":
            place += f".{each['loc'][-1]}"
        found.append((place.removeprefix("."), each["msg"].partition(" or instance of ")[0]))
    place, message = max(found, key=lambda each: each[0].count(".") + each[0].count("["))
    return f"{place}: {message}" if place else message


def _without_surrogates(body: bytes) -> bytes | None:
    """The JSON with `?` for each lone surrogate (text that was cut in the middle of a character); None if there are
    none or the JSON is invalid otherwise."""
    if _SURROGATE.search(body) is None:
        return None
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    whole = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return None if whole == body else whole


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON
