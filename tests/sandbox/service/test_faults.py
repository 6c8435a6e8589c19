"""Faults on demand: each kind, its schedule, and that what was done is what the ledger says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from planner.sandbox import World
from planner.sandbox.worlds.faults import Fault, FaultSpec
from tests.sandbox.conftest import Bench, Clock, bench_of  # pyright: ignore[reportMissingImports]


async def test_lost_answer(bench: Bench) -> None:
    """The request is carried out, the answer never comes. A refused launch does not use it up."""
    await bench.control(faults=[{"kind": "lost_answer", "times": 1}])
    assert (await bench.start(target_id=999)).status_code == 404
    with pytest.raises(httpx.TransportError):
        await bench.start()
    assert (await bench.start()).json()["id"] == 7111
    assert [run["id"] for run in await bench.runs()] == [7111, 7110]


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    [
        ({"kind": "error_before", "status": 502}, 502, 0),
        ({"kind": "error_after"}, 503, 1),
        ({"kind": "garbage", "body": "html"}, 201, 1),
        ({"kind": "garbage", "body": "cut"}, 201, 1),
        ({"kind": "slow", "seconds": 0.01}, 201, 1),
        ({"kind": "throttle", "route": "any"}, 429, 0),
        ({"kind": "throttle", "retry_after_seconds": 7}, 429, 0),
        ({"kind": "no_balance"}, 402, 0),
    ],
)
async def test_a_fault_of_an_exchange(bench: Bench, fault: dict[str, Any], status: int, made: int) -> None:
    """The request is carried out or not, and answered wrongly, once."""
    await bench.control(faults=[{**fault, "times": 1, "after": 1}])
    assert (await bench.start()).status_code == 201
    response = await bench.start()
    assert response.status_code == status
    assert response.headers.get("retry-after") == ("7" if "retry_after_seconds" in fault else None)
    if fault["kind"] == "garbage":
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            response.json()
        assert response.headers["content-type"].startswith(
            "text/html" if fault["body"] == "html" else "application/json"
        )
    else:
        assert response.json()
    assert len(await bench.runs()) == 1 + made
    assert (await bench.start()).status_code == 201


async def test_hang(bench: Bench) -> None:
    """A run that never ends holds its place and is never billed; the others of its batch go on."""
    await bench.control(faults=[{"kind": "hang", "times": 1, "runs": 1}])
    await bench.start_batch(run_count=2, stagger_seconds=0)
    bench.clock.advance(86_400)
    assert [run["status"] for run in await bench.runs()] == ["completed", "in_progress"]
    row = await bench.get("/v1/test-call-batches/201")
    call = await bench.get("/v1/calls/987654321")
    assert (row["status"], row["completed_runs"], row["completed_at"]) == ("in_progress", 1, None)
    assert (call["status"], call["billing_total_cents"], call["grade_status"]) == ("in_progress", None, None)
    assert len(bench.sandbox.state.live_runs(bench.clock())) == 1
    ledger: Any = bench.sandbox.ledger()
    assert ledger["runs"][0]["cost_cents"] == 0


async def test_late(bench: Bench) -> None:
    """Call ids, transcripts and grades come later than the end, by the clock."""
    await bench.control(faults=[{"kind": "late", "seconds": 60, "times": 1}])
    await bench.start()
    bench.clock.talk(400)
    (run,) = await bench.runs()
    assert (run["status"], run["call_id"]) == ("completed", None)
    bench.clock.advance(53.5)
    (run,) = await bench.runs()
    assert run["call_id"] == 987654321
    assert (await bench.get("/v1/calls/987654321/transcript"))["transcripts"] == []
    assert (await bench.get("/v1/calls/987654321/grade"))["status"] == "pending"
    bench.clock.advance(10)
    assert (await bench.get("/v1/calls/987654321/transcript"))["transcripts"]
    assert (await bench.get("/v1/calls/987654321/grade"))["status"] == "completed"


async def test_time_goes_by_at_once(tmp_path: Path) -> None:
    """Calls end, what is late comes, and answers carry the new time: as if somebody had waited, also after a restart."""
    state = tmp_path / "state.jsonl"
    async with bench_of(state_path=state, now=Clock()) as bench:
        await bench.control(faults=[{"kind": "late", "seconds": 3600, "what": ["grade"]}])
        await bench.start()
        assert [run["status"] for run in await bench.runs()] == ["queued"]
        assert (await bench.control(advance_seconds=60))["ahead_seconds"] == 60
        (run,) = await bench.runs()
        assert run["status"] == "completed"
        assert (await bench.get(f"/v1/calls/{run['call_id']}/grade"))["status"] == "pending"
        assert (await bench.control(advance_seconds=3600))["ahead_seconds"] == 3660
        assert (await bench.get(f"/v1/calls/{run['call_id']}/grade"))["status"] == "completed"
    async with bench_of(state_path=state, now=Clock()) as bench:
        response = await bench.http.get("/v1/healthz")
        assert response.headers["date"] == "Wed, 25 Nov 2026 13:01:00 GMT"
        assert await bench.runs() == [run]


async def test_shuffled_ids(bench: Bench) -> None:
    """Ids do not follow the prompts any more, but every prompt has its run."""
    await bench.control(faults=[{"kind": "shuffle_ids", "times": 1}])
    prompts = [f"Ask about item {number}." for number in range(10)]
    row = (await bench.start_batch(run_count=10, scenario_prompts=prompts)).json()
    by_id = {run["id"]: run["scenario_prompt"] for run in await bench.runs()}
    assert sorted(row["run_ids"]) == sorted(by_id)
    assert row["run_ids"] != sorted(row["run_ids"])
    assert [by_id[run_id] for run_id in row["run_ids"]] == prompts
    ordered = (await bench.start_batch(run_count=10, scenario_prompts=prompts)).json()["run_ids"]
    assert ordered == sorted(ordered)


async def test_foreign_runs_between_pages(bench: Bench) -> None:
    """Somebody else's runs appear between two pages of the list; the ledger distinguishes them."""
    await bench.start(scenario_prompt="mine")
    await bench.control(faults=[{"kind": "foreign_runs", "route": "list", "after": 1, "times": 1, "count": 2}])
    assert [run["id"] for run in await bench.runs(limit=1)] == [7110]
    assert [run["id"] for run in await bench.runs(limit=1, offset=1)] == [7111]
    ledger: Any = bench.sandbox.ledger()
    assert [run["foreign"] for run in ledger["runs"]] == [False, True, True]
    assert ledger["foreign_cents"] == sum(run["cost_cents"] for run in ledger["runs"] if run["foreign"]) > 0


