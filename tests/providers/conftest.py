"""A server that sends the bytes a test asks for, valid or not, and records its requests."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pydantic_core
import pytest
from patience import PATIENCE_SECONDS
from virtual_time import JumpingLoop

from planner.clock import Clock
from planner.network.http import HttpxTransport
from planner.providers.base import LaunchRequest, Line
from planner.providers.requests import Exchange, RequestHooks
from planner.providers.thunderphone.client import ApiClient

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = "sk_test_0123456789"

Misdeed = Literal["reset", "close", "hang", "trickle", "reset while reading"]
"""Instead of an answer: cut the connection hard or softly, say nothing, say too little for ever, do not even listen."""


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = bytes | Misdeed | tuple[int, object] | tuple[int, object, dict[str, str]]
"""Raw bytes, or (status, body) or (status, body, headers), the body as bytes or anything JSON."""


def _http(status: int, body: object, headers: dict[str, str] | None = None) -> bytes:
    content = body if isinstance(body, bytes) else pydantic_core.to_json(body)
    text = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Connection": "close",
        **(headers or {}),
    }
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in text.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


@dataclass(slots=True)
class RawServer:
    """`answers` are given one after the other, the last again and again."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list[Asked])
    connections: int = 0
    url: str = ""
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client went away first, as it may
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow on the same connection."""
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        if answer == "reset while reading":
            await reader.readexactly(1)
            _reset(writer)
            return False
        self.asked.append(await _request(reader))
        if answer == "reset":
            _reset(writer)
        elif answer == "hang":
            _patience_ends()
            await reader.read()
        elif answer == "trickle":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            await writer.drain()
            _patience_ends()
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        elif answer != "close":
            content = answer if isinstance(answer, bytes) else _http(*cast("tuple[int, object]", answer))
            writer.write(content)
            await writer.drain()
            return b"keep-alive" in content
        return False


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def _patience_ends() -> None:
    """As much time as any client of the tests has is over at once: not before its request is here, however slow the machine is."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.jump(PATIENCE_SECONDS)


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": JumpingLoop}


class Slept(list[float]):
    """A sleep that takes no time and is remembered."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Talk:
    """A client and the server it talks to."""

    client: ApiClient
    server: RawServer
    slept: Slept
    sending: list[str]
    traced: list[Exchange]

    async def launch(self, *prompts: str, **fields: Any) -> Any:
        return await self.client.launch(
            _request_for(*prompts, **fields), on_sending=lambda: self.sending.append("sending")
        )


@pytest.fixture(scope="session")
def launch_request() -> Callable[..., LaunchRequest]:
    return _request_for


def _request_for(*prompts: str, **fields: Any) -> LaunchRequest:
    name = fields.pop("name", "")
    line = replace(Line("agent", 12, "outbound", "bot", None), **fields)
    return LaunchRequest(line, prompts or ("Ask.",), name)


@pytest.fixture
async def talk() -> AsyncGenerator[Callable[..., Any]]:
    """Makes a client, and a server that gives it these answers one after the other."""
    opened: list[Talk] = []

    async def start(*answers: Answer, now: datetime = NOW, **options: Any) -> Talk:
        server = RawServer(list(answers))
        await server.start()
        settings: dict[str, Any] = {"timeout_seconds": PATIENCE_SECONDS, **options}
        transport = HttpxTransport(server.url, {"Authorization": f"Bearer {KEY}"}, **settings)
        slept, traced = Slept(), list[Exchange]()
        client = ApiClient(transport, clock=Clock(lambda: now, lambda: 0.0, slept), hooks=RequestHooks(traced.append))
        opened.append(Talk(client, server, slept, [], traced))
        return opened[-1]

    yield start
    for talk in opened:
        await talk.client.close()
        await talk.server.stop()


@pytest.fixture(scope="session")
def run_object() -> dict[str, Any]:
    """The reference page's own example."""
    return {
        "id": 7110,
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "target_number": "+14155550199",
        "scenario_prompt": "Ask.",
        "mode": "bot",
        "status": "queued",
        "charge_multiplier": 2,
        "estimated_cost_cents": 16,
        "call_id": None,
        "sip_call_id": None,
        "error_message": "",
        "started_at": None,
        "completed_at": None,
        "batch_id": None,
        "created_at": "2026-04-20T18:24:09.011Z",
        "updated_at": "2026-04-20T18:24:09.011Z",
    }


@pytest.fixture(scope="session")
def batch_object() -> dict[str, Any]:
    return {
        "id": 201,
        "name": "",
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "target_number": "",
        "scenario_prompts": ["Ask.", "Ask again."],
        "run_count": 2,
        "status": "in_progress",
        "total_runs": 2,
        "requested_by_id": 1,
        "created_at": "2026-04-20T18:24:09.011Z",
        "run_ids": [7110, 7111],
    }
