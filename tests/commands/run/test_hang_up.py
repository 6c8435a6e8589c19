"""SIGHUP, as a closed terminal sends it, interrupts a session."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter

from patience import PATIENCE_SECONDS, wait_for

from planner.interruption import interruptible
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

RUN = [sys.executable, "-m", "planner", "run", "--consent-to-charge", "--max-concurrent", "2"]
HEED = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_a_hang_up_interrupts(project: Project, service: Served) -> None:
    """Exit 130 and a report; the same command again pays for nothing twice."""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 10")
    service.hold(2, retry_after_seconds=600)
    process = subprocess.Popen([sys.executable, "-c", HEED, *RUN], cwd=project.root, stderr=subprocess.DEVNULL)
    wait_for(project.rests)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=PATIENCE_SECONDS) == 130
    assert project.results()["outcome"] == "interrupted"
    service.release()
    again = project.planner("run", "--consent-to-charge")
    assert again.code == 0, again.err
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {10: 2, 1: 1}
    assert project.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]


async def test_a_hang_up_ignored_from_the_start_stays_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
