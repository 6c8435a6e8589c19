"""What kill -9 must not cost: a plan that meets every kind of trouble, and what has to be true once it is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mortality import Life
from whole_runs import Organization, Ran

PLAN = """\
version: 1
plan: deaths
targets: {clinic: {agent: 12}, orders: {agent: 14}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask when you are open on Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    retries: 2
    expect: [{check: call, status: completed}, {check: says, any_of: [Saturday]}]
  single:
    prompt: "You are Cleo. Ask when you are open on Sunday."
    targets: [orders]
    retries: 2
    expect: [{check: call, status: completed}]
"""
WANTED = Counter(
    {
        "You are Ana. Ask when you are open on Saturday.": 1,
        "You are Bob. Ask when you are open on Saturday.": 1,
        "You are Cleo. Ask when you are open on Sunday.": 1,
    }
)
PROJECT = "version: 1\nexecution: {settle_seconds: 30, linger_seconds: 100}\n"
TROUBLES: dict[str, Sequence[dict[str, Any]]] = {
    "a batch whose answer is lost, a call that was never made": (
        {"kind": "lost_answer", "times": 1},
        {"kind": "fail_run", "runs": 1, "after": 1, "times": 1},
        {"kind": "shuffle_ids"},
    ),
    "a launch that never arrived, a refusal, late evidence": (
        {"kind": "error_before", "times": 1},
        {"kind": "throttle", "after": 2, "times": 1},
        {"kind": "late", "seconds": 20, "what": ["transcript"], "times": 1},
        {"kind": "error_before", "route": "call", "times": 1},
    ),
}


def organization(root: Path, faults: Sequence[dict[str, Any]]) -> Organization:
    made = Organization(root, faults=tuple(faults))
    made.write("plans/deaths.yaml", PLAN)
    made.write("planner.yaml", PROJECT)
    return made


def finish(service: Organization) -> Ran:
    """Run again until it is done. A minute passes between two sessions."""
    service.seconds += 60
    ran = service.run()
    for _ in range(5):
        if ran.code != 4:
            break
        service.seconds += 60
        ran = service.run()
    assert ran.code != 4, f"not done after six sessions: {ran.out}\n{ran.err}"
    return ran


def check(service: Organization, wanted: Counter[str] = WANTED) -> None:
    """Each call was made once, but for those that the platform failed; journal and report say what the service charged."""
    charged = service.charged()
    assert service.made() == wanted
    assert service.noted() == charged
    results = service.results()
    reported = service.reported()
    assert {run_id: cents for run_id, cents in charged.items() if cents} == {
        run_id: cents for run_id, cents in reported.items() if cents
    }
    assert set(reported) <= set(charged)
    assert all(case["runs_passed"] == case["runs_required"] for case in results["cases"])
    again = service.run()
    assert (again.code, service.charged()) == (0, charged)


def boundaries(root: Path, faults: Sequence[dict[str, Any]]) -> list[str]:
    """All that a session crosses that nobody kills."""
    life = Life()
    service = organization(root, faults)
    ran = service.run(life=life)
    assert ran.code == 0, ran.err
    check(service)
    return life.crossed
