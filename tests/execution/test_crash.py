"""kill -9 between any two steps, and every fault of the service: nothing that was paid for is lost or paid for twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from faulty import FAULTS, meet
from mortality import Life, effects
from troubled_plan import TROUBLES, boundaries, check, finish, organization
from whole_runs import Organization

from planner.execution.engine import EngineSettings

SETTINGS = EngineSettings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
"""Few polls; long enough to settle a launch that never arrived."""
TROUBLED: list[dict[str, Any]] = [
    {"kind": "lost_answer", "times": 1},
    {"kind": "throttle", "after": 1, "times": 1},
    {"kind": "error_before", "route": "call", "times": 1},
    {"kind": "shuffle_ids"},
]


async def test_a_crash_at_any_boundary_costs_nothing(
    make_service: Callable[..., Any], lethal: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Killed after each journal write, launch and stored evidence, then run again: each run was made once."""
    jobs = [job("ana", runs=2), job("bob"), job("cleo", target=17)]
    died = 0
    async for service in lethal(lambda: make_service(TROUBLED), jobs, lambda: {"settings": SETTINGS}):
        done = await service.invoke(jobs, settings=SETTINGS)
        assert done.outcome.finished, (died, done.outcome)
        assert len(done.records) == 4, died
        await service.check_exact(jobs)
        died += 1
    assert died > 15


KINDS = {
    "a journal write",
    "POST /v1/test-call-batches",
    "POST /v1/test-calls",
    "putting evidence",
    "putting runs",
    "putting calls",
    "putting sessions",
    "writing report.md",
    "writing results.json",
    "writing junit.xml",
}


# Every trouble, and every boundary that a process crosses, is `tests/benchmarks/deaths.py`.
@pytest.mark.parametrize(("faults", "first"), list(zip(TROUBLES.values(), (0, 1), strict=True)))
def test_a_crash_after_a_durable_effect_costs_nothing(
    tmp_path: Path, faults: Sequence[dict[str, Any]], first: int
) -> None:
    """Killed after every third one and run again: each call is paid for once, none is lost, and the journal and the
    service agree to the cent."""
    crossed = boundaries(tmp_path / "alive", faults)
    points = effects(crossed)
    assert {crossed[number - 1].removeprefix("after ") for number in points} >= KINDS
    for number in points[first::3]:
        service = organization(tmp_path / str(number), faults)
        assert service.run(life=Life(number)).code is None
        assert finish(service).code == 0, crossed[number - 1]
        check(service)


def test_a_crash_after_the_facts_repeats_no_run(tmp_path: Path) -> None:
    """Killed after the facts were written and before the journal recorded that; then the plan asks for one more run."""
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
    service = Organization(tmp_path)
    service.write("plans/more.yaml", plan)
    assert service.run(life=Life("after putting sessions")).code is None
    service.write("plans/more.yaml", plan.replace("runs: 1", "runs: 2"))
    assert service.run().code == 0
    (case,) = service.results()["cases"]
    assert {run["run_id"] for run in case["runs"]} == set(service.charged())
    assert (case["runs_passed"], len(service.charged())) == (2, 2)


SEEDS = [(name, number % 4) for number, name in enumerate(FAULTS)] + [("all together", 1)]
"""One run of each fault, alternating shapes of runs and ceilings; `tests/benchmarks/faults.py` makes a hundred of each."""


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_faults_cost_nothing_and_hide_nothing(tmp_path: Path, name: str, seed: int) -> None:
    """Run again until nothing is left: the calls, transcripts and charges of the report are those of the service."""
    met = meet(tmp_path, FAULTS[name](Random(seed)), seed)  # noqa: S311 - so that it fails again
    assert (met.duplicates, met.lost, met.wrong_passes, met.over_ceiling, met.unexpected) == (0, 0, 0, 0, [])
    assert met.complete == (name != "hang")
