"""Runs that end long after we stopped waiting for them: the next session collects them, free of charge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from whole_runs import Organization

PLAN = """\
version: 1
plan: slow
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are Ana. Ask when you are open on Saturday."
    timeout_seconds: 600
    expect: [{check: call, status: completed}]
"""
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def organization(faults: Any) -> Organization:
        service = Organization(tmp_path, faults=faults)
        service.write("plans/slow.yaml", PLAN)
        return service

    return organization


def test_a_run_without_an_end_is_dropped_after_a_day(make: Any) -> None:
    """Until then no call replaces it, and the report says so. After that, the next session calls again."""
    service = make(({"kind": "hang", "times": 1},))
    for _ in range(3):
        assert service.run().code == 4
        assert any(step["code"] == "wait" for step in service.results()["next_steps"])
    assert len(service.charged()) == 1
    service.seconds += DAY
    assert service.run().code == 4
    assert len(service.charged()) == 1
    assert service.run().code == 0
    assert len(service.charged()) == 2
