"""`planner run --sandbox` in worlds that are busy or faulty: complete in the end, and nothing paid for twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest
from virtual_time import EPOCH, VirtualLoop

import planner.session.service
from planner.clock import Clock
from planner.commands.run import run
from planner.session.run_session import RunOptions
from planner.session.selection import Selection
from planner.session.shell import Shell

PLAN = """\
version: 1
plan: orders
targets: {support: {agent: 14}}
scenarios:
  window:
    prompt: You are {{ who }}, calm. Ask how many days you have to return order {{ order }}.
    matrix:
      axes:
        who: [Ana Ruiz, Bob Lee, Mei Chen]
        order: ["12345", "20417", "30988"]
    runs: 2
    expect:
      - {check: call, status: completed}
      - {check: says, any_of: ["30 days"]}
      - {check: never_says, matches: "(?i)guarantee"}
      - {check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}}
  status:
    prompt: You are Mei Chen. Ask where order {{ order }} is.
    matrix: {axes: {order: ["30988", "52003", "61777", "99999"]}}
    runs: 2
    expect: [{check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}}]
"""
CASES, RUNS = 13, 26
SETTLED_SECONDS = 600.0
"""After which a launch that no list shows was never carried out."""
FAULTS = (
    "  - {kind: lost_answer, route: launch, after: 1, every: 3, times: 2}\n"
    "  - {kind: error_after, route: launch, after: 2, times: 1}\n"
    "  - {kind: garbage, route: launch, after: 4, times: 1}\n"
)
"""Launches lose their answers in every way, in addition to the faults of the `faulty` world."""


@pytest.fixture
def run_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """The command in virtual time, each ten minutes until all is known; its last exit code."""
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    loops: list[VirtualLoop] = []
    waited_seconds = 0.0
    numbers = count(1)
    embedded_app = planner.session.service.embedded_app

    def passed() -> float:
        return waited_seconds + (loops[-1].time() if loops else 0.0)

    def new_loop() -> VirtualLoop:
        nonlocal waited_seconds
        now, waited_seconds = passed(), 0.0
        loops.append(VirtualLoop(now))
        return loops[-1]

    def app(*what: Any) -> Any:
        loops[-1].mind_threads()
        return embedded_app(*what)

    monkeypatch.setattr(anyio, "run", partial(anyio.run, backend_options={"loop_factory": new_loop}))
    monkeypatch.setattr(planner.session.service, "embedded_app", app)
    clock = Clock(lambda: EPOCH + timedelta(seconds=passed()), passed, anyio.sleep)

    def run_(world: str) -> int:
        nonlocal waited_seconds
        selection = replace(Selection(), paths=(Path("plan.yaml"),), sandbox=True, world=world)
        code = 4
        for _ in range(3):
            err = StringIO()
            shell = Shell(tmp_path, {"USER": "tester"}, StringIO(), err, clock, lambda: f"{next(numbers):016x}", 100)
            code = run(shell, RunOptions(selection, consent_to_charge=True))
            assert code in (0, 1, 4), err.getvalue()
            if code != 4 and not _results(tmp_path)["open_launches"]:
                break
            waited_seconds += SETTLED_SECONDS
        return code

    return run_


def _results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "reports" / "results.json").read_text(encoding="utf-8"))


def _own_runs(folder: Path) -> list[dict[str, Any]]:
    """What the service believes it did for us, from its own memory."""
    lines = (folder / ".planner" / "sandbox" / "service.jsonl").read_text(encoding="utf-8").splitlines()
    launches = [event for event in map(json.loads, lines) if event["kind"] == "launch"]
    return [made for launch in launches for made in launch["runs"] if made["requested_by_id"] == 1]


def _check_money(folder: Path) -> None:
    """Each run that the service bills is one that a case was called for, and no prompt was paid for more often than it asks for."""
    made = _own_runs(folder)
    billed = Counter(each["prompt"].strip() for each in made if each["cost_cents"])
    assert max(billed.values()) <= 2, billed
    runs = [each for case in _results(folder)["cases"] for each in case["runs"] if each["run_id"]]
    numbers = [each["run_id"] for each in runs]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= {each["id"] for each in made}


@pytest.mark.parametrize("world", ["busy", "regressed"])
def test_a_world_without_faults_is_run_to_the_end(
    tmp_path: Path, run_to_the_end: Callable[[str], int], world: str
) -> None:
    """With room for four calls at once everything is called all the same, once each; a broken agent fails."""
    code = run_to_the_end(world)
    results = _results(tmp_path)
    assert code == (0 if world == "busy" else 1)
    assert len(results["cases"]) == CASES
    assert len(_own_runs(tmp_path)) == RUNS
    _check_money(tmp_path)


@pytest.mark.parametrize("below", ["faulty", "regressed"])
@pytest.mark.parametrize("more", ["", FAULTS])
def test_a_bad_day_ends_as_a_good_one(
    tmp_path: Path, run_to_the_end: Callable[[str], int], below: str, more: str
) -> None:
    """In the end each case has what it would have on a good day, by whole calls, none of them paid for twice."""
    base = (Path(__file__).parent.parent.parent / "planner/sandbox/worlds/faulty.yaml").read_text(encoding="utf-8")
    world = base.replace("extends: demo", f"extends: {'demo' if below == 'faulty' else below}") + more
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    code = run_to_the_end("world.yaml")
    results = _results(tmp_path)
    assert code == (0 if below == "faulty" else 1)
    for case in results["cases"]:
        assert all(each["evidence"] for each in case["runs"] if each["outcome"] in ("passed", "failed"))
        passes = below == "faulty" or case["scenario"] == "status"  # the broken agent looks nothing up for `window`
        assert case["outcome"] == ("passed" if passes else "failed"), case
        assert case["runs_passed"] == (2 if passes else 0)
    _check_money(tmp_path)
