"""`planner run --sandbox` in worlds that are busy or faulty: complete or honestly not, and nothing paid for twice."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest

from planner.commands.run import run
from planner.execution.clock import Clock
from planner.invocation.run_options import RunOptions
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell

FASTER = 40
"""How much faster than the real one the clock of these runs goes: waiting is most of what a run does."""
PLAN = """\
version: 1
plan: orders
targets: {support: {agent: 14}}
scenarios:
  window:
    prompt: You are {{ who }}. Ask how many days you have to return order {{ order }}.
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
    prompt: You are Mei Chen. Ask when order {{ order }} arrives.
    matrix: {axes: {order: ["30988", "52003", "61777", "99999"]}}
    runs: 2
    expect: [{check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}}]
"""
CASES, RUNS = 13, 26
FAULTS = (
    "  - {kind: lost_answer, route: launch, after: 1, every: 3, times: 2}\n"
    "  - {kind: error_after, route: launch, after: 2, times: 1}\n"
    "  - {kind: garbage, route: launch, after: 4, times: 1}\n"
)
"""Answers of launches that get lost in every way, besides what the `faulty` world does."""


def _shell(folder: Path) -> tuple[Shell, StringIO]:
    began, real = datetime.now(UTC), time.monotonic()
    numbers = count(1)

    def passed() -> float:
        return (time.monotonic() - real) * FASTER

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds / FASTER)

    clock = Clock(now=lambda: began + timedelta(seconds=passed()), monotonic=passed, sleep=sleep)
    err = StringIO()
    environ = {"HOME": os.environ.get("HOME", "")}
    return Shell(folder, environ, StringIO(), err, clock, lambda: f"{next(numbers):016x}", 100), err


def _run(folder: Path, world: str) -> int:
    """The command, as often as it says that running it again goes on; the last exit code."""
    selection = replace(Selection(), paths=(Path("plan.yaml"),), sandbox=True, world=world)
    code = 4
    for _ in range(3):
        shell, err = _shell(folder)
        code = run(shell, RunOptions(selection, consent_to_charge=True))
        assert code in (0, 1, 4), err.getvalue()
        if code != 4:
            break
    return code


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
    told = [each for case in _results(folder)["cases"] for each in case["runs"] if each["run_id"]]
    numbers = [each["run_id"] for each in told]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= {each["id"] for each in made}


@pytest.mark.parametrize("world", ["busy", "regressed"])
def test_a_world_without_faults_is_run_to_the_end(tmp_path: Path, world: str) -> None:
    """With room for four calls at once everything is called all the same, once each; a broken agent fails."""
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    code = _run(tmp_path, world)
    results = _results(tmp_path)
    assert code == (0 if world == "busy" else 1)
    assert len(results["cases"]) == CASES
    assert len(_own_runs(tmp_path)) == RUNS
    _check_money(tmp_path)


@pytest.mark.parametrize("below", ["faulty", "regressed"])
@pytest.mark.parametrize("more", ["", FAULTS])
def test_a_bad_day_is_told_honestly(tmp_path: Path, below: str, more: str) -> None:
    """Complete (0, or 1 where the agent is broken) or incomplete (4): what passed did so in whole calls, what is unknown says so."""
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    base = (Path(__file__).parent.parent.parent / "planner/sandbox/worlds/faulty.yaml").read_text(encoding="utf-8")
    world = base.replace("extends: demo", f"extends: {'demo' if below == 'faulty' else below}") + more
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    code = _run(tmp_path, "world.yaml")
    results = _results(tmp_path)
    assert code in ((0, 4) if below == "faulty" else (1, 4))
    for case in results["cases"]:
        whole = [each for each in case["runs"] if each["outcome"] in ("passed", "failed")]
        assert all(each["evidence"] for each in whole)
        if case["outcome"] == "passed":
            assert sum(each["outcome"] == "passed" for each in whole) == case["runs_required"] == 2
            assert below == "faulty" or case["scenario"] == "status"  # the broken agent looks nothing up for `window`
        elif below == "faulty":
            assert case["outcome"] != "failed", case
    unknown = [case for case in results["cases"] if case["outcome"] not in ("passed", "failed")]
    if code != 1:  # a failure is told before what is unknown
        assert (code == 4) == bool(unknown or results["open_launches"])
    _check_money(tmp_path)
