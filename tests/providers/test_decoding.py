"""Compressed answers are unpacked within a bound, by both ways to read."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pydantic_core
import pytest

from planner.errors import LostAnswerError
from planner.network import http as transport_module
from planner.network.http import Body, HttpxTransport

MANY = 50_000_000


@pytest.fixture
def transport_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], HttpxTransport]:
    """Makes a transport with no proxy of this machine in between."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return lambda url: HttpxTransport(url, {})


async def test_a_compressed_answer_is_read(talk: Callable[..., Any], transport_to: Any) -> None:
    """The service is asked for gzip and nothing else."""
    asked = await talk((200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}))
    async with transport_to(asked.server.url) as transport:
        assert (await transport.send("GET", "/", query={}, body=None)).body == b'{"a": 1}'
    assert asked.server.asked[0].headers["accept-encoding"] == "gzip"


_COMPRESSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (lambda: gzip.compress(bytes(MANY)), "gzip"),
    "nested bomb": (lambda: gzip.compress(gzip.compress(bytes(MANY))), "gzip, gzip"),
    "deflate": (lambda: zlib.compress(bytes(MANY)), "deflate"),
    "brotli": (lambda: b"anything", "br"),
    "several": (lambda: b"anything", "gzip, identity, zstd"),
    "cut off": (lambda: gzip.compress(b"x" * 1000)[:-9], "gzip"),
    "not compressed": (lambda: b"not compressed", "gzip"),
}
"""Made where they are sent: each process that collects tests would keep them."""


@pytest.mark.parametrize("name", _COMPRESSED)
async def test_decompression_bomb(
    talk: Callable[..., Any], transport_to: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A server sends a gzip bomb, nested gzip, or an encoding that was not requested.

    Before: nested encodings were decompressed in memory before the size limit applied.
    Now: the answer is discarded, and memory stays bounded.
    """
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 100_000)
    compress, encoding = _COMPRESSED[name]
    asked = await talk((200, compress(), {"Content-Encoding": encoding}))
    async with transport_to(asked.server.url) as transport:
        tracemalloc.start()
        with pytest.raises(LostAnswerError):
            await transport.send("GET", "/", query={}, body=None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MANY / 10


_BOMBS: dict[str, Callable[[], bytes]] = {
    "more than 16 MB": lambda: b"[" + b"[]," * 20_000_000 + b"0]",
    "empty lists": lambda: b"[" + b"[]," * 5_000_000 + b"0]",
    "numbers": lambda: b"[" + b"0.5," * 3_500_000 + b"0]",
    "keys": lambda: _keys(1_000_000),
    "texts": lambda: b"[" + b'"",' * 5_000_000 + b"0]",
    "one wide text": lambda: b'"' + b"a" * 60_000_000 + "\N{GRINNING FACE}".encode() + b'"',
    "one wide text below the limits": lambda: b'["' + b"a" * 15_000_000 + "\N{GRINNING FACE}".encode() + b'"]',
    "keys below the limits": lambda: _keys(140_000),
}


def _keys(count: int) -> bytes:
    return b"{" + b",".join(b'"%d":{}' % number for number in range(count)) + b"}"


@pytest.mark.parametrize("name", _BOMBS)
def test_values_of_a_compressed_answer(name: str) -> None:
    """A server sends 2 MB that expand to 60 MB of JSON with many values, or just below each limit.

    Before: reading it took up to 594 MB. Now: the answer is discarded while it is decompressed, or it takes less than 150 MB.
    """
    packed = gzip.compress(_BOMBS[name](), 1)
    assert len(packed) < 20_000_000
    tracemalloc.start()
    body = Body("gzip", transport_module.MAX_BODY_BYTES)
    try:
        for place in range(0, len(packed), 65_536):
            body.add(packed[place : place + 65_536])
        document = pydantic_core.from_json(bytes(body.end()), allow_inf_nan=False)
    except (LostAnswerError, ValueError):
        document = None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000_000
    assert (document is not None) is name.endswith("below the limits")


def test_a_body_is_unpacked_in_any_pieces() -> None:
    """Byte by byte as well as at once; an empty one needs no end."""
    packed = gzip.compress(b"a body" * 100)
    body = Body("x-gzip", 1_000)
    for place in range(len(packed)):
        body.add(packed[place : place + 1])
    assert body.end() == b"a body" * 100
    assert Body("gzip", 10).end() == b""
    assert Body(" Identity ", 10).add(b"plain") == b"plain"
