"""How big and how fast the sandbox is, on one core: `python tests/benchmarks/sandbox.py [RUNS]` (default 20,000).

Prints launches and requests a second of CPU time, each endpoint with so many runs there (in-process, without a client's cost); requests a
second of the clock over a socket, with a small client of its own; the time to open the state file again; memory.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from planner.sandbox import Sandbox, load_world

KEY = b"Bearer sk_test_sandbox"
PROMPTS = 400
"""Different prompts: a large suite's."""
SECONDS = 2.0
"""Of measuring each endpoint."""


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_795_608_000.0

    def __call__(self) -> float:
        return self.seconds


async def ask(app: Any, method: str, path: str, body: bytes = b"") -> bytes:
    """One request, straight through ASGI."""
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "headers": [(b"authorization", KEY), (b"content-type", b"application/json")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("sandbox", 80),
        "client": None,
        "root_path": "",
    }
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] < 400, (path, message)
        sent.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(sent)


def batch(number: int) -> bytes:
    prompts = [
        f"You are Ana Ruiz. Ask how many days you have to return order {10000 + (number * 20 + index) % PROMPTS}."
        for index in range(20)
    ]
    request = {
        "target_type": "agent",
        "target_id": 14,
        "direction": "outbound",
        "run_count": 20,
        "scenario_prompts": prompts,
        "consent_to_charge": True,
    }
    return json.dumps(request).encode()


async def rate(app: Any, path: Callable[[int], str]) -> float:
    """Requests a second."""
    count, start = 0, process_time()
    while (passed := process_time() - start) < SECONDS:
        await ask(app, "GET", path(count))
        count += 1
    return count / passed


async def in_process(runs: int, state: Path) -> None:
    world = load_world("demo").model_copy(update={"concurrency_limit": 10**9, "balance_cents": 10**9})
    clock = Clock()
    sandbox = Sandbox(world, now=clock, state_path=state)
    start = process_time()
    for number in range(runs // 20):
        await ask(sandbox.app, "POST", "/v1/test-call-batches", batch(number))
        clock.seconds += 1
    passed = process_time() - start
    print(f"{runs:,} runs launched in {passed:.1f} s: {runs / passed:,.0f} a second")
    clock.seconds += 1000
    first_run, first_call = sandbox.state.runs[0].id, sandbox.state.runs[0].call_id or 0
    last_batch = len(sandbox.state.batches)
    for name, path in {
        "50 newest runs": lambda _: "/v1/test-calls",
        "200 runs from the far end": lambda _: f"/v1/test-calls?limit=200&offset={runs - 200}",
        "200 completed runs of one agent": lambda _: "/v1/test-calls?limit=200&status=completed&agent_id=14",
        "a batch": lambda number: f"/v1/test-call-batches/{201 + number % last_batch}",
        "a call": lambda number: f"/v1/calls/{first_call + number % runs}",
        "a transcript": lambda number: f"/v1/calls/{first_call + number % runs}/transcript",
        "the same transcript": lambda _: f"/v1/calls/{first_call}/transcript",
        "a grade": lambda number: f"/v1/calls/{first_call + number % runs}/grade",
        "50 newest calls": lambda _: "/v1/calls",
        "an agent": lambda _: "/v1/agents/14",
        "billing": lambda _: "/v1/billing",
    }.items():
        print(f"  {name:34} {await rate(sandbox.app, path):8,.0f} requests a second")
    assert sandbox.state.run(first_run)
    sandbox.close()
    start = process_time()
    Sandbox(world, now=clock, state_path=state).close()
    print(f"state file opened again in {process_time() - start:.1f} s")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def over_a_socket(port: int, connections: int = 8) -> None:
    """Keep-alive connections, each with one request under way: what several clients of a suite do."""
    request = f"GET /v1/billing HTTP/1.1\r\nHost: sandbox\r\nAuthorization: {KEY.decode()}\r\n\r\n".encode()
    counts = [0] * connections
    start = perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while perf_counter() - start < SECONDS:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            await reader.readexactly(length)
            counts[number] += 1
        writer.close()

    await asyncio.gather(*map(client, range(connections)))
    print(
        f"over a socket: {sum(counts) / (perf_counter() - start):,.0f} requests a second (billing, {connections} connections)"
    )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(in_process(runs, Path(folder, "state.jsonl")))
    command = [sys.executable, "-m", "planner", "sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4]
        asyncio.run(over_a_socket(int(url.rsplit(":", 1)[1])))
        process.terminate()


if __name__ == "__main__":
    main()
