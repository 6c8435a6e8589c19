"""The possible cost of calls without a bill is reported with the bill until it is known."""

from __future__ import annotations

import signal
import subprocess
import sys

from patience import PATIENCE_SECONDS

from planner.results.model import RunResult
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.reconcile.test_orphaned_launches import answered, flat  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT, wait_for  # pyright: ignore[reportMissingImports]


def test_active_calls_at_an_interruption_are_in_the_bill(project: Project, service: Served) -> None:
    """Every report says that the sum is a lower bound and what is reserved for active calls."""
    service.control({"faults": [{"kind": "hang"}]})
    process = subprocess.Popen(
        [sys.executable, "-m", "planner", "run", CONSENT, "--max-concurrent", "3"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(service.own_runs()) == 3 and answered(project))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    cost = project.results()["cost"]
    assert (cost["actual_cents"], cost["ambiguous_cents"], cost["calls_under_way"]) == (0, 3 * 64, 3)
    bill = "at least $0.00 of $1.60 expected"
    assert bill in flat(out)
    assert f"Cost {bill}; up to $1.92 more for 3 calls in progress" in flat(out)
    assert f"Cost: {bill}" in (project.root / "reports/junit.xml").read_text()
    assert "up to $1.92 more for 3 calls in progress" in flat((project.root / "reports/report.md").read_text())
    RunResult.model_validate(project.results())
