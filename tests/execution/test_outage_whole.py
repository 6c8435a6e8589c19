"""The network is down for minutes in the middle of `planner run`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mortality import Life
from whole_runs import Organisation

PLAN = """\
version: 1
plan: outage
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask when you are open on Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    runs: 6
    expect: [{check: call, status: completed}]
"""


@dataclass
class Disconnected(Organisation):
    """From then on, nothing is reachable for this long; calls that the service has continue."""

    gone_from: float = 0.0
    gone_for: float = 0.0

    def _app(self, life: Life) -> Any:
        there = super()._app(life)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            now = (self.now() - self.epoch).total_seconds()
            if self.gone_from <= now < self.gone_from + self.gone_for:
                raise ConnectionRefusedError("Network is unreachable")
            await there(scope, receive, send)

        return app

    def __post_init__(self) -> None:
        super().__post_init__()
        self.epoch = self.now()


@pytest.mark.parametrize(("gone_from", "gone_for"), [(33.0, 240.0), (10.0, 1200.0)])
def test_five_minutes_without_network(tmp_path: Path, dialect: Any, gone_from: float, gone_for: float) -> None:
    """After less than five minutes the session continues. After more it exits with 4 and gives the reason, and the
    next one resumes. No call is made twice, and none is lost."""
    service = Disconnected(tmp_path, dialect, {"concurrency_limit": 4}, gone_from=gone_from, gone_for=gone_for)
    service.write("plans/outage.yaml", PLAN)
    ran = service.run()
    if gone_for > 300.0:
        assert ran.code == 4
        (problem,) = [line for line in service.results()["problems"] if "was unavailable for" in line]
        assert "cannot be reached" in problem or "was lost" in problem
        assert 300.0 <= ran.seconds < 400.0
        service.seconds += gone_for
        ran = service.run()
    assert ran.code == 0, ran.err + ran.out
    assert service.made() == Counter(
        {f"You are {who}. Ask when you are open on Saturday.": 6 for who in ("Ana", "Bob")}
    )
    assert service.noted() == service.charged()
