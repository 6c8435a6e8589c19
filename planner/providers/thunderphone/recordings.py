"""Recordings of calls: the service answers with the address of one, a redirect to it, or the file itself."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from planner.errors import NotFoundError, ServiceError
from planner.network.transport import Answer, InProcessTransport, Transport

MAX_BYTES: Final = 200_000_000
"""A stereo recording of 100 minutes."""


class Recording(NamedTuple):
    """`content` if the answer had it, else its `address`."""

    address: str = ""
    content: bytes = b""


def recording_of(answer: Answer, request: str) -> Recording:
    """Raises `ServiceError` for an answer that names no recording."""
    if 300 <= answer.status < 400:
        address: Any = answer.headers.get("location")
    elif answer.headers.get("content-type", "").startswith(("audio/", "application/octet-stream")):
        return Recording(content=answer.body)
    else:
        address = _url(answer.body)
    if not isinstance(address, str) or not address:
        raise ServiceError(f"{request}: the answer names no recording", status=answer.status)
    return Recording(address)


def _url(body: bytes) -> Any:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return cast("dict[str, Any]", document).get("url") if isinstance(document, dict) else document


async def read_recording(found: Recording, transport: Transport) -> bytes:
    """The file. Raises `NotFoundError`, `ServiceError`, `LostAnswerError`, `UnreachableError`."""
    if found.content:
        return found.content
    if isinstance(transport, InProcessTransport):  # the sandbox's, which has no port
        answer = await transport.send("GET", urlsplit(found.address).path, query={}, body=None)
        status, content = answer.status, answer.body
    else:
        from planner.network.download import download  # late: it loads httpx, which the sandbox does not need

        status, content = await download(found.address, MAX_BYTES)
    if status in (403, 404, 410):
        raise NotFoundError(f"the recording cannot be read ({status})", "Its address has a short life: try again.")
    if status != 200:
        raise ServiceError(f"the recording cannot be read ({status})", status=status)
    return content
