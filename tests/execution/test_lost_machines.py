"""Stories of machines that are lost: whole sessions that share a store, in virtual time. More of them, and with real
processes, are in `tests/benchmarks/lost_machines.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from lost_machines import AGENT_FILE, JUDGE, JUDGED, Fleet, Story
from mortality import Life, effects

FOUND = (19, 23, 45, 7700302, 8800489)
"""Two sessions side by side made the same calls: one looked too early, or while the other had already finished. Then: a
process that stood still made a copy of an agent which the other took for one never made; and one that was killed after it had stored
its calls never shared them."""
SAMPLE = tuple(range(1, 11))


@pytest.mark.parametrize("seed", [*FOUND, *SAMPLE])
def test_no_story_pays_twice_or_leaves_anything(tmp_path: Path, seed: int) -> None:
    story = Story(seed, tmp_path)
    story.run()
    assert story.problems == []
    assert story.calls == story.wanted.total()


PLAN = """\
version: 1
plan: lost
targets: {clinic: {agent: 12CONFIG}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask for Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    runs: 3
    expect: [{check: call, status: completed}JUDGED]
"""
PROJECT = "version: 1\nexecution: {settle_seconds: 60, linger_seconds: 60}\n"
WANTED = {"You are Ana. Ask for Saturday.": 3, "You are Bob. Ask for Saturday.": 3}
SHARES = 2
"""Points are divided among this many tests, which may run in parallel."""


def fleet_of(folder: Path, *, rich: bool) -> Fleet:
    """Two concurrent calls, where planner tries more; `rich` is with a preview and a judge."""
    plan = PLAN.replace("CONFIG", ", config: ../agents/clinic.yaml" if rich else "")
    files = {
        "plans/lost.yaml": plan.replace("JUDGED", f", {JUDGED}" if rich else ""),
        "planner.yaml": PROJECT + (JUDGE if rich else ""),
        "agents/clinic.yaml": AGENT_FILE,
    }
    return Fleet(folder, world={"concurrency_limit": 2}, files=files)


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize("share", range(SHARES))
def test_a_machine_that_is_lost_between_refusals_costs_no_second_call(
    tmp_path: Path, share: int, *, rich: bool
) -> None:
    """Killed after each write and launch in turn; the next machine has only the store."""
    alive = Life()
    fleet = fleet_of(tmp_path / "alive", rich=rich)
    assert fleet.session(fleet.new_machine(), alive).code == 0
    ends = [number for number in effects(alive.crossed) if "shared store" in alive.crossed[number - 1]]
    ends += [number for number in effects(alive.crossed) if "POST /v1/test-call" in alive.crossed[number - 1]]
    for number in sorted(ends)[share::SHARES]:
        fleet = fleet_of(tmp_path / str(number), rich=rich)
        machine = fleet.new_machine()
        assert fleet.session(machine, Life(number)).code is None
        fleet.lose(machine)
        machine = fleet.new_machine()
        codes = [4]
        while codes[-1] == 4 and len(codes) < 4:
            fleet.seconds += 100
            codes.append(fleet.session(machine, Life()).code or 0)
        assert codes[-1] == 0, alive.crossed[number - 1]
        assert fleet.made() == WANTED, alive.crossed[number - 1]
        assert fleet.left_over() == []
