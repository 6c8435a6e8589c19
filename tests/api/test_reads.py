"""Many reads go another way than a few, and nobody can tell but by their price."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import anyio
import pytest
from nowhere import NO_HOST, no_host, nowhere
from patience import PATIENCE_SECONDS

from planner.api import transport as transport_module
from planner.api.reads import Reader, can_read
from planner.api.transport import HttpxTransport
from planner.errors import LostAnswerError, UnreachableError


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every read is one of many, and no proxy of this machine is in the way."""
    monkeypatch.setattr(transport_module, "MANY_READS", 0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def reading(talk: Callable[..., Any]) -> AsyncGenerator[Callable[..., Any]]:
    """Makes a transport to a server that gives these answers, and the server."""
    opened: list[HttpxTransport] = []

    async def start(*answers: Any, **options: Any) -> tuple[HttpxTransport, Any]:
        server = (await talk(*answers)).server
        opened.append(HttpxTransport(server.url, {"Authorization": "Bearer sk_test_reads"}, **options))
        return opened[-1], server

    yield start
    for transport in opened:
        await transport.close()


async def read(transport: HttpxTransport, path: str = "/v1/x", **query: int) -> Any:
    return await transport.send("GET", path, query=query, body=None)


async def test_a_read_asks_and_tells_the_same(reading: Callable[..., Any]) -> None:
    """Path, query and headers as they were given; status, headers in lower case, and the body."""
    transport, server = await reading((418, {"a": 1}, {"RETRY-AFTER": "7", "X-Odd": "é"}))
    answer = await read(transport, limit=5, offset=10)
    assert isinstance(transport._reader, Reader)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (418, b'{"a":1}', "7")
    assert server.asked[0].target == "/v1/x?limit=5&offset=10"
    assert server.asked[0].headers["authorization"] == "Bearer sk_test_reads"


async def test_it_begins_when_there_are_many(reading: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are not worth the import; launches never go that way."""
    monkeypatch.setattr(transport_module, "MANY_READS", 2)
    transport, server = await reading((200, {}))
    used: list[bool] = []
    for _ in range(4):
        await read(transport)
        used.append(transport._reader is not None)
    assert used == [False, False, True, True]
    said: list[str] = []
    await transport.send("POST", "/v1/x", query={}, body=b"{}", on_sending=lambda: said.append("sending"))
    assert said == ["sending"]
    assert [request.headers["user-agent"].split("/")[0] for request in server.asked] == [
        *["python-httpx"] * 2,
        *["Python"] * 2,
        "python-httpx",
    ]


async def test_many_that_are_expected_go_the_other_way_from_the_first_on(
    reading: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known to come needs no counting; few are read as ever, and what was counted stays counted."""
    monkeypatch.setattr(transport_module, "MANY_READS", 2)
    used: list[list[bool]] = []
    for expected in (0, 2, 3):
        transport, _ = await reading((200, {}))
        transport.expect_reads(expected)
        used.append([])
        for _ in range(4):
            await read(transport)
            transport.expect_reads(expected)
            used[-1].append(transport._reader is not None)
    assert used == [[False, False, True, True], [False, False, True, True], [True] * 4]


def test_no_certificates_are_read_for_nobody() -> None:
    """Our own are read once, by us; whoever else makes a context afterwards gets those that it asked for."""
    told = subprocess.run([sys.executable, "-c", NO_CERTIFICATES], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["0", "0", "True"]


NO_CERTIFICATES = """
import ssl
read = []
real = ssl.SSLContext.load_default_certs
ssl.SSLContext.load_default_certs = lambda self, *purpose: (read.append(1), real(self, *purpose))
import planner.api.reads
import aiohttp.connector
print(len(read), len(aiohttp.connector._SSL_CONTEXT_VERIFIED.get_ca_certs()), end=" ")
ssl.create_default_context()
print(len(read) == 1)
"""


@pytest.mark.parametrize("misdeed", ["reset", "close", "hang", "trickle", "reset while reading", b"not HTTP\r\n\r\n"])
async def test_an_answer_that_does_not_come_is_lost(reading: Callable[..., Any], misdeed: Any) -> None:
    """Cut, hung, trickling or garbled."""
    transport, _ = await reading(misdeed)
    with pytest.raises(LostAnswerError, match=r"the service's answer was lost: ."):
        await read(transport)


async def test_a_service_that_is_not_there_cannot_be_reached() -> None:
    """Refused, or a name that nobody has: nothing left."""
    with nowhere() as url, no_host():
        for one in (url, f"http://{NO_HOST}"):
            transport = HttpxTransport(one, {})
            with pytest.raises(UnreachableError, match="cannot be reached"):
                await read(transport)
            await transport.close()


async def test_a_refusal_cut_short_is_a_refusal(reading: Callable[..., Any]) -> None:
    """Its status line arrived; of an answer that is none, nothing can be said."""
    cut = b"HTTP/1.1 %d Whatever\r\nContent-Length: 1000\r\n\r\n{"
    transport, _ = await reading(cut % 429, cut % 200)
    assert (await read(transport)).status == 429
    with pytest.raises(LostAnswerError):
        await read(transport)


async def test_an_answer_beyond_all_measure_is_lost(
    reading: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read to its end."""
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1000)
    transport, _ = await reading((200, b"x" * 2_000_000), (200, b"x" * 1000))
    with pytest.raises(LostAnswerError, match="over 1,000 bytes"):
        await read(transport)
    assert len((await read(transport)).body) == 1000


async def test_the_key_goes_to_no_other_host(reading: Callable[..., Any]) -> None:
    """Redirects are told, not followed."""
    transport, server = await reading((302, {}, {"Location": "http://service.invalid/"}))
    assert (await read(transport)).status == 302
    assert len(server.asked) == 1


async def test_reads_at_once_keep_their_connections(reading: Callable[..., Any]) -> None:
    """A new one costs a handshake."""
    transport, server = await reading((200, {}, {"Connection": "keep-alive"}))
    for _ in range(3):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(read, transport)
        vars(vars(transport._reader)["_session"].connector)["_keepalive_timeout"] = PATIENCE_SECONDS
    assert server.connections == 4


@pytest.mark.parametrize(
    "url", ["http://user:word@service.example", "http://service.example", "https://service.example/behind"]
)
def test_a_proxy_or_credentials_in_the_address_keep_to_the_other_way(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they mean is one library's word."""
    assert can_read(url) == ("@" not in url)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert not can_read(url)


def test_every_exception_of_a_read_is_accounted_for() -> None:
    """Whatever aiohttp's client may raise is of a kind that is caught; the rest are warnings, servers' and web sockets'."""
    caught = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
    elsewhere = {
        "WebSocketError",
        "EofStream",
        "BadContentDispositionHeader",
        "BadContentDispositionParam",
        "WSMessageTypeError",
    }
    kinds = {name: getattr(aiohttp, name) for name in aiohttp.__all__}
    errors = {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {name for name, kind in errors.items() if not issubclass(kind, caught)} - elsewhere == set()
