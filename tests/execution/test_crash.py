"""kill -9 between any two steps: the next session loses nothing that was paid for and pays for nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planner.execution.engine import Settings

SETTINGS = Settings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
"""Few polls; long enough to settle a launch that never arrived."""
TROUBLED: list[dict[str, Any]] = [
    {"kind": "lost_answer", "times": 1},
    {"kind": "throttle", "after": 1, "times": 1},
    {"kind": "error_before", "route": "call", "times": 1},
    {"kind": "shuffle_ids"},
]


@pytest.mark.parametrize("dialect", ["page", "client"])
async def test_a_crash_at_any_boundary_costs_nothing(
    make_service: Callable[..., Any], lethal: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Killed after each journal write, launch and stored evidence, then run again: each run was made once."""
    jobs = [job("ana", runs=2), job("bob"), job("cleo", target=17)]
    died = 0
    async for service in lethal(lambda: make_service(dialect, TROUBLED), jobs, lambda: {"settings": SETTINGS}):
        done = await service.invoke(jobs, settings=SETTINGS)
        assert done.outcome.finished, (died, done.outcome)
        assert len(done.records) == 4, died
        await service.check_exact(jobs)
        died += 1
    assert died > 15
