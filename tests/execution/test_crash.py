"""kill -9 between any two steps: the next session loses nothing that was paid for and pays for nothing twice."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.execution.jobs import Settings

SETTINGS = Settings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
"""Few polls, because each adds two boundaries to die at; long enough to settle a launch that never arrived."""
SHARES = 4
"""The boundaries are divided among this many tests, which may run in parallel."""

TROUBLED: Sequence[dict[str, Any]] = (
    {"kind": "lost_answer", "times": 1},
    {"kind": "throttle", "after": 1, "times": 1},
    {"kind": "error_before", "route": "call", "times": 1},
    {"kind": "shuffle_ids"},
)


@pytest.fixture
def jobs(job: Callable[..., Any]) -> list[Any]:
    return [job("ana", runs=2), job("bob"), job("cleo", target=17)]


async def live_through(service: Any, jobs: Any, deaths: Sequence[int], killable: Callable[..., Any]) -> Any:
    """Die at each boundary in turn, each time in a new session; then run one to the end."""
    for boundary in deaths:
        await killable(service, jobs, boundary, settings=SETTINGS)
    return await service.invoke(jobs, settings=SETTINGS)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(("dialect", "faults"), [("page", ()), ("client", TROUBLED)], ids=["smooth", "troubled"])
async def test_a_crash_at_any_boundary_costs_nothing(
    make_service: Callable[..., Any],
    killable: Callable[..., Any],
    jobs: list[Any],
    dialect: str,
    faults: Sequence[dict[str, Any]],
    share: int,
) -> None:
    """Killed before or after each journal write, request and stored evidence, then run again: each run was made once."""
    boundary = share + 1
    while await killable(service := make_service(dialect, faults), jobs, boundary, settings=SETTINGS):
        done = await service.invoke(jobs, settings=SETTINGS)
        assert done.outcome.finished, (boundary, done.outcome)
        assert len(done.records) == 4, boundary
        await service.check_exact(jobs)
        boundary += SHARES
    assert boundary > 30


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.integers(1, 60), min_size=2, max_size=5))
async def test_repeated_crashes_cost_nothing(
    make_service: Callable[..., Any], killable: Callable[..., Any], jobs: list[Any], deaths: list[int]
) -> None:
    """Sessions are killed several times at random places; the one that survives completes each run once, to the cent."""
    service = make_service("client", TROUBLED)
    done = await live_through(service, jobs, deaths, killable)
    assert done.outcome.finished, done.outcome
    assert len(done.records) == 4
    await service.check_exact(jobs)


HERE = Path(__file__).parent
DIES = """
    import os, sys
    from pathlib import Path

    import anyio

    sys.path[:0] = {tests!r}
    from conftest import Service, make_work
    from mortality import Life
    from virtual_time import VirtualLoop


    class Mortal(Life):
        def boundary(self, name):
            self.crossed.append(name)
            if len(self.crossed) == {boundary}:
                os._exit(9)


    async def main():
        service = Service(Path({folder!r}), "client", {faults!r}, state_path=Path({folder!r}) / "service.jsonl")
        service._ids = service.invocations = 1000  # none of its ids comes again
        await service.invoke([make_work("ana", runs=2), make_work("bob"), make_work("cleo", target=17)], life=Mortal())


    anyio.run(main, backend_options={{"loop_factory": VirtualLoop}})
"""


def die(folder: Path, boundary: int) -> None:
    faults = [dict(fault) for fault in TROUBLED]
    names = {
        "tests": [str(HERE), str(HERE.parent / "support")],
        "boundary": boundary,
        "folder": str(folder),
        "faults": faults,
    }
    program = textwrap.dedent(DIES).format(**names)
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (9, "")


@pytest.mark.parametrize("boundary", [3, 9, 17, 24, 60])
async def test_a_real_process_exit_costs_nothing(
    tmp_path: Path, make_service: Callable[..., Any], jobs: list[Any], boundary: int
) -> None:
    """A real process exits between two instructions, with nothing closed and nothing flushed."""
    die(tmp_path / "store0", boundary)
    service = make_service("client", state_path=tmp_path / "store0" / "service.jsonl", folder=tmp_path / "store0")
    await anyio.sleep(100)  # its clock has gone on
    done = await service.invoke(jobs, settings=SETTINGS)
    assert done.outcome.finished, done.outcome
    assert len(done.records) == 4
    await service.check_exact(jobs)
