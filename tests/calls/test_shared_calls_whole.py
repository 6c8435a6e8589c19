"""Two plans whose cases make the same call, as whole sessions on machines that share a store: 3 and 5 runs are 5 calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lost_machines import PROJECT_OF_STORIES, Fleet, Story
from mortality import Life, effects

from planner.records.facts import CallFact
from planner.records.log import Records, Scope
from planner.results.repository import ResultsRepository
from planner.workspace.selection import Selection

PLAN = """\
version: 1
plan: NAME
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are Ana. Ask for Saturday."
    targets: [clinic]
    runs: RUNS
    expect: [EXPECTED]
"""
PASSES, FAILS = "{check: call, status: completed}", "{check: says, any_of: [a zebra]}"
WANTED = {"You are Ana. Ask for Saturday.": 5}
SAMPLE = 5
"""One of so many points is tried."""
FEW, MANY = "few/hours@clinic", "many/hours@clinic"


def plan_of(name: str, runs: int, expected: str = PASSES) -> str:
    return PLAN.replace("NAME", name).replace("RUNS", str(runs)).replace("EXPECTED", expected)


def fleet_of(folder: Path, expected: str = PASSES, **world: Any) -> Fleet:
    files = {
        "plans/few.yaml": plan_of("few", 3),
        "plans/many.yaml": plan_of("many", 5, expected),
        "planner.yaml": PROJECT_OF_STORIES,
    }
    return Fleet(folder, world={"concurrency_limit": 2, **world}, files=files)


def cases_of(fleet: Fleet) -> dict[str, tuple[str, int]]:
    """The outcome of each case, and its calls."""
    return {case["case_id"]: (case["outcome"], case["runs_total"]) for case in fleet.results()["cases"]}


def stored(fleet: Fleet) -> list[CallFact]:
    records = Records(ResultsRepository(fleet.store), (), Scope(("",)))
    fingerprints = {case["call_fingerprint"] for case in fleet.results()["cases"]}
    return [call.call for fingerprint in fingerprints for call in records.calls(fingerprint)]


def until_done(fleet: Fleet, machine: Path) -> int:
    code: int | None = 4
    for _ in range(6):
        fleet.seconds += 100
        code = fleet.session(machine, Life(), max_cost_cents=1_000).code
        if code != 4:
            break
    assert code is not None
    return code


def test_two_cases_of_one_call_are_paid_once_and_judged_each_by_its_own_expectations(tmp_path: Path) -> None:
    """The first plan pays. The store has each call once; a machine that has only the store makes none."""
    fleet = fleet_of(tmp_path, expected=FAILS)
    assert fleet.session(fleet.new_machine(), Life()).code == 1
    assert (fleet.made(), cases_of(fleet)) == (WANTED, {FEW: ("passed", 5), MANY: ("failed", 5)})
    cost, charged = fleet.results()["cost"], sum(fleet.charged().values())
    assert (cost["actual_cents"], cost["this_session_cents"], cost["unconfirmed_cents"]) == (charged, charged, 0)
    text = (fleet.root / "reports" / "report.md").read_text()
    assert "2 cases · 5 runs · 2 plans" in text
    assert "more was paid" not in text
    facts = stored(fleet)
    assert [(fact.case_id, fact.shared_by) for fact in facts] == [(FEW, [MANY])] * 5
    assert fleet.left_over() == []

    assert fleet.session(fleet.new_machine(), Life()).code == 1
    assert (fleet.made(), cases_of(fleet)) == (WANTED, {FEW: ("passed", 5), MANY: ("failed", 5)})
    assert fleet.results()["cost"]["carried_cents"] == charged


def test_a_plan_that_is_run_alone_leaves_its_calls_to_the_other(tmp_path: Path) -> None:
    """Also the ones that were under way when its machine was lost."""
    fleet = fleet_of(tmp_path)
    machine = fleet.new_machine()
    few, many = (
        Selection(sandbox=True, paths=(Path(f"plans/{name}.yaml"),), store="git:refs/planner/results")
        for name in ("few", "many")
    )
    fleet.root = machine
    assert fleet.run(selection=few).code == 0
    assert fleet.made().total() == 3
    assert until_done(fleet, fleet.new_machine()) == 0
    assert (fleet.made(), cases_of(fleet)[MANY]) == (WANTED, ("passed", 5))

    fleet = fleet_of(tmp_path / "killed", concurrency_limit=20)
    fleet.root = machine = fleet.new_machine()
    assert fleet.run(life=Life("after POST /v1/test-call"), selection=many).code is None
    fleet.lose(machine)
    assert until_done(fleet, fleet.new_machine()) == 0
    assert (fleet.made(), cases_of(fleet)) == (WANTED, {FEW: ("passed", 5), MANY: ("passed", 5)})


def _ends(crossed: Sequence[str]) -> list[int]:
    """After each launch and each write to the shared store."""
    return [
        number
        for number in effects(crossed)
        if "shared store" in crossed[number - 1] or "POST /v1/test-call" in crossed[number - 1]
    ]


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_machine_that_is_lost_in_the_middle(tmp_path: Path, *, comes_back: bool) -> None:
    """After any write or launch. The next one has only the store; or the first one comes back after it."""
    alive = Life()
    fleet = fleet_of(tmp_path / "alive")
    assert fleet.session(fleet.new_machine(), alive).code == 0
    for number in _ends(alive.crossed)[comes_back::SAMPLE]:
        fleet = fleet_of(tmp_path / str(number))
        machine, other = fleet.new_machine(), fleet.new_machine()
        assert fleet.session(machine, Life(number)).code is None
        if comes_back:
            fleet.seconds += 100
            fleet.session(other, Life(40))
        assert until_done(fleet, machine if comes_back else other) == 0, alive.crossed[number - 1]
        assert (fleet.made(), fleet.left_over()) == (WANTED, []), alive.crossed[number - 1]
        assert cases_of(fleet) == {FEW: ("passed", 5), MANY: ("passed", 5)}


def test_an_interrupted_case_has_not_passed_with_a_part_of_the_calls(tmp_path: Path) -> None:
    """The ceiling ends the calls: the one that pays for them is as open as the other."""
    fleet = fleet_of(tmp_path)
    fleet.session(fleet.new_machine(), Life(), max_cost_cents=60)
    assert fleet.made().total() < 5
    assert {outcome for outcome, _ in cases_of(fleet).values()} == {"unknown"}


@pytest.mark.parametrize("seed", [3, 4])
def test_no_story_with_equal_cases_pays_twice_or_leaves_anything(tmp_path: Path, seed: int) -> None:
    story = Story(seed, tmp_path, has_equal_calls=True)
    story.run()
    assert story.problems == []
    assert story.calls == story.wanted.total()
