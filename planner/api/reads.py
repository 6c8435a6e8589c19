"""Many reads over aiohttp: what httpx's connection pool does in 0.75 ms of CPU takes 0.09 ms there (six at once, over loopback).

Importing it costs as much as three hundred reads save, so it is for invocations that read more than that. Launches never come
this way: the one request that costs money keeps to the one transport that tells when its first byte leaves.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from planner.api.aiohttp_alone import aiohttp
from planner.api.decoding import Body
from planner.api.surroundings import out_of_reach
from planner.errors import LostAnswerError, UnreachableError

REASON_NO_CONNECTION = "no connection in time"


def can_read(base_url: str) -> bool:
    """Not through a proxy, nor with credentials in the address: what those mean is httpx's word."""
    return not getproxies() and urlsplit(base_url).username is None


class Reader:
    """GET and nothing else. To be made within the event loop that it is used in."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float,
        connect_timeout_seconds: float,
        tls: ssl.SSLContext,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers=dict(headers),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=connect_timeout_seconds),
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def get(self, path: str, query: Mapping[str, Any], *, most_bytes: int) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body.

        Raises:
            UnreachableError: it never left.
            LostAnswerError: no whole answer came.
        """
        try:
            # Redirects are never followed: the key goes to no other host.
            async with self._session.get(
                f"{self._base_url}{path}", params=dict(query), allow_redirects=False
            ) as response:
                content: bytes | bytearray = b""
                try:
                    body = Body(response.headers.get("Content-Encoding", ""), most_bytes)
                    async for chunk in response.content.iter_any():
                        content = body.add(chunk)
                    content = body.end()
                except (aiohttp.ClientError, LostAnswerError):
                    if not 400 <= response.status < 500:
                        raise
                    # A refusal is one by its status line, however much of its reasons arrived.
                return (
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    bytes(content),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            reason = REASON_NO_CONNECTION if isinstance(error, TimeoutError) else str(error)
            raise UnreachableError(*out_of_reach(self._base_url, reason, variable="")) from error
        # ValueError: an answer's header that is none, a host name that cannot be one.
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            raise LostAnswerError(f"the service's answer was lost: {reason}") from error

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)  # the transports' own farewell
