"""Calls in waves by the whole program, in virtual time: two sessions of an agent, an edit that breaks two of its cases, and a
session whose calls go where they decide. It is killed in every wave, and resumed there or on a machine that has only the
shared store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lost_machines import SHARED, Fleet
from mortality import Life, effects
from worlds import world_of

from planner.workspace.selection import Selection

NAMES = ("Ana", "Bob", "Cem", "Dora", "Eva", "Finn")
RUNS = 5
ALL_CALLS = RUNS * len(NAMES)
MOST_CALLS = RUNS + 3 * (len(NAMES) - 1)
"""Of one case, if all others get their first two only."""
PLAN = f"""\
version: 1
plan: suite
targets: {{clinic: {{agent: 12}}}}
defaults: {{runs: {RUNS}, min_pass_rate: 0.8}}
scenarios:
  hours:
    prompt: "You are {{{{ who }}}}. Ask when they are open."
    matrix: {{axes: {{who: [{", ".join(NAMES)}]}}}}
    expect: [{{check: says, any_of: [we open at eight]}}]
"""


def edited_fleet(folder: Path) -> Fleet:
    """After two sessions of five calls a case, and the edit."""
    world = world_of("edited").model_copy(update={"time_scale": 1.0, "concurrency_limit": 20})
    fleet = Fleet(folder, base=world, files={"plans/suite.yaml": PLAN})
    machine = fleet.new_machine()
    assert fleet.session(machine, Life()).code == 0
    again = Selection(sandbox=True, store=SHARED, rerun="all")
    assert fleet.run(selection=again).code == 0
    assert len(fleet.charged()) == 2 * ALL_CALLS
    fleet.sandbox.agents.deploy(12, {"prompt": "Be short."}, fleet.now().timestamp())
    return fleet


def answer(fleet: Fleet) -> Any:
    """What the report says of each case, and the suite."""
    results = fleet.results()
    cases = {
        case["inputs"]["prompt"].split()[2]: (
            case["compared"],
            case["outcome"],
            case["runs_passed"],
            case["runs_total"],
        )
        for case in results["cases"]
    }
    return cases, results["suite"], results["outcome"]


def new_calls(fleet: Fleet) -> Mapping[str, int]:
    return {prompt: made - 2 * RUNS for prompt, made in fleet.made().items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    fleet = edited_fleet(tmp_path_factory.mktemp("undisturbed"))
    life = Life()
    ran = fleet.session(fleet.root, life)
    return fleet, life, ran


def test_calls_go_where_they_decide(undisturbed: Any) -> None:
    """Both broken cases are called regressed, and others got worse by nothing. No case gets more calls than were agreed to,
    nor do all."""
    fleet, _, ran = undisturbed
    cases, suite, outcome = answer(fleet)
    assert (ran.code, outcome, suite["compared"], suite["sessions"]) == (1, "failed", "worse", 2)
    assert {name for name, (word, *_) in cases.items() if word == "regressed"} == {"Ana.", "Bob."}
    made = new_calls(fleet)
    assert sum(made.values()) <= ALL_CALLS
    assert min(made.values()) == 2
    assert RUNS < max(made.values()) <= MOST_CALLS
    assert all(case["waves"]["most"] == MOST_CALLS for case in fleet.results()["cases"])


def test_cases_in_waves_need_no_more_calls_later(undisturbed: Any) -> None:
    """Those that passed have all of their calls, although they are fewer than the plan's."""
    fleet, _, _ = undisturbed
    before = fleet.charged()
    assert fleet.session(fleet.root, Life()).code == 1
    assert fleet.charged() == before


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_session_killed_in_any_wave_ends_alike(tmp_path: Path, undisturbed: Any, *, is_lost: bool) -> None:
    """Killed before or after a launch: the next session chooses the same calls, on this machine or on one that has only the
    shared store. Each of the two is killed at every second launch."""
    whole, alive, _ = undisturbed
    launches = [number for number in effects(alive.crossed) if "POST /v1/test-call" in alive.crossed[number - 1]]
    assert len(launches) > 4
    for turn, launch in enumerate(launches[not is_lost :: 2], start=int(is_lost)):
        number = launch - turn % 2
        fleet = edited_fleet(tmp_path / str(number))
        assert fleet.session(fleet.root, Life(number)).code is None
        machine = fleet.root
        if is_lost:
            fleet.lose(machine)
            machine = fleet.new_machine()
        for _ in range(3):  # an unconfirmed launch is searched for, and perhaps sent again
            fleet.session(machine, Life())
            fleet.seconds += 700
            if fleet.results()["finished"]:
                break
        where = f"{number}: {alive.crossed[number - 1]}"
        assert answer(fleet) == answer(whole), where
        assert new_calls(fleet) == new_calls(whole), where
