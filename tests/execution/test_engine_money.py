"""Ceilings: spent, reserved and unconfirmed money counts, and nothing is launched that could exceed one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pydantic_core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.execution.engine import EngineSettings


async def spent(service: Any) -> int:
    return sum(run["cost_cents"] for run in await service.own_runs())


async def test_launching_stops_at_the_ceiling_and_reports_the_rest(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Six calls of 16 cents fit under a dollar. The rest is left, by case, and the ceiling is named."""
    service = make_service()
    done = await service.invoke(
        [job("ana", runs=5, reserve_cents=16, expected_seconds=50.0), job("bob", runs=5, reserve_cents=16)],
        ceilings=[(100, None)],
    )
    assert await spent(service) == 96
    assert not done.outcome.finished
    assert done.outcome.left == {"p/bob@t": 4}
    assert done.outcome.ceiling == "ceiling of all"
    assert len(done.records) == 6  # what was launched is collected


@pytest.mark.parametrize(("ceiling_cents", "surprise_cents"), [(1000, 0), (100, 5 * (48 - 16))])
async def test_a_bill_above_its_reservation_raises_later_ones(
    make_service: Callable[..., Any], job: Callable[..., Any], ceiling_cents: int, surprise_cents: int
) -> None:
    """40 calls estimated at 16 cents cost 48 each, five at a time: only the first five exceed their reservation."""
    service = make_service(rates={"spark": 24, "bolt": 12})
    jobs = [job(f"case{number}", runs=4, reserve_cents=16) for number in range(10)]
    five = EngineSettings(max_concurrent_runs=5)
    done = await service.invoke(jobs, ceilings=[(ceiling_cents, None)], settings=five)
    runs = await service.own_runs()
    assert {run["cost_cents"] for run in runs} == {48}
    assert await spent(service) <= ceiling_cents + surprise_cents
    assert len(runs) == max(5, ceiling_cents // 48)
    assert sum(done.outcome.left.values()) == 40 - len(runs)
    again = await service.invoke(jobs, ceilings=[(ceiling_cents + 100, None)], settings=five)
    assert await spent(service) <= max(ceiling_cents + 100, 5 * 48)
    assert again.outcome.ceiling


async def test_a_resumed_session_reserves_what_calls_have_cost(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The first session ends after one call. The second knows its bill before it launches anything."""
    service = make_service(rates={"spark": 24, "bolt": 12})
    jobs = [job("ana", runs=40, reserve_cents=16)]
    await service.invoke(jobs, ceilings=[(31, None)])
    assert await spent(service) == 48
    done = await service.invoke(jobs, ceilings=[(150, None)])
    assert await spent(service) == 144  # at 16 cents each, six more would have been launched at once
    assert done.outcome.left == {"p/ana@t": 37}


async def test_a_plans_budget_limits_that_plan_only(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The calls of the other plan are made, whichever plan comes first."""
    service = make_service()
    jobs = [
        job("ana", runs=4, plan="a", reserve_cents=16, expected_seconds=90.0),
        job("bob", runs=3, plan="b", reserve_cents=16),
    ]
    done = await service.invoke(jobs, ceilings=[(1000, None), (40, "a")])
    assert done.outcome.left == {"p/ana@t": 2}
    assert done.outcome.ceiling == "ceiling a"
    assert len(done.records) == 5


async def test_calls_of_unknown_price_go_one_at_a_time_until_one_is_known(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """After the first bill, the others are launched together, each reserved at that bill plus a quarter."""
    service = make_service()
    done = await service.invoke([job("ana", runs=4, reserve_cents=None)], ceilings=[(100, None)])
    runs = await service.own_runs()
    assert len(runs) == 4
    assert runs[1]["created_at"] >= runs[0]["ended_at"]
    assert runs[1]["created_at"] == runs[3]["created_at"]
    assert done.outcome.finished


async def test_a_late_transcript_does_not_keep_everything_reserved(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A call of unknown price reserves everything that is left. When it ends, the service's estimate replaces the
    reservation, so others start while its evidence is awaited."""
    service = make_service([{"kind": "late", "what": ["transcript"], "seconds": 40, "times": 1}])
    jobs = [job("ana", runs=4, reserve_cents=None)]
    done = await service.invoke(jobs, ceilings=[(100, None)])
    first, *others = await service.own_runs()
    assert {first["ended_at"] < run["created_at"] < first["ended_at"] + 20 for run in others} == {True}
    assert done.outcome.finished
    last = done.snapshots[-1]
    assert (last.spent_cents, last.reserved_cents) == (await spent(service), 0)
    await service.check_exact(jobs)


async def test_earlier_sessions_spending_counts(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The same change set continues under the same ceiling; another has its own."""
    service = make_service()
    jobs = [job("ana", runs=3, reserve_cents=16)]
    await service.invoke(jobs, ceilings=[(20, None)])
    assert await spent(service) == 16
    done = await service.invoke(jobs, ceilings=[(40, None)])
    assert await spent(service) == 32
    assert done.outcome.left == {"p/ana@t": 1}
    await service.invoke(jobs, ceilings=[(20, None)], digest="sha256:2")
    assert await spent(service) == 48


async def test_unconfirmed_money_counts_as_spent(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """An unconfirmed launch keeps its reservation, and delays the session no longer than other unconfirmed launches."""
    service = make_service([{"kind": "error_before", "times": 1}])
    jobs = [job("ana", runs=1, target=17), job("bob", runs=2)]
    done = await service.invoke(jobs, ceilings=[(60, None)], settings=EngineSettings(linger_seconds=30))
    assert len(await service.own_runs()) == 2 - 1
    assert done.outcome.left == {"p/bob@t": 1}
    assert [launch.reserved_cents for launch in done.outcome.unsettled] == [24]
    assert not done.outcome.ceiling
    assert 30 <= done.seconds < 90
    done = await service.invoke(jobs, ceilings=[(72, None)], settings=EngineSettings(linger_seconds=700))
    assert done.outcome.finished
    await service.check_exact(jobs)


async def test_an_empty_balance_stops_launching(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """402: runs under way are collected, the rest is reported, and nothing more is launched."""
    service = make_service([{"kind": "no_balance", "after": 1}])
    jobs = [job("ana", runs=2, expected_seconds=90.0, target=14), job("bob", runs=3)]
    done = await service.invoke(jobs)
    assert done.outcome.refusal.startswith("no balance for test calls (402: Insufficient balance.")
    assert "Top up" in done.outcome.refusal
    assert len(done.records) == 2
    assert done.outcome.left == {"p/bob@t": 3}
    assert not done.outcome.unsettled
    await service.control(clear_faults=True)
    done = await service.invoke(jobs)
    assert done.outcome.finished
    assert [record.resumed for record in done.records].count(True) == 2
    await service.check_exact(jobs)


@pytest.mark.parametrize(("reserve_cents", "made"), [(40, 2), (None, 3)])
async def test_a_missing_bill_counts_as_its_reservation(
    make_service: Callable[..., Any], job: Callable[..., Any], reserve_cents: int | None, made: int
) -> None:
    """The reservation replaces the missing bill; if the price was unknown, the service's estimate does. The record
    says that the cost is unknown."""
    service = make_service()

    def without_bill(method: str, path: str, answer: Any) -> Any:
        if path == "/v1/billing/transactions":
            return replace_json(answer, results=[], total=0)
        return (
            replace_json(answer, billing_total_cents=None)
            if path.startswith("/v1/calls/") and path[10:].isdigit()
            else answer
        )

    done = await service.invoke(
        [job("ana", runs=3, reserve_cents=reserve_cents)],
        ceilings=[(110, None)],
        amend=without_bill,
        settings=EngineSettings(evidence_wait_seconds=5),
    )
    assert [record.slot.cost_cents for record in done.records] == [None] * made
    assert done.outcome.finished is (made == 3)


def replace_json(answer: Any, **fields: Any) -> Any:
    return replace(answer, body=pydantic_core.to_json({**pydantic_core.from_json(answer.body), **fields}))


CASES = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["a", "b"]), st.sampled_from([12, 17])), min_size=1, max_size=4
)


RARELY = EngineSettings(linger_seconds=700, poll_floor_seconds=20, poll_ceiling_seconds=20)
"""Fewer polls make the same decisions and take less real time."""


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=CASES, ceiling=st.integers(0, 250), budget=st.integers(0, 150), known=st.booleans(), faults=st.booleans())
async def test_no_ceiling_is_ever_exceeded(
    make_service: Callable[..., Any],
    job: Callable[..., Any],
    cases: list[tuple[int, str, int]],
    ceiling: int,
    budget: int,
    known: bool,
    faults: bool,
) -> None:
    """For any jobs and faults, the service charges no more than each ceiling in every session, and in the end
    everything that fits was made."""
    trouble = [{"kind": "lost_answer", "every": 3}, {"kind": "error_before", "after": 1, "every": 4}] if faults else []
    service = make_service(trouble, concurrency_limit=4)
    jobs = [
        job(f"c{n}", runs=runs, plan=plan, target=target, reserve_cents=24 if known else None)
        for n, (runs, plan, target) in enumerate(cases)
    ]
    plans = {item.case_id: item.plan for item in jobs}
    names = {item.prompt: plans[item.case_id] for item in jobs}
    for _ in range(2):
        done = await service.invoke(jobs, ceilings=[(ceiling, None), (budget, "a")], settings=RARELY)
        runs = await service.own_runs()
        if known:
            assert sum(run["cost_cents"] for run in runs) <= ceiling
            assert sum(run["cost_cents"] for run in runs if names[run["prompt"]] == "a") <= budget
        assert len(runs) + sum(done.outcome.left.values()) == sum(item.runs for item in jobs)
        assert bool(done.outcome.left) == bool(done.outcome.ceiling)
