"""The one place that knows httpx: nothing of it comes out, and every failure says whether the request may have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
from patience import PATIENCE_SECONDS

from planner.errors import LostAnswerError, PlannerError, UnreachableError, UsageError
from planner.network import http as transport_module
from planner.network.http import HttpxTransport
from planner.network.transport import InProcessTransport


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


CARRIED = sorted(
    {
        kind
        for root in (httpx.TransportError, httpx.DecodingError)
        for kind in descendants(root)
        if kind.__module__ == "httpx"
    },
    key=lambda kind: kind.__name__,
)
"""All that httpx may raise while a request is under way."""
NOT_CARRIED = {
    httpx.HTTPError: "abstract",
    httpx.RequestError: "abstract",
    httpx.HTTPStatusError: "only from raise_for_status, which nobody calls",
    httpx.TooManyRedirects: "redirects are not followed",
    httpx.InvalidURL: "when the transport is made, where it is a UsageError",
    httpx.CookieConflict: "nobody asks for a cookie",
    httpx.StreamError: "misuse of a response, which does not leave the transport",
    httpx.StreamConsumed: "the same",
    httpx.StreamClosed: "the same",
    httpx.ResponseNotRead: "the same",
    httpx.RequestNotRead: "the same",
}


def test_every_exception_of_httpx_is_accounted_for() -> None:
    """A new version with a new kind of error fails here first."""
    all_of_them = {
        value
        for name in httpx.__all__
        if isinstance(value := getattr(httpx, name), type) and issubclass(value, Exception)
    }
    assert all_of_them == set(CARRIED) | set(NOT_CARRIED)


@pytest.mark.parametrize("kind", CARRIED)
@pytest.mark.parametrize("launching", [False, True], ids=["read", "launch"])
async def test_no_exception_of_httpx_comes_out(kind: type[Exception], launching: bool) -> None:
    """Every error on the way becomes one of ours. A launch is ambiguous, since it was recorded as sent."""

    class Failing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if launching:
                await request.extensions["trace"]("http11.send_request_headers.started", {})
            raise kind("what httpx says")

    async with HttpxTransport("http://x", {}, transport=Failing()) as transport:
        with pytest.raises(PlannerError) as caught:
            await transport.send("GET", "/", query={}, body=None, on_sending=(lambda: None) if launching else None)
    no_connection = kind in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    assert type(caught.value) is (UnreachableError if no_connection and not launching else LostAnswerError)
    assert isinstance(caught.value.__cause__, kind)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "http://\x00", "http://a b:x"])
def test_an_address_that_cannot_be_is_the_authors_fault(url: str) -> None:
    """Found when the transport is made, and named."""
    with pytest.raises(UsageError, match="is not the address of a service") as caught:
        HttpxTransport(url, {})
    assert "THUNDERPHONE_API_BASE_URL" in caught.value.hint


async def test_a_connection_that_fails_late_is_ambiguous_all_the_same(talk: Callable[..., Any]) -> None:
    """Through a proxy, bytes leave before the connection to the service is open, so the kind of error proves nothing."""
    asked = await talk((502, b"no route"))
    async with HttpxTransport("https://service.invalid", {}) as transport:
        transport._fresh = httpx.AsyncClient(base_url="https://service.invalid", proxy=asked.server.url)
        said: list[str] = []
        with pytest.raises(LostAnswerError):
            await transport.send(
                "POST", "/v1/test-calls", query={}, body=b"{}", on_sending=lambda: said.append("sending")
            )
    assert said == ["sending"]
    assert [request.method for request in asked.server.asked] == ["CONNECT"]


async def test_a_launch_is_checked_again_when_it_leaves_behind_a_proxy() -> None:
    """The process may stand still between the proxy's CONNECT and the launch itself, which then must not leave."""
    calls: list[str] = []

    def on_sending() -> None:
        calls.append("sending")
        if len(calls) == 2:
            raise UnreachableError("too late")

    sending = vars(transport_module)["_Sending"](on_sending)
    for event in ("http11.send_request_headers", "http11.send_request_body", "connection.start_tls"):
        await sending.trace(f"{event}.started", {})
        await sending.trace(f"{event}.complete", {})
    assert calls == ["sending"]
    with pytest.raises(UnreachableError):
        await sending.trace("http11.send_request_headers.started", {})


async def test_an_answer_beyond_all_measure_is_lost(talk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end; the bound is lowered here, for 64 MiB take a while."""
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1000)
    asked = await talk((200, b"x" * 2_000_000))
    async with HttpxTransport(asked.server.url, {}) as transport:
        with pytest.raises(LostAnswerError, match="over 1,000 bytes"):
            await transport.send("GET", "/", query={}, body=None)
        asked.server.answers = [(200, b"x" * 1000)]
        assert len((await transport.send("GET", "/", query={}, body=None)).body) == 1000


@pytest.mark.parametrize("misdeed", ["hang", "trickle"])
async def test_no_request_takes_longer_than_its_time(talk: Callable[..., Any], misdeed: str) -> None:
    """Not even one whose answer trickles in, a byte at a time, for ever."""
    asked = await talk(misdeed)
    async with HttpxTransport(asked.server.url, {}, timeout_seconds=PATIENCE_SECONDS) as transport:
        started = anyio.current_time()
        with pytest.raises(LostAnswerError, match="no answer in time"):
            await transport.send("GET", "/", query={}, body=None)
        assert anyio.current_time() - started >= PATIENCE_SECONDS


async def test_an_app_in_process_may_close_the_connection() -> None:
    """The launch may have arrived."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    sent: list[bool] = []
    with pytest.raises(LostAnswerError):
        await InProcessTransport(app, {}).send("POST", "/", query={}, body=b"{}", on_sending=lambda: sent.append(True))
    assert sent == [True]


async def test_reads_keep_their_connection(talk: Callable[..., Any]) -> None:
    """As long as the server does: a new one costs a handshake. A launch never takes one, nor leaves one."""
    asked = await talk((200, {}, {"Connection": "keep-alive"}))
    async with HttpxTransport(asked.server.url, {}) as transport:
        pool = vars(vars(transport._kept)["_transport"])["_pool"]
        assert pool._keepalive_expiry
        pool._keepalive_expiry = PATIENCE_SECONDS  # the default is 5 s, and a machine may be suspended for longer
        connections: list[int] = []
        for launching in (False, False, True, True, False):
            await transport.send("GET", "/", query={}, body=None, on_sending=(lambda: None) if launching else None)
            connections.append(asked.server.connections)
    assert connections == [1, 1, 2, 3, 3]


@pytest.mark.parametrize("launching", [False, True], ids=["read", "launch"])
async def test_a_refusal_cut_short_is_a_refusal(launching: bool) -> None:
    """Its status line arrived, so nothing was carried out; of an answer that is none, nothing can be said."""

    def app(status: int) -> Callable[..., Any]:
        async def cut(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-encoding", b"gzip")]})
            await send({"type": "http.response.body", "body": b"not gzip", "more_body": False})

        return cut

    on_sending = (lambda: None) if launching else None
    async with HttpxTransport("http://x", {}, transport=httpx.ASGITransport(app(429))) as transport:
        assert (await transport.send("POST", "/", query={}, body=b"{}", on_sending=on_sending)).status == 429
    for status in (201, 503):
        async with HttpxTransport("http://x", {}, transport=httpx.ASGITransport(app(status))) as transport:
            with pytest.raises(LostAnswerError):
                await transport.send("POST", "/", query={}, body=b"{}", on_sending=on_sending)
