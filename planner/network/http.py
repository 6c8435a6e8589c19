"""Sends requests over the network, and decompresses answers within a limit: a small body may expand to gigabytes."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from planner.errors import LostAnswerError, UnreachableError, UsageError
from planner.key_redaction import NO_KEYS, KeyRedactor
from planner.network.transport import Answer

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Larger answers are invalid; the largest valid one (200 runs with transcripts) is far below."""
MAX_VALUES: Final = 300_000
"""Of a JSON document, each of which takes up to 200 bytes of memory. Commas of strings count, too."""


class HttpxTransport:
    """`transport` replaces the network in tests.

    Requests with `on_sending` always use a new connection: if the server had closed a kept one, it would be unclear
    whether the request arrived. `keys` are replaced in all answers. `timeout_seconds` limits the whole request,
    including slow answers.

    Raises:
        UsageError: `base_url` is not a valid address.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_seconds: float = 60.0,
        connect_timeout_seconds: float = 10.0,
        keys: KeyRedactor = NO_KEYS,
    ) -> None:
        self._base_url = base_url
        self._keys = keys
        self._headers = {**headers, "Accept-Encoding": ACCEPT_ENCODING}
        self._timeout_seconds = timeout_seconds
        self._tls = read_certificates()
        timeout = httpx.Timeout(timeout_seconds, connect=connect_timeout_seconds)

        def client(keepalive: int) -> httpx.AsyncClient:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=keepalive)
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
            raise _invalid_address(base_url, str(error)) from error
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
        sending = None if on_sending is None else _Sending(on_sending)
        try:
            with anyio.fail_after(self._timeout_seconds):
                async with client.stream(
                    method,
                    path,
                    params=dict(query) or None,  # httpx parses the address even if nothing is added
                    content=body,
                    headers=headers,
                    extensions=None if sending is None else {"trace": sending.trace},
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
            never_left = isinstance(error, _NO_CONNECTION) if sending is None else not sending.has_begun
            if never_left:
                variable = proxy_variable(self._base_url)
                raise UnreachableError(*out_of_reach(self._base_url, self._reason(error), variable)) from error
            raise LostAnswerError(f"the service's answer was lost: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, httpx.ConnectTimeout):
            return "no connection in time"
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return "no answer in time"
        return self._keys.text(str(error) or type(error).__name__)

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
    """Calls `on_sending` before the first byte may leave. Through a proxy, that is its CONNECT, and the request itself
    leaves later: `on_sending` is called again then, and may still abort it."""

    def __init__(self, on_sending: Callable[[], None]) -> None:
        self._on_sending = on_sending
        self.has_begun = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """The trace extension of httpcore. The first `send_…` counts, even a proxy's CONNECT: too early is safe."""
        del info
        if ".send_" not in event or not event.endswith(".started"):
            return
        if not self.has_begun or "headers" in event:
            self._on_sending()
            self.has_begun = True


_NO_CONNECTION = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, UnicodeError)


def _invalid_address(base_url: str, why: str) -> UsageError:
    return UsageError(
        f"{base_url!r} is not the address of a service: {why}",
        "Set THUNDERPHONE_API_BASE_URL to http(s)://host, or unset it. A proxy in the environment must be http://host.",
    )


ACCEPT_ENCODING: Final = "gzip"
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_EITHER_HEADER: Final = zlib.MAX_WBITS | 32


class Body:
    """Collects the chunks of one answer. Nested encodings are refused, since they were not requested."""

    def __init__(self, content_encoding: str, most_bytes: int) -> None:
        """Raises `LostAnswerError` for an encoding that was not requested."""
        encodings = [name.strip().lower() for name in content_encoding.split(",")]
        encodings = [name for name in encodings if name not in ("", "identity")]
        if len(encodings) > 1 or not _GZIP.issuperset(encodings):
            raise LostAnswerError(f"the service sent an answer in an unexpected encoding: {content_encoding[:80]!r}")
        self._most_bytes = most_bytes
        self._unpacker = zlib.decompressobj(_EITHER_HEADER) if encodings else None
        self._content = bytearray()
        self._values = 0

    def add(self, chunk: bytes) -> bytearray:
        """Add a chunk; return everything so far. Raises `LostAnswerError` if it is too large or cannot be
        decompressed."""
        if self._unpacker is not None:
            try:
                chunk = self._unpacker.decompress(chunk, self._most_bytes + 1 - len(self._content))
            except zlib.error as error:
                raise LostAnswerError("the service sent an answer that cannot be decompressed") from error
        self._content += chunk
        self._values += sum(map(chunk.count, (b",", b"[", b"{")))
        if self._values > MAX_VALUES:
            raise LostAnswerError(f"the service sent an answer with over {MAX_VALUES:,} values")
        if len(self._content) > self._most_bytes:
            raise LostAnswerError(f"the service sent an answer over {self._most_bytes:,} bytes")
        return self._content

    def end(self) -> bytearray:
        """The whole body. Raises `LostAnswerError` if it is truncated."""
        if self._unpacker is not None and not self._unpacker.eof and self._content:
            raise LostAnswerError("the service's answer was truncated")
        return self._content


# Proxies and certificates from the environment


def read_certificates() -> ssl.SSLContext:
    """Slow: reads the certificates of all authorities.

    Raises:
        UsageError: the environment names no valid certificates.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error.strerror or error}",
            "Correct or unset them.",
        ) from error


def proxy_variable(base_url: str) -> str:
    """The variable that names the proxy for an address; "" if there is none."""
    return _proxy(base_url)[0]


def proxy_host(base_url: str) -> str:
    """The host of that proxy; "" if there is none or it is invalid."""
    address = _proxy(base_url)[1]
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _proxy(base_url: str) -> tuple[str, str]:
    """The variable and its value."""
    proxies, address = getproxies(), urlsplit(base_url)
    scheme = next((scheme for scheme in (address.scheme, "all") if scheme in proxies), None)
    if scheme is None or proxy_bypass(address.hostname or ""):
        return "", ""
    return f"{scheme.upper()}_PROXY", proxies[scheme]


def out_of_reach(base_url: str, reason: str, variable: str) -> tuple[str, str]:
    """Message and hint; `variable` names the proxy in use."""
    through = f" through the proxy of {variable}" if variable else ""
    also = f", {variable}" if variable else ""
    return (
        f"the service at {base_url} cannot be reached{through}: {reason}",
        f"Check the network{also} and THUNDERPHONE_API_BASE_URL, then run the same command again.",
    )
