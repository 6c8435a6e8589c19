"""What a new machine that has only the shared store finds: a batch of which the service lists only some calls yet. Nothing is
paid twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lost_machines import Fleet
from mortality import Life

from planner.sandbox import Dialect

PLAN = """\
version: 1
plan: lost
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask for Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    runs: 3
    expect: [{check: call, status: completed}]
"""
FILES = {
    "plans/lost.yaml": PLAN,
    "planner.yaml": "version: 1\nexecution: {settle_seconds: 60, linger_seconds: 60}\n",
}
WANTED = {"You are Ana. Ask for Saturday.": 3, "You are Bob. Ask for Saturday.": 3}


@dataclass
class SlowList(Fleet):
    """Half of the runs and, with `hides_batches`, all batches are listed late."""

    whole_at: float = 0.0
    hides_batches: bool = False

    def _lagging(self, status: int, body: bytes) -> bytes:
        rows: Any = json.loads(body)
        if status != 200 or self._monotonic() >= self.whole_at:
            return body
        return json.dumps([row for row in rows if self._is_listed(row)]).encode()

    def _is_listed(self, row: dict[str, Any]) -> bool:
        is_run = "scenario_prompt" in row
        return row["id"] % 2 == 0 if is_run else not self.hides_batches


@pytest.mark.parametrize("seconds", [30.0, 100.0, 1000.0])
@pytest.mark.parametrize("hides_batches", [False, True])
@pytest.mark.parametrize("dialect", ["page", "client"])
def test_a_partly_listed_batch_has_arrived(
    tmp_path: Path, dialect: Dialect, hides_batches: bool, seconds: float
) -> None:
    """However long the rest takes: it is not sent again because the settling time is over. Until then, a session waits for the
    rest."""
    fleet = SlowList(tmp_path, dialect, {"concurrency_limit": 20}, files=FILES, lag_seconds=1.0)
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("after POST /v1/test-call-batches")).code is None
    assert fleet.made() == WANTED
    fleet.lose(machine)
    fleet.whole_at, fleet.hides_batches = fleet.seconds + seconds, hides_batches
    machine = fleet.new_machine()
    while fleet.seconds < fleet.whole_at:
        assert fleet.session(machine, Life()).code in ((0,) if seconds < 60 else (0, 4))
        fleet.seconds += 100
    assert fleet.session(machine, Life()).code == 0
    assert (fleet.made(), fleet.left_over()) == (WANTED, [])
