"""Under every fault of the service, each run is paid for once, and the journal's money equals the service's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from planner.execution.jobs import Settings

ONCE: dict[str, Any] = {"times": 1}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "lost answer to a batch": [{"kind": "lost_answer", **ONCE}],
    "lost answer to a single": [{"kind": "lost_answer", "after": 2, **ONCE}],
    "several lost answers": [{"kind": "lost_answer", "times": 3, "every": 2}],
    "lost answers to reads": [{"kind": "lost_answer", "route": "list", "times": 3}],
    "5xx before the work": [{"kind": "error_before", "status": 502, **ONCE}],
    "5xx after the work": [{"kind": "error_after", "status": 500, "times": 2}],
    "5xx to every kind of read": [
        {"kind": "error_before", "route": route, "times": 2}
        for route in ("list", "batches", "call", "transcript", "history", "grade")
    ],
    "slow answers": [{"kind": "slow", "route": "any", "seconds": 7, "every": 3}],
    "HTML instead of JSON": [{"kind": "garbage", **ONCE}],
    "JSON cut in the middle": [{"kind": "garbage", "body": "cut", "times": 2}],
    "garbage in reads": [
        {"kind": "garbage", "route": "list", "times": 2},
        {"kind": "garbage", "route": "call", "body": "cut", "times": 2},
    ],
    "429 without Retry-After": [{"kind": "throttle", "times": 5}],
    "429 with Retry-After": [{"kind": "throttle", "times": 3, "retry_after_seconds": 11}],
    "429 with Retry-After: 0": [{"kind": "throttle", "times": 6, "retry_after_seconds": 0}],
    "429 to reads": [{"kind": "throttle", "route": "list", "times": 2, "retry_after_seconds": 2}],
    "late everything": [{"kind": "late", "seconds": 20}],
    "shuffled ids": [{"kind": "shuffle_ids"}],
    "shuffled ids and a lost answer": [{"kind": "shuffle_ids"}, {"kind": "lost_answer", **ONCE}],
    "foreign runs between pages": [{"kind": "foreign_runs", "route": "list", "count": 150, "times": 4}],
    "runs that fail without a call": [{"kind": "fail_run", "runs": 1, "times": 1}],
    "an agent edited in the middle": [{"kind": "agent_edit", "agent_id": 12, "after": 1, "times": 1}],
    "everything at once": [
        {"kind": "lost_answer", "every": 3, "times": 2},
        {"kind": "error_after", "after": 1, "every": 4, "times": 1},
        {"kind": "throttle", "after": 2, "every": 5, "times": 2},
        {"kind": "shuffle_ids"},
        {"kind": "late", "seconds": 5},
        {"kind": "error_before", "route": "any", "probability": 0.1, "times": 20},
        {"kind": "foreign_runs", "route": "list", "count": 30, "every": 5, "times": 4},
    ],
}


@pytest.mark.parametrize(
    ("dialect", "faults"), list(zip(cycle(("page", "client")), FAULTS.values(), strict=False)), ids=FAULTS.keys()
)
async def test_each_run_is_paid_for_once_under_every_fault(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str, faults: list[dict[str, Any]]
) -> None:
    """One session handles a fault of the service: each wanted run is made once, and its cost is known to the cent."""
    service = make_service(dialect, faults)
    jobs = [
        job("ana", runs=3),
        job("bob", runs=2),
        job("cleo", runs=2, target=17),
        job("dan", target=14),
        job("eve", target=77, target_type="phone_number"),
    ]
    done = await service.invoke(jobs, settings=Settings(linger_seconds=700))
    assert done.outcome.finished, done.outcome
    assert len(done.records) == 9
    await service.check_exact(jobs)
