"""The only module that uses httpx: one request, answered by `(status, headers, body)` or one of our errors."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
import httpx

from planner.errors import LostAnswerError, UnreachableError, UsageError
from planner.key_redaction import NO_KEYS, KeyRedactor
from planner.moments import aware
from planner.network.decoding import ACCEPT_ENCODING, Body
from planner.network.settings import out_of_reach, proxy_fault, proxy_variable, read_certificates

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Larger answers are invalid; the largest valid one (200 runs with transcripts) is far below."""


@dataclass(frozen=True, slots=True)
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

    `on_sending` marks a request that must never be sent twice: it is called once, when the connection is open and before
    the first byte leaves. If it was not called, the request provably never left.

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


class HttpxTransport:
    """Requests with `on_sending` always use a new connection: if the server had closed a kept one, it would be unclear
    whether the request arrived. `keys` are replaced in all answers. `timeout_seconds` limits the whole request, including
    slow answers.

    Raises:
        UsageError: `base_url` is not a valid address.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        app: Any = None,
        timeout_seconds: float = 60.0,
        connect_timeout_seconds: float = 10.0,
        keys: KeyRedactor = NO_KEYS,
    ) -> None:
        self._base_url = base_url
        self._keys = keys
        self._headers = {**headers, "Accept-Encoding": ACCEPT_ENCODING}
        self._timeout_seconds = timeout_seconds
        self._in_process = app is not None
        # Reading all certificates is slow, and not needed in process.
        self._tls = read_certificates() if app is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        timeout = httpx.Timeout(timeout_seconds, connect=connect_timeout_seconds)

        def client(keepalive: int) -> httpx.AsyncClient:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=keepalive)
            transport = httpx.ASGITransport(app=app) if app is not None else None
            # Redirects are never followed, so that the key goes to no other host.
            return httpx.AsyncClient(
                base_url=base_url,
                headers=self._headers,
                verify=self._tls,
                timeout=timeout,
                limits=limits,
                transport=transport,
                follow_redirects=False,
            )

        try:
            self._kept = client(8)
            self._fresh = client(0)
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise proxy_fault(base_url, self._tls, error) or _invalid_address(base_url, str(error)) from error
        if (self._kept.base_url.port or 0) > 65_535:
            raise _invalid_address(base_url, "there is no such port")

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: bytes | None,
        on_sending: Callable[[], None] | None = None,
    ) -> Answer:
        client = self._kept if on_sending is None else self._fresh
        headers = {"Content-Type": "application/json"} if body is not None else {}
        sending = _Sending(on_sending)
        if self._in_process:
            sending.begins()
        try:
            with anyio.fail_after(self._timeout_seconds):
                async with client.stream(
                    method,
                    path,
                    params=dict(query) or None,  # httpx parses the address even if nothing is added
                    content=body,
                    headers=headers,
                    extensions={"trace": sending.trace} if on_sending is not None else None,
                ) as response:
                    content: bytes | bytearray = b""
                    try:
                        arriving = Body(response.headers.get("content-encoding", ""), MAX_BODY_BYTES)
                        async for chunk in response.aiter_raw():
                            content = arriving.add(chunk)
                        content = arriving.end()
                    except (httpx.TransportError, LostAnswerError):
                        if not 400 <= response.status_code < 500:
                            raise
                        # A refusal is decided by the status line, even if its body is truncated.
                    return Answer(response.status_code, response.headers, self._keys.data(bytes(content)))
        # UnicodeError: raised by the socket library for an invalid host name
        except (httpx.TransportError, httpx.DecodingError, TimeoutError, UnicodeError) as error:
            # The kind of error does not show whether a launch left: through a proxy, bytes are sent before the
            # connection is established.
            never_left = isinstance(error, _NO_CONNECTION) if on_sending is None else sending.not_begun
            if never_left:
                variable = "" if self._in_process else proxy_variable(self._base_url)
                raise UnreachableError(*out_of_reach(self._base_url, self._reason(error), variable)) from error
            raise LostAnswerError(f"the service's answer was lost: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        return self._keys.text(_reason(error))

    async def close(self) -> None:
        await self._kept.aclose()
        await self._fresh.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Sending:
    """Tracks whether the first byte may have left; only for requests with `on_sending`."""

    def __init__(self, on_sending: Callable[[], None] | None) -> None:
        self._on_sending = on_sending
        self._begun = False

    @property
    def not_begun(self) -> bool:
        return self._on_sending is not None and not self._begun

    def begins(self) -> None:
        if self._on_sending is not None and not self._begun:
            self._on_sending()
            self._begun = True

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """The trace extension of httpcore. The first `send_…` counts, even a proxy's CONNECT: too early is safe."""
        del info
        if ".send_" in event and event.endswith(".started"):
            self.begins()


_NO_CONNECTION = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, UnicodeError)


def _invalid_address(base_url: str, why: str) -> UsageError:
    return UsageError(
        f"{base_url!r} is not the address of a service: {why}",
        "Set THUNDERPHONE_API_BASE_URL to http(s)://host, or unset it.",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
