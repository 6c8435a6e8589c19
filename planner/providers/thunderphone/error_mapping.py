"""Maps error answers to the error tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import pydantic_core

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

_NO_JSON = "no JSON body"
GARBAGE_HINT = "Is THUNDERPHONE_API_BASE_URL the API's address (without /v1), with no proxy's page in between?"


def error_of(answer: Answer, request: str) -> PlannerError:
    """The error for an unsuccessful answer."""
    detail = _detail(answer)
    status = answer.status
    match status:
        case 403 if _writes_agents(request):
            return CredentialError(
                f"the service rejects the key ({status}: {detail})",
                "Use a THUNDERPHONE_API_KEY of this organisation that may read and write agents.",
            )
        case 401 | 403:
            return CredentialError(
                f"the service rejects the key ({status}: {detail})",
                "Check THUNDERPHONE_API_KEY: the complete key of this organisation, with access to test calls.",
            )
        case 402:
            return RefusedError(
                f"no balance for test calls (402: {detail})",
                "Top up the organisation's balance, then run the same command again.",
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
                f"{request}: the service redirects ({status}{_whither(answer)}); redirects are not followed, so that the key goes to no"
                " other host",
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


def _writes_agents(request: str) -> bool:
    method, _, path = request.partition(" ")
    return method != "GET" and path.startswith("/v1/agents/")


def _whither(answer: Answer) -> str:
    """The host only: the rest of a redirect may be secret."""
    try:
        to = urlsplit(answer.headers.get("location", ""))
    except ValueError:
        return ""
    host = to.netloc.rpartition("@")[2]
    return f" to {one_line(f'{to.scheme}://{host}' if to.scheme else host)}" if host else ""


def _detail(answer: Answer) -> str:
    """The service's `detail` or field messages, on one line."""
    try:
        document = pydantic_core.from_json(answer.body)
    except ValueError:
        return _NO_JSON
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        if isinstance(fields.get("detail"), str):
            return one_line(fields["detail"]) or "no reason given"
        return one_line("; ".join(f"{name}: {_messages(said)}" for name, said in fields.items())) or "no reason given"
    return one_line(str(document))


def _messages(said: object) -> str:
    if isinstance(said, Sequence) and not isinstance(said, str):
        return " ".join(str(part) for part in cast("Sequence[object]", said))
    return str(said)


def one_line(text: str) -> str:
    """Untrusted text, made safe for one line of a terminal."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= 300 else clean[:299] + "…"
