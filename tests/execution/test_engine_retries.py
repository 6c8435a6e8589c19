"""Runs that the platform failed are retried as often as their case allows, and only if the budget covers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.evidence import RunStatus
from planner.execution.engine import EngineSettings
from planner.execution.observer import EndedRun

FAILS = {"kind": "fail_run", "count": 1, "times": 1}


def platform_failed(record: EndedRun) -> bool:
    return record.evidence is not None and record.evidence.run_status is RunStatus.FAILED


@pytest.fixture
def retried(job: Callable[..., Any]) -> Callable[..., Any]:
    def build(name: str, *, retries: int, **fields: Any) -> Any:
        return replace(job(name, **fields), retries=retries)

    return build


async def test_a_platform_failure_is_retried(make_service: Callable[..., Any], retried: Callable[..., Any]) -> None:
    """Both runs are reported, and the case has the number of runs that it asks for."""
    service = make_service([FAILS])
    done = await service.invoke([retried("ana", retries=1)], on_run=platform_failed)
    assert done.outcome.finished
    assert [platform_failed(record) for record in done.records] == [True, False]
    assert len(await service.own_runs()) == 2
    assert any("retrying" in line for line in done.narration)


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (1, 2), (2, 3)])
async def test_retries_are_limited(
    make_service: Callable[..., Any], retried: Callable[..., Any], retries: int, calls: int
) -> None:
    service = make_service([{"kind": "fail_run"}])
    done = await service.invoke([retried("ana", retries=retries)], on_run=platform_failed)
    assert done.outcome.finished
    assert len(await service.own_runs()) == calls


async def test_an_agent_failure_is_not_retried(make_service: Callable[..., Any], retried: Callable[..., Any]) -> None:
    """Only the observer knows why a run failed: a run that it does not report as a platform failure is not retried."""
    service = make_service([FAILS])
    await service.invoke([retried("ana", retries=3)])
    assert len(await service.own_runs()) == 1


async def test_a_retry_keeps_to_the_ceiling(make_service: Callable[..., Any], retried: Callable[..., Any]) -> None:
    """The budget covers one call: the retry is left and reported."""
    service = make_service([FAILS])
    jobs = [retried("ana", retries=1), retried("bob", retries=1, target=17)]
    done = await service.invoke(jobs, on_run=platform_failed, ceilings=[(30, None)])
    assert done.outcome.ceiling
    assert sum(done.outcome.left.values()) == 1
    assert (await service.ledger())["total_cents"] <= 30


async def test_a_crash_at_any_boundary_pays_for_no_retry_twice(
    make_service: Callable[..., Any], retried: Callable[..., Any], lethal: Callable[..., Any]
) -> None:
    """Killed after any effect of a run that fails and is retried, with retries left: one failure causes one retry,
    whichever session sees it."""
    jobs, died = [retried("ana", retries=3)], 0
    settings = EngineSettings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
    options: dict[str, Any] = {"settings": settings, "on_run": platform_failed}
    async for service in lethal(lambda: make_service([FAILS]), jobs, lambda: options):
        done = await service.invoke(jobs, **options)
        assert done.outcome.finished, died
        made = await service.own_runs()
        assert len(made) == 2, died
        assert {record.run_id for record in done.records} == {run["run_id"] for run in made}
        died += 1
    assert died > 8
