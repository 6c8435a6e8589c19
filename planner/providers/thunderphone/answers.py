"""Answers of the service: errors of the error tree, or JSON without lone surrogates that is valid for a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from planner.errors import (
    CredentialError,
    NotFoundError,
    PlannerError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UsageError,
)
from planner.network.transport import Answer
from planner.providers.base import Page
from planner.secret_values import mask_secrets, without_credentials
from planner.values import frozen

_NO_JSON = "no JSON body"
GARBAGE_HINT = "Is THUNDERPHONE_API_BASE_URL the API's address (without /v1), and not answered by a proxy?"


def error_of(answer: Answer, request: str) -> PlannerError:
    """The error for an unsuccessful answer."""
    detail = _detail(answer)
    status = answer.status
    match status:
        case 403 if _writes_agents(request):
            return CredentialError(
                f"the service rejects the key ({status}: {detail})",
                "Use a THUNDERPHONE_API_KEY of this organization that may read and write agents.",
            )
        case 401 | 403:
            return CredentialError(
                f"the service rejects the key ({status}: {detail})",
                "Check THUNDERPHONE_API_KEY: the complete key of this organization, with access to test calls.",
            )
        case 402:
            return RefusedError(
                f"no balance for test calls (402: {detail})",
                "Top up the organization's balance, then run the same command again.",
            )
        case 404:
            # An API gives a reason; another server's page does not.
            hint = GARBAGE_HINT if detail == _NO_JSON else ""
            return NotFoundError(f"{request}: not found (404: {detail})", hint)
        case 429:
            return ThrottledError(
                f"the service refuses more requests for now (429: {detail})",
                retry_after_seconds=answer.retry_after_seconds,
            )
        case 408:
            return ServiceError(f"{request}: the service timed out (408: {detail})", status=status)
        case _ if 300 <= status < 400:
            return ServiceError(
                f"{request}: the service redirects ({status}{_redirect_target(answer)}); redirects are not followed, "
                "so that the key goes to no other host",
                GARBAGE_HINT,
                status=status,
            )
        case _ if 400 <= status < 500:
            error = UsageError(f"{request}: the service rejects the request ({status}: {detail})")
            error.status = status
            return error
        case _:
            return ServiceError(
                f"{request}: the service failed ({status}: {detail})",
                GARBAGE_HINT if status < 300 else "",
                status=status,
            )


_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray")
"""Headers with the service's id of a request; the API documents none, so the usual ones are read."""
_MAX_REQUEST_ID: Final = 80


def request_id_of(headers: Mapping[str, str]) -> str:
    """The service's id of a request, for its support; "" if it names none."""
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), "")
    return one_line(found)[:_MAX_REQUEST_ID]


def _writes_agents(request: str) -> bool:
    method, _, path = request.partition(" ")
    return method != "GET" and path.startswith("/v1/agents/")


def _redirect_target(answer: Answer) -> str:
    """The host only: the rest of a redirect may be secret."""
    try:
        to = urlsplit(answer.headers.get("location", ""))
    except ValueError:
        return ""
    host = to.netloc.rpartition("@")[2]
    return f" to {one_line(f'{to.scheme}://{host}' if to.scheme else host)}" if host else ""


def _detail(answer: Answer) -> str:
    """The service's `detail` or field messages, on one line. They may repeat an agent's fields: secrets are masked."""
    try:
        document = mask_secrets(pydantic_core.from_json(answer.body))
    except ValueError:
        return _NO_JSON
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        said = fields.get("detail")
        if not isinstance(said, str):
            said = "; ".join(f"{name}: {_messages(each)}" for name, each in fields.items())
        return one_line(without_credentials(said)) or "no reason given"
    return one_line(without_credentials(str(document)))


def _messages(said: object) -> str:
    if isinstance(said, Sequence) and not isinstance(said, str):
        return " ".join(str(part) for part in cast("Sequence[object]", said))
    return str(said)


