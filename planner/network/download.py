"""Reads a file from an address that a service names, such as a recording. No key is sent."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import anyio
import httpx

from planner.errors import LostAnswerError, UnreachableError, UsageError
from planner.network.http import read_certificates

_SECONDS: Final = 300.0
_REDIRECTS: Final = 3
_HERE: Final = ("127.0.0.1", "::1", "localhost")


async def download(address: str, most_bytes: int) -> tuple[int, bytes]:
    """The status and the content. Redirects are followed, each to https, or on this machine.

    Raises:
        UsageError: an address is neither https nor of this machine.
        UnreachableError, LostAnswerError: it cannot be read whole, or is larger than `most_bytes`.
    """
    host = _checked_host(address)
    try:
        with anyio.fail_after(_SECONDS):
            async with httpx.AsyncClient(verify=read_certificates(), timeout=60.0, follow_redirects=False) as client:
                for _ in range(_REDIRECTS + 1):
                    host = _checked_host(address)
                    async with client.stream("GET", address) as response:
                        if response.next_request is None:
                            return response.status_code, await _content(response, most_bytes)
                        address = str(response.next_request.url)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise UnreachableError(f"{host} cannot be reached: {error}", "Check the network, then try again.") from error
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError) as error:
        raise LostAnswerError(
            f"the recording could not be read from {host}: {error or type(error).__name__}"
        ) from error
    raise LostAnswerError(f"{host} redirects more than {_REDIRECTS} times")


def _checked_host(address: str) -> str:
    """Raises `UsageError` if the address is neither https nor of this machine."""
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if host and (scheme == "https" or (scheme == "http" and host in _HERE)):
        return host
    raise UsageError("the service names a recording that is not at an https address", "Ask the service about it.")


async def _content(response: httpx.Response, most_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > most_bytes:
            raise LostAnswerError(f"the recording is larger than {most_bytes:,} bytes")
    return bytes(content)
