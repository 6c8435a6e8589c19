"""Sends one request and returns its answer. `http.py` does so over the network; this module needs no network
library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from planner.clock import aware
from planner.errors import LostAnswerError
from planner.key_redaction import NO_KEYS, KeyRedactor
from planner.values import frozen


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def retry_after_seconds(self) -> float | None:
        """`Retry-After` in seconds, or as a date (RFC 9110, 10.2.3) relative to `Date`; None if invalid."""
        value = self.headers.get("retry-after", "")
        try:
            is_number = value.isascii() and value.strip().isdigit()
            seconds = float(value) if is_number else _between(value, self.headers.get("date", ""))
        except (ValueError, OverflowError):
            return None
        return seconds if 0 <= seconds < 86_400 else None


def _between(then: str, now: str) -> float:
    """Seconds between two HTTP dates, which are UTC even with -0000.

    Raises ValueError or OverflowError for invalid dates.
    """
    return (aware(parsedate_to_datetime(then)) - aware(parsedate_to_datetime(now))).total_seconds()


class Transport(Protocol):
    """Sends one request.

    `on_sending` marks a request that must never be sent twice: it is called when the connection is open and before the
    first byte leaves, and again if the request itself leaves later (after a proxy's CONNECT). If it was not called, or
    raised, the request provably never left.

    Raises:
        UnreachableError: it provably never left.
        LostAnswerError: it may have arrived.
    """

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: bytes | None,
        on_sending: Callable[[], None] | None = None,
    ) -> Answer: ...

    async def close(self) -> None: ...


class InProcessTransport:
    """Calls an ASGI application in this process: httpx takes longer to import than a plan takes to make.

    `timeout_seconds` limits the whole request.
    """

    def __init__(
        self, app: Any, headers: Mapping[str, str], *, timeout_seconds: float = 60.0, keys: KeyRedactor = NO_KEYS
    ) -> None:
        self._app = app
        self._headers = [
            (b"host", b"sandbox"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ]
        self._timeout_seconds = timeout_seconds
        self._keys = keys

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: bytes | None,
        on_sending: Callable[[], None] | None = None,
    ) -> Answer:
        if on_sending is not None:
            on_sending()
        exchange = _Exchange(body or b"")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": urlencode(query).encode(),
            "root_path": "",
            "headers": [*self._headers, *([(b"content-type", b"application/json")] if body is not None else [])],
            "client": ("127.0.0.1", 0),
            "server": ("sandbox", 80),
        }
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._app(scope, exchange.receive, exchange.send)
        except OSError as error:  # TimeoutError is one
            reason = "no answer in time" if isinstance(error, TimeoutError) else self._keys.text(str(error))
            raise LostAnswerError(f"the service's answer was lost: {reason}") from error
        if exchange.status is None:
            raise LostAnswerError("the service's answer was lost: the connection was closed")
        return Answer(exchange.status, exchange.headers, self._keys.data(bytes(exchange.body)))

    async def close(self) -> None:
        """Nothing is open."""


class _Exchange:
    """One request and its answer as an ASGI application sees them."""

    def __init__(self, request_body: bytes) -> None:
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = bytearray()
        self.ended = asyncio.Event()
        self._request: list[dict[str, Any]] = [{"type": "http.request", "body": request_body, "more_body": False}]

    async def receive(self) -> dict[str, Any]:
        if self._request:
            return self._request.pop()
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message.get("headers", [])
            }
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                self.ended.set()
