"""kill -9 of `planner run` after each durable effect: journal, service, evidence, results, baseline, reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mortality import Life, effects
from troubled_plan import TROUBLES, boundaries, check, finish, organisation
from whole_runs import Organisation

KINDS = {
    "a journal write",
    "POST /v1/test-call-batches",
    "POST /v1/test-calls",
    "putting evidence",
    "putting runs",
    "putting latest",
    "writing report.md",
    "writing results.json",
    "writing junit.xml",
}


# Every trouble in every dialect, and every boundary that a process crosses, is `tests/benchmarks/deaths.py`.
@pytest.mark.parametrize(
    ("dialect", "faults", "first"), list(zip(("page", "client"), TROUBLES.values(), (0, 1), strict=True))
)
def test_a_crash_after_a_durable_effect_costs_nothing(
    tmp_path: Path, dialect: Any, faults: Sequence[dict[str, Any]], first: int
) -> None:
    """Killed after every second one and run again: each call is paid for once, none is lost, and the journal and the
    service agree to the cent."""
    crossed = boundaries(tmp_path / "alive", dialect, faults)
    points = effects(crossed)
    assert {crossed[number - 1].removeprefix("after ") for number in points} >= KINDS
    for number in points[first::2]:
        service = organisation(tmp_path / str(number), dialect, faults)
        assert service.run(life=Life(number)).code is None
        assert finish(service).code == 0, crossed[number - 1]
        check(service)


def test_a_crash_after_the_baseline_repeats_no_run(tmp_path: Path, dialect: Any) -> None:
    """Killed after the baseline was written and before the journal recorded it; then the plan asks for one more run."""
    plan = """\
version: 1
plan: more
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are Ana. Ask when you are open on Saturday."
    runs: 1
    expect: [{check: call, status: completed}]
"""
    service = Organisation(tmp_path, dialect)
    service.write("plans/more.yaml", plan)
    assert service.run(life=Life("after putting latest")).code is None
    service.write("plans/more.yaml", plan.replace("runs: 1", "runs: 2"))
    assert service.run().code == 0
    (case,) = service.results()["cases"]
    assert {run["run_id"] for run in case["runs"]} == set(service.charged())
    assert (case["runs_passed"], len(service.charged())) == (2, 2)
