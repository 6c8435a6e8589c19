"""`planner run --sandbox` in a busy world and on a bad day: complete in the end, and nothing paid for twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from whole_runs import Organization

from planner.sandbox import World, load_world

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
Faults = tuple[dict[str, Any], ...]
BAD_DAY: Faults = (
    {"kind": "lost_answer", "after": 2, "every": 5, "times": 3},
    {"kind": "error_before", "after": 1, "every": 7},
    {"kind": "error_after", "after": 4, "times": 1, "status": 502},
    {"kind": "garbage", "after": 7, "times": 1, "body": "cut"},
    {"kind": "throttle", "route": "any", "probability": 0.03, "retry_after_seconds": 1},
    {"kind": "error_before", "route": "list", "probability": 0.05},
    {"kind": "garbage", "route": "transcript", "probability": 0.03},
    {"kind": "slow", "route": "call", "probability": 0.05, "seconds": 0.5},
    {"kind": "late", "probability": 0.2},
    {"kind": "fail_run", "after": 3, "every": 9, "runs": 1},
    {"kind": "shuffle_ids", "every": 2},
    {"kind": "foreign_runs", "route": "list", "every": 10, "count": 2, "times": 5},
)
LOST: Faults = (
    {"kind": "lost_answer", "after": 1, "every": 3, "times": 2},
    {"kind": "error_after", "after": 2, "times": 1},
    {"kind": "garbage", "after": 4, "times": 1},
)
"""Launches lose their answers in every way."""


def _run_to_the_end(folder: Path, world: World, faults: Faults = ()) -> tuple[int | None, Organization]:
    """Each ten minutes until all is known; the last exit code. Each run that the service bills is one that a case was called
    for, and no prompt was paid for more often than its plan asks for."""
    organization = Organization(folder, base=world, faults=faults)
    organization.write("plans/orders.yaml", PLAN)
    code = None
    for _ in range(3):
        ran = organization.run()
        code = ran.code
        assert code in (0, 1, 4), ran.err
        if code != 4 and not organization.results()["open_launches"]:
            break
        organization.seconds += SETTLED_SECONDS
    runs = [run for run in organization.sandbox.state.runs if run.requested_by_id == 1]
    assert max(Counter(run.prompt.strip() for run in runs if run.cost_cents).values()) <= 2
    numbers = [run["run_id"] for case in organization.results()["cases"] for run in case["runs"] if run["run_id"]]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= {run.id for run in runs}
    return code, organization


@pytest.mark.parametrize(("world", "code"), [("busy", 0), ("regressed", 1)])
def test_a_world_without_faults_is_run_to_the_end(tmp_path: Path, world: str, code: int) -> None:
    """With room for four calls at once everything is called all the same, once each; a broken agent fails."""
    ended, organization = _run_to_the_end(tmp_path, load_world(world))
    assert ended == code
    assert len(organization.results()["cases"]) == CASES
    assert len(organization.charged()) == RUNS


@pytest.mark.parametrize("below", ["demo", "regressed"])
def test_a_bad_day_ends_as_a_good_one(tmp_path: Path, below: str) -> None:
    """In the end each case has what it would have on a good day, by whole calls, none of them paid for twice."""
    world = load_world(below).model_copy(update={"retry_after_seconds": 1})
    code, organization = _run_to_the_end(tmp_path, world, (*BAD_DAY, *LOST))
    assert code == (0 if below == "demo" else 1)
    for case in organization.results()["cases"]:
        judged = [
            run for run in case["runs"] if run["outcome"] in ("passed", "failed")
        ]  # others failed on the platform
        assert judged
        assert all(run["evidence"] for run in judged)
        passes = below == "demo" or case["scenario"] == "status"  # the broken agent looks nothing up for `window`
        assert case["outcome"] == ("passed" if passes else "failed"), case
        assert case["runs_passed"] == (len(judged) if passes else 0)
