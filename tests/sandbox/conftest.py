"""A sandbox on a clock that only the test moves, and clients for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from planner.sandbox import Sandbox, World, load_world

KEY = "sk_live_YOUR_API_KEY"
"""The reference page's own example."""
NOON = 1_795_608_000.0
"""2026-11-25T12:00:00Z."""


PROGRAM = """\
import json, sys
from planner.sandbox import Sandbox, load_world
from planner.sandbox.service.server import serve

world = load_world("demo").model_copy(update=json.loads(sys.argv[1]))
serve(Sandbox(world), "127.0.0.1", 0, on_ready=lambda url: print(url, flush=True))
"""


@dataclass
class Clock:
    seconds: float = NOON

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def talk(self, seconds: float) -> None:
        """Let conversation time pass, in a world at 60 ×."""
        self.seconds += seconds / 60


@dataclass
class Bench:
    """A sandbox, its clock and a client with a key."""

    sandbox: Sandbox
    clock: Clock
    http: httpx.AsyncClient

    async def start(self, **fields: Any) -> httpx.Response:
        return await self.http.post("/v1/test-calls", json=single(**fields))

    async def start_batch(self, **fields: Any) -> httpx.Response:
        return await self.http.post("/v1/test-call-batches", json=batch(**fields))

    async def runs(self, **query: Any) -> list[dict[str, Any]]:
        response = await self.http.get("/v1/test-calls", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def finished(self, **fields: Any) -> dict[str, Any]:
        """One run, started and over, graded and all."""
        response = await self.start(**fields)
        assert response.status_code == 201, response.text
        self.clock.talk(700)
        return next(run for run in await self.runs() if run["id"] == response.json()["id"])

    async def get(self, path: str) -> Any:
        response = await self.http.get(path)
        assert response.status_code == 200, response.text
        return response.json()


def single(**fields: Any) -> dict[str, Any]:
    """The reference page's example request; None takes a field away."""
    body: dict[str, Any] = {
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "scenario_prompt": "Roleplay as a customer asking about refunds.",
        "consent_to_charge": True,
    }
    return {key: value for key, value in (body | fields).items() if value is not None}


def batch(**fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "run_count": 5,
        "stagger_seconds": 2,
        "scenario_prompts": [
            "Ask about refunds.",
            "Ask for hours of operation.",
            "Complain about a delayed shipment.",
            "Ask to speak with a human.",
            "Ask an unrelated trivia question.",
        ],
        "consent_to_charge": True,
    }
    return {key: value for key, value in (body | fields).items() if value is not None}


@asynccontextmanager
async def bench_of(world: World | str = "demo", clock: Clock | None = None, **settings: Any) -> AsyncGenerator[Bench]:
    """A world with these settings of its own or of the sandbox."""
    clock = clock or Clock()
    world = load_world(world) if isinstance(world, str) else world
    own = {key: settings.pop(key) for key in settings.keys() & World.model_fields}
    sandbox = Sandbox(world.model_copy(update=own), now=clock, **settings)
    transport = httpx.ASGITransport(app=sandbox.app)  # pyright: ignore[reportArgumentType] - httpx types ASGI narrower
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=headers) as http:
        yield Bench(sandbox, clock, http)


@contextmanager
def served(**world: Any) -> Generator[str]:
    """The URL of a sandbox on a real socket, in a process of its own; `world` changes the demo world."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(world)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with bench_of() as opened:
        yield opened


@pytest.fixture
def demo() -> World:
    return load_world("demo")
