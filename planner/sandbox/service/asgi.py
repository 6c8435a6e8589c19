"""Requests and responses over ASGI. A web framework would take as long to import as a plan takes to be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from planner.values import frozen

Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


@frozen
class Request:
    method: str
    base_url: str
    path_params: Mapping[str, str]
    query_params: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@frozen
class Response:
    body: bytes = b""
    status_code: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def send(self, send: Send, date: str) -> None:
        headers = {"Date": date, **self.headers}
        if self.status_code != 204:
            headers |= {"Content-Type": self.media_type, "Content-Length": str(len(self.body))}
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": encoded})
        await send({"type": "http.response.body", "body": self.body})


async def read_request(scope: Message, receive: Receive, path_params: Mapping[str, str]) -> Request | None:
    """None if the client disconnected before the request was complete."""
    body, is_complete = b"", False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    base_url = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], base_url, path_params, query, headers, body)


def match_path(template: str, path: str) -> dict[str, str] | None:
    """The values of the template's parameters, such as `/v1/calls/{call_id}`; None if the path is another one."""
    parts, given = template.split("/"), path.split("/")
    if len(parts) != len(given):
        return None
    found: dict[str, str] = {}
    for part, text in zip(parts, given, strict=True):
        if not part.startswith("{"):
            if part != text:
                return None
            continue
        name, suffix = part[1:].split("}")
        if not text.endswith(suffix) or text == suffix:
            return None
        found[name] = text.removesuffix(suffix)
    return found
