"""Seeded stories of an organisation: several repositories, faults, coordinators that die anywhere or stand still and wake.

`tests/benchmarks/organisations.py` runs more of them than the gate does.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from mortality import Life
from organisations import Organisation, WithMethods

from planner.organisation.coordinator import coordinate
from planner.organisation.states import ConsentState
from planner.organisation.tables import FencedError
from tests.execution.conftest import make_work  # pyright: ignore[reportMissingImports]

FAULTS = [
    {"kind": "lost_answer"},
    {"kind": "throttle"},
    {"kind": "throttle", "retry_after_seconds": 3},
    {"kind": "error_after"},
    {"kind": "error_before"},
    {"kind": "garbage"},
    {"kind": "slow", "seconds": 20},
    {"kind": "error_before", "route": "list"},
    {"kind": "shuffle_ids"},
    {"kind": "late", "seconds": 5},
]
GATE_SEEDS = range(8)


async def story(seed: int, make: Callable[..., Organisation]) -> Counter[str]:
    """One story; what happened in it."""
    chance = random.Random(seed)  # noqa: S311 - the same story every time
    faults = [
        {**chance.choice(FAULTS), "times": chance.randint(1, 3), "after": chance.randint(0, 4)}
        for _ in range(chance.randint(0, 3))
    ]
    organisation = make(*faults, concurrency_limit=chance.randint(1, 6), dialect=chance.choice(["page", "client"]))
    happened: Counter[str] = Counter()
    names = ["ana", "bob", "cleo", "dan"]
    for number in range(1, chance.randint(2, 4) + 1):
        jobs = [make_work(name, runs=chance.randint(1, 3)) for name in chance.sample(names, chance.randint(1, 2))]
        organisation.submit(number, *jobs, repository=f"r{number % 3}")
    await organisation.begin()
    async with anyio.create_task_group() as zombies:
        for _ in range(chance.randint(0, 3)):
            if chance.random() < 0.4:
                zombies.start_soon(stand_still, organisation, chance.uniform(20.0, 90.0))
                happened["stood still"] += 1
                await anyio.sleep(chance.uniform(1.0, 60.0))
            elif await organisation.work(Life(dies_at=chance.randint(1, 60))):
                happened["died"] += 1
        await organisation.work()
        await anyio.sleep(200.0)
        zombies.cancel_scope.cancel()
    rows = organisation.tables.consents()
    assert {row["state"] for row in rows} == {ConsentState.ENDED.value}, seed
    assert all(organisation.outcome(row["consent_id"]).finished for row in rows), seed
    await organisation.check_exact()
    happened["calls"] += len(await organisation.service.own_runs())
    return happened


async def stand_still(organisation: Organisation, seconds: float) -> None:
    """A coordinator without a heartbeat, each of whose launches waits before it leaves."""
    for _ in range(40):  # until the lease of one that died is over
        if (epoch := organisation.tables.take("still", "0")) is not None:
            break
        await anyio.sleep(1.0)
    else:
        return  # another one is at work
    worker = organisation.worker(Life())
    launch = worker.provider.launch

    async def late(*arguments: Any, **more: Any) -> Any:
        await anyio.sleep(seconds)
        return await launch(*arguments, **more)

    object.__setattr__(worker, "provider", WithMethods(worker.provider, launch=late))
    try:
        await coordinate(worker, epoch, anyio.Event())
    except FencedError:
        organisation.log.append("fenced")


@pytest.mark.anyio
@pytest.mark.parametrize("seed", GATE_SEEDS)
async def test_every_call_is_made_exactly_once(make_organisation: Callable[..., Organisation], seed: int) -> None:
    await story(seed, make_organisation)
