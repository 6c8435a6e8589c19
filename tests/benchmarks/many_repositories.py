"""The same calls by one coordinator for many repositories, and by one local session: time, requests and CPU.

    uv run python tests/benchmarks/many_repositories.py [TURNS]

Five repositories with 200 calls at a limit of 10, and 100 consents of four calls, against a sandbox in virtual time, with
SQLite on disk. CPU without the sandbox's own, the least of the turns.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import anyio
from mortality import Life
from virtual_time import VirtualLoop

from planner.execution.engine import Job
from planner.network.transport import InProcessTransport
from planner.organisation.coordinator import coordinate
from tests.execution.conftest import Service, make_work  # pyright: ignore[reportMissingImports]
from tests.organisation.conftest import organisation_in  # pyright: ignore[reportMissingImports]

T = TypeVar("T")
HEARTBEAT_SECONDS = 6.0


class Figures(NamedTuple):
    makespan: float
    requests: int
    refused: int
    cpu_ms: float
    """Of a call."""


class SandboxTime:
    """CPU seconds in the sandbox."""

    def __init__(self) -> None:
        self.seconds = 0.0
        real = InProcessTransport.send

        async def send(transport: Any, *arguments: Any, **more: Any) -> Any:
            began = time.process_time()
            try:
                return await real(transport, *arguments, **more)
            finally:
                self.seconds += time.process_time() - began

        setattr(InProcessTransport, "send", send)  # noqa: B010 - a method is not to be assigned


def in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def figures(service: Service, began: tuple[float, float], sandbox: SandboxTime, calls: int) -> Figures:
    seconds, cpu = asyncio.get_running_loop().time() - began[0], time.process_time() - began[1] - sandbox.seconds
    requests = [(method, path) for method, path in service.requests if "_sandbox" not in path]
    posts = sum(method == "POST" for method, _ in requests)
    return Figures(seconds, len(requests), posts, 1000 * cpu / calls)


async def local(jobs: Sequence[Job], folder: Path, limit: int, sandbox: SandboxTime) -> Figures:
    service = Service(folder, "page", (), {"concurrency_limit": limit})
    sandbox.seconds = 0.0
    began = asyncio.get_running_loop().time(), time.process_time()
    invoked = await service.invoke(jobs)
    assert invoked.outcome.finished
    return figures(service, began, sandbox, sum(job.runs for job in jobs))


async def organisation(groups: Sequence[Sequence[Job]], folder: Path, limit: int, sandbox: SandboxTime) -> Figures:
    made = organisation_in(folder, (), {"concurrency_limit": limit})
    await made.begin()
    for number, jobs in enumerate(groups, 1):
        made.submit(number, *jobs, repository=f"r{number}")
    sandbox.seconds = 0.0
    began = asyncio.get_running_loop().time(), time.process_time()
    stop, epoch = anyio.Event(), await made.take()
    ends: list[Figures] = []

    async def beat() -> None:
        while not made.is_idle():
            await anyio.sleep(HEARTBEAT_SECONDS)
            made.tables.heartbeat(epoch)
        ends.append(figures(made.service, began, sandbox, sum(job.runs for jobs in groups for job in jobs)))
        stop.set()

    worker = made.worker(Life())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await coordinate(worker, epoch, stop)
    await made.check_exact()
    made.tables.engine.dispose()
    return ends[0]


def compare(name: str, groups: Sequence[Sequence[Job]], limit: int, turns: int) -> None:
    sandbox = SandboxTime()
    found: dict[str, list[Figures]] = {"local": [], "organisation": []}
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            jobs = [job for group in groups for job in group]
            found["local"].append(in_virtual_time(local(jobs, Path(folder), limit, sandbox)))
        with tempfile.TemporaryDirectory() as folder:
            found["organisation"].append(in_virtual_time(organisation(groups, Path(folder), limit, sandbox)))
    calls = sum(job.runs for group in groups for job in group)
    print(f"{name}: {calls} calls, limit {limit}")
    for who, each in found.items():
        least = min(each, key=lambda one: one.cpu_ms)
        print(
            f"  {who:12} {least.makespan:6.0f} s  {least.requests / calls:.2f} requests a call"
            f"  {least.refused} launches  {least.cpu_ms:.2f} ms of CPU a call"
        )
    ratio = min(each.cpu_ms for each in found["organisation"]) / min(each.cpu_ms for each in found["local"])
    makespan = found["organisation"][0].makespan / found["local"][0].makespan
    print(f"  {'×':12} {makespan:6.2f} makespan, {ratio:.2f} CPU", flush=True)


def main(turns: int = 3) -> None:
    five = [[make_work(f"r{number}c{case}", runs=4) for case in range(10)] for number in range(5)]
    hundred = [[make_work(f"x{number}", runs=4)] for number in range(100)]
    compare("five repositories", five, 10, turns)
    compare("100 consents", hundred, 20, turns)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