def one_line(text: str) -> str:
    """Untrusted text, made safe for one line of a terminal."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= 300 else clean[:299] + "…"


T = TypeVar("T")
W = TypeVar("W")
"""The wire model of a row, of which `T` is made."""

_NOT_JSON: Final = (b"NaN", b"Infinity")
"""Invalid JSON that many parsers accept."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


Decoder: TypeAlias = Callable[[Answer, str], T]
"""The value in a successful answer to a request. Raises ServiceError for anything but the expected JSON."""


def decoder(adapter: TypeAdapter[T]) -> Decoder[T]:
    return lambda answer, request: parse(answer, request, adapter)


def page_decoder(
    page: TypeAdapter[list[W]], row: TypeAdapter[W], plain: Callable[[W, str], T | None], **defaults: object
) -> Decoder[Page[T]]:
    """Reads a list, row by row if it is invalid: see `rows_of`."""

    def decode(answer: Answer, request: str) -> Page[T]:
        document = _document(answer, request, page)
        if isinstance(document, _Unread):
            return rows_of(row, document.document, request, plain, **defaults)
        return Page([made for each in document if (made := plain(each, "")) is not None])

    return decode


def rows_of(
    row: TypeAdapter[W],
    document: object,
    request: str,
    plain: Callable[[W, str], T | None],
    **defaults: object,
) -> Page[T]:
    """The rows of a list, each read on its own.

    `plain` makes a value of each row. An invalid row is read without its invalid fields, and `plain` gets the problem
    with it (None: the row is dropped). Missing fields that are required have `defaults`.

    Raises:
        ServiceError: it is no list, or nothing can be made of any row.
    """
    listed = validated(_ANY_ROWS, document, request)
    read = [_read_row(row, each, defaults) for each in listed]
    if listed and all(found is None for found, _ in read):
        problem = read[0][1]
        raise ServiceError(f"{request}: the service's answer is invalid: {problem}", GARBAGE_HINT)
    made = (plain(found, problem) for found, problem in read if found is not None)
    rows = [each for each in made if each is not None]
    return Page(rows, len(listed) - len(rows))


def _read_row(adapter: TypeAdapter[W], row: object, defaults: Mapping[str, object]) -> tuple[W | None, str]:
    """The row without its invalid fields, and what is wrong with it. None if nothing can be made of it."""
    fields: object = row
    problem = ""
    while True:
        try:
            return adapter.validate_python(fields), problem
        except ValidationError as error:
            problem = problem or _deepest_error(error, row)
            invalid = {each["loc"][0] for each in error.errors(include_url=False, include_input=False) if each["loc"]}
        if not isinstance(fields, dict):
            return None, problem
        known = cast("dict[str, object]", fields)
        fields = {**defaults, **{name: value for name, value in known.items() if name not in invalid}}
        if fields == known:
            return None, problem


_ANY_ROWS: Final = TypeAdapter(list[Any])


@frozen
class _Unread:
    """JSON that is not valid for an adapter."""

    document: object


def parse(answer: Answer, request: str, adapter: TypeAdapter[T]) -> T:
    """Raises ServiceError for anything but the expected JSON."""
    document = _document(answer, request, adapter)
    return validated(adapter, document.document, request) if isinstance(document, _Unread) else document


def _document(answer: Answer, request: str, adapter: TypeAdapter[T]) -> T | _Unread:
    if not any(word in answer.body for word in _NOT_JSON):
        with suppress(ValidationError):  # the slower steps below report the error
            return adapter.validate_json(answer.body)
    try:
        return _Unread(pydantic_core.from_json(answer.body, allow_inf_nan=False))
    except ValueError as error:
        if (whole := _without_surrogates(answer.body)) is not None:
            return _document(replace(answer, body=whole), request, adapter)
        kind = one_line(answer.headers.get("content-type", "no content type").split(";")[0])
        raise ServiceError(f"the service answered {answer.status} with {kind}, not JSON", GARBAGE_HINT) from error


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
