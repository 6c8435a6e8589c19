"""One plan under one set of faults: run again until nothing is left to do, then compared with what the service knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from whole_runs import Organization

from planner.sandbox.conversation import Conversation
from planner.sandbox.state import OWN_USER_ID

PLAN = """\
version: 1
plan: faulty
targets: {clinic: {agent: 12}, orders: {agent: 14}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask when you are open on Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    runs: 2
    retries: 3
    expect: [{check: says, any_of: [Saturday]}]
  giraffe:
    prompt: "You are Cleo. Ask when you are open on Saturday."
    targets: [orders]
    retries: 3
    expect: [{check: says, any_of: [giraffe]}]
  nameless:
    prompt: "You are Dan. Ask when you are open on Sunday."
    targets: [clinic]
    retries: 3
    expect: [{check: never_says, any_of: [Larkfield]}]
  cancels:
    prompt: "You are Dora Diaz, polite. Cancel your appointment of Monday."
    targets: [clinic]
    retries: 3
    expect: [{check: tool_called, name: find_appointment}]
  keeps:
    prompt: "You are Eve Diaz, polite. Cancel your appointment of Monday."
    targets: [clinic]
    retries: 3
    expect: [{check: tool_not_called, name: find_appointment}]
  brief:
    prompt: "You are Finn. Ask when you are open on Saturday."
    targets: [orders]
    retries: 3
    expect: [{check: duration, max_seconds: 2}]
"""
PROJECT = "version: 1\nexecution: {settle_seconds: 120, linger_seconds: 200}\n"
GENEROUS_CENTS = 2_000
TIGHT_CENTS, DEAR_CENTS = 300, 20
"""As much as is expected, and calls that cost more, though no more than is thought possible: it is reached in the middle."""
MOST_SESSIONS = 6
SECONDS_BETWEEN = 600.0


def _tools(call: Conversation) -> set[str]:
    return {
        str(turn.content["name"]) for turn in call.turns if turn.role == "tool_call" and isinstance(turn.content, dict)
    }


def _says(call: Conversation, word: str) -> bool:
    return any(turn.role == "agent" and word in str(turn.content).lower() for turn in call.turns)


TRUTH: Mapping[str, Callable[[Conversation], bool]] = {
    "hours": lambda call: _says(call, "saturday"),
    "giraffe": lambda call: _says(call, "giraffe"),
    "nameless": lambda call: not _says(call, "larkfield"),
    "cancels": lambda call: "find_appointment" in _tools(call),
    "keeps": lambda call: "find_appointment" not in _tools(call),
    "brief": lambda call: call.duration_ms <= 2000,
}
"""By scenario: whether a call passes, worked out from what was said on it without any of the product's code."""

Faults = Sequence[Mapping[str, Any]]


def _some(dice: Random, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "after": dice.randrange(3),
        "every": dice.randint(1, 2),
        "times": dice.randint(1, 3),
        **fields,
    }


def _reads(dice: Random, kind: str, **fields: Any) -> list[dict[str, Any]]:
    routes = ("list", "batches", "call", "transcript", "history", "grade", "agent", "billing")
    return [
        {"kind": kind, "route": route, "probability": 0.3, "times": dice.randint(1, 6), **fields} for route in routes
    ]


FAULTS: Mapping[str, Callable[[Random], Faults]] = {
    "none": lambda _: [],
    "lost_answer": lambda dice: [_some(dice, "lost_answer")],
    "lost_answer to reads": lambda dice: _reads(dice, "lost_answer"),
    "error_before": lambda dice: [_some(dice, "error_before", status=dice.choice([500, 502, 503, 504]))],
    "error_before reads": lambda dice: _reads(dice, "error_before"),
    "error_after": lambda dice: [_some(dice, "error_after", status=dice.choice([500, 502, 503, 504]))],
    "slow": lambda dice: [_some(dice, "slow", route="any", seconds=dice.uniform(1, 90), times=20)],
    "garbage (HTML)": lambda dice: [_some(dice, "garbage")],
    "garbage (cut)": lambda dice: [_some(dice, "garbage", body="cut")],
    "garbage in reads": lambda dice: _reads(dice, "garbage", body=dice.choice(["html", "cut"])),
    "throttle": lambda dice: [_some(dice, "throttle", times=dice.randint(1, 12))],
    "throttle (Retry-After)": lambda dice: [_some(dice, "throttle", retry_after_seconds=dice.randint(0, 90))],
    "no_balance": lambda dice: [_some(dice, "no_balance")],
    "hang": lambda dice: [_some(dice, "hang", runs=1, times=1)],
    "fail_run": lambda dice: [_some(dice, "fail_run", runs=dice.randint(1, 3))],
    "late": lambda dice: [
        {"kind": "late", "seconds": dice.uniform(1, 300), "what": dice.sample(["call_id", "transcript", "grade"], 2)}
    ],
    "shuffle_ids": lambda _: [{"kind": "shuffle_ids"}],
    "foreign_runs": lambda dice: [_some(dice, "foreign_runs", route="list", count=dice.randint(1, 200), times=4)],
    "foreign_runs (identical)": lambda dice: [_some(dice, "foreign_runs", route="list", identical=True)],
    "agent_edit": lambda dice: [_some(dice, "agent_edit", agent_id=12)],
    "all together": lambda dice: [
        {"kind": "lost_answer", "probability": 0.15},
        {"kind": "error_before", "probability": 0.1},
        {"kind": "error_after", "probability": 0.1},
        {"kind": "garbage", "body": "cut", "probability": 0.05},
        {"kind": "throttle", "probability": 0.15},
        {"kind": "throttle", "probability": 0.1, "retry_after_seconds": dice.randint(0, 30)},
        {"kind": "no_balance", "probability": 0.05},
        {"kind": "slow", "route": "any", "probability": 0.1, "seconds": dice.uniform(1, 30)},
        {"kind": "late", "seconds": dice.uniform(1, 120), "probability": 0.3},
        {"kind": "fail_run", "runs": 1, "probability": 0.1},
        {"kind": "shuffle_ids", "probability": 0.5},
        {"kind": "foreign_runs", "route": "list", "count": dice.randint(1, 60), "every": 7, "times": 5},
        {"kind": "agent_edit", "agent_id": 14, "probability": 0.2},
        {"kind": "error_before", "route": "any", "probability": 0.05},
        {"kind": "lost_answer", "route": "any", "probability": 0.03},
        {"kind": "garbage", "route": "any", "probability": 0.03},
    ],
}
"""Every kind that there is, on launches and on reads, scheduled by the dice; `hang` is not among all together, since what
never ends can never be complete."""


@dataclass
class Met:
    """What became of the plan. `complete`: nothing is left to do, or a ceiling of ours left no more."""

    runs: int = 0
    duplicates: int = 0
    lost: int = 0
    wrong_passes: int = 0
    over_ceiling: int = 0
    complete: bool = False
    sessions: int = 0
    unexpected: list[str] = field(default_factory=list[str])


def meet(folder: Path, faults: Faults, seed: int) -> Met:
    """Both shapes of runs by turns, and every fourth time a ceiling that is too low for all."""
    tight = seed % 4 == 3
    cents_a_minute = DEAR_CENTS if tight else 8
    world = {
        "seed": seed,
        "concurrency_limit": 2 + seed % 5,
        "rates": {"spark": cents_a_minute, "bolt": cents_a_minute},
    }
    service = Organization(folder, world, tuple(faults), like_client=bool(seed // 2 % 2))
    service.write("plans/faulty.yaml", PLAN)
    service.write("planner.yaml", PROJECT)
    ceiling_cents = TIGHT_CENTS if tight else GENEROUS_CENTS
    met = Met()
    while met.sessions < MOST_SESSIONS and not met.complete:
        met.sessions += 1
        ran = service.run(max_cost_cents=ceiling_cents)
        if ran.code not in (0, 1, 3, 4):
            met.unexpected.append(f"exit {ran.code}: {ran.err[-400:]}")
        document = service.results()
        met.complete = document["finished"] or (tight and any("--max-cost" in line for line in document["problems"]))
        service.seconds += SECONDS_BETWEEN
    _compare(service, met, tight=tight)
    met.over_ceiling = int(sum(service.charged().values()) > ceiling_cents)
    return met


def _compare(service: Organization, met: Met, *, tight: bool) -> None:
    state = service.sandbox.state
    own = {run.id: run for run in state.runs if run.requested_by_id == OWN_USER_ID}
    made = Counter((run.target_id, run.prompt) for run in own.values() if not run.error_message)
    met.runs = sum(made.values())
    document = service.results()
    wanted = {
        (case["inputs"]["target_id"], case["inputs"]["prompt"]): case["runs_required"] for case in document["cases"]
    }
    met.duplicates = sum(max(0, count - wanted[key]) for key, count in made.items())
    if met.complete and not tight:
        met.lost = sum(max(0, count - made[key]) for key, count in wanted.items())
    for case in document["cases"]:
        passes = TRUTH[case["scenario"]]
        for run in case["runs"]:
            mine = own.get(run["run_id"])
            passed = mine is not None and not mine.error_message and passes(mine.conversation)
            if run["outcome"] == "passed" and not passed:
                met.wrong_passes += 1
            if run["outcome"] == "failed" and passed:
                met.unexpected.append(f"{case['case_id']}: run {run['run_id']} passes, and is said to fail")
    noted = {run_id: cents for run_id, cents in service.noted().items() if cents is not None}
    if met.complete and noted != {run_id: own[run_id].cost_cents for run_id in noted}:
        met.unexpected.append("the journal's bills are not the service's")