async def test_identical_foreign_runs(bench: Bench) -> None:
    """Somebody else may ask for the very same."""
    await bench.start(scenario_prompt="mine", target_number="+14155550123")
    await bench.control(foreign_runs={"count": 1, "identical": True})
    theirs, mine = await bench.runs()
    same = ("target_type", "target_id", "direction", "mode", "scenario_prompt", "target_number")
    assert [theirs[field] for field in same] == [mine[field] for field in same]


async def test_agent_edited_in_the_middle() -> None:
    """From the launch on at which the fault strikes, the agent is another."""
    async with bench_of("regressed") as bench:
        await bench.control(faults=[{"kind": "agent_edit", "agent_id": 14, "revision": 3, "after": 1, "times": 1}])
        prompt = "You are Ana Ruiz, calm. Ask how many days you have to return order 12345."
        before, after = [await bench.finished(target_id=14, scenario_prompt=prompt) for _ in range(2)]
        texts = [str(await bench.get(f"/v1/calls/{run['call_id']}/transcript")) for run in (before, after)]
        assert ["30 days" in text for text in texts] == [False, True]
        assert (await bench.get("/v1/agents/14"))["updated_at"] > "2026-11-25T12"


async def test_faults_of_a_world_file_hold_across_restarts(demo: World, tmp_path: Path) -> None:
    """`times` counts what happened before a restart, too."""
    faults = (FaultSpec(kind="error_before", times=2), FaultSpec(kind="hang", times=1))
    world = demo.model_copy(update={"faults": faults})
    statuses: list[int] = []
    hanging: list[int] = []
    for _ in range(3):
        async with bench_of(world, state_path=tmp_path / "state.jsonl", now=Clock()) as bench:
            statuses += [(await bench.start()).status_code for _ in range(2)]
            hanging = [run.id for run in bench.sandbox.state.runs if run.ends_at is None]
    assert statuses == [503, 503, 201, 201, 201, 201]
    assert hanging == [7110]


async def test_control_lists_active_faults_and_settings(bench: Bench) -> None:
    """GET and POST answer what is in force; faults can be cleared."""
    await bench.control(faults=[{"kind": "error_before"}], concurrency_limit=3)
    await bench.start()
    state = await bench.get("/_sandbox/control")
    assert state == {
        "world": "demo",
        "faults": [{"key": "control:0:error_before", "seen": 1, "fired": 1}],
        "concurrency_limit": 3,
        "ahead_seconds": 0,
        "live_runs": 0,
        "balance_cents": 50_000,
    }
    assert (await bench.control(clear_faults=True))["faults"] == []
    assert (await bench.start()).status_code == 201


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"faults": [{"kind": "meteor"}]}, "faults"),
        ({"faults": [{"kind": "agent_edit"}]}, "faults"),
        ({"faults": [{"kind": "agent_edit", "agent_id": 1}]}, "detail"),
        ({"deploy": {"agent_id": 14, "revision": 9}}, "detail"),
        ({"mood": "stormy"}, "mood"),
        ({"advance_seconds": -1}, "advance_seconds"),
        ([], "non_field_errors"),
    ],
)
async def test_control_rejects_unknown_fields(bench: Bench, body: Any, place: str) -> None:
    """A wrong order to the sandbox is refused with its place, and changes nothing."""
    response = await bench.http.post("/_sandbox/control", json=body)
    assert (response.status_code, list(response.json())) == (400, [place])
    assert (await bench.get("/_sandbox/control"))["faults"] == []


def _struck(**schedule: Any) -> list[int]:
    fault = Fault("k", FaultSpec(kind="slow", **schedule), seed=5)
    return [number for number in range(1, 21) if fault.fires()]


def test_schedules() -> None:
    """`after`, `every` and `times` together; the default strikes always."""
    assert _struck() == list(range(1, 21))
    assert _struck(times=2) == [1, 2]
    assert _struck(after=3, every=5) == [4, 9, 14, 19]
    assert _struck(after=3, every=5, times=2) == [4, 9]


def test_probability_is_seeded() -> None:
    """With a probability the same requests are struck every time, about as many as asked."""
    assert _struck(probability=0.3) == _struck(probability=0.3)
    fault = Fault("k", FaultSpec(kind="slow", probability=0.3), seed=1)
    assert 230 < sum(fault.fires() for _ in range(1000)) < 370
