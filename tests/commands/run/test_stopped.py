"""SIGSTOP and SIGCONT: what a closed lid, a paused machine or Ctrl-Z does to `planner run`."""

from __future__ import annotations

import signal
import time
from collections import Counter

from patience import wait_for

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import start  # pyright: ignore[reportMissingImports]


def test_a_suspended_process_resumes(project: Project, service: Served) -> None:
    """Its calls end meanwhile, connections stay or break: afterwards it ends as ever, and nobody was called twice."""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 8")
    service.control({"faults": [{"kind": "slow", "route": "any", "probability": 0.2, "seconds": 0.3}]})
    process = start(project, "--max-concurrent", "3")
    for already in (1, 6):
        wait_for(lambda: len(service.own_runs()) >= already)  # noqa: B023
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err + out
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {8: 2, 1: 1}
    assert project.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]
