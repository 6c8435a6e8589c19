"""The state file of `planner run --sandbox`: restarts, a torn last line, other worlds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.sandbox import Sandbox, StateFileError, load_world
from tests.sandbox.conftest import Bench, Clock, bench_of  # pyright: ignore[reportMissingImports]

RETURN_WINDOW = "You are Ana Ruiz. Ask how many days you have to return order 12345."


async def _everything(bench: Bench) -> list[Any]:
    calls = [run["call_id"] for run in await bench.runs() if run["call_id"]]
    return [
        await bench.runs(),
        await bench.get("/v1/test-call-batches"),
        await bench.get("/v1/billing"),
        await bench.get("/v1/agents"),
        *[await bench.get(f"/v1/calls/{call_id}{part}") for call_id in calls for part in ("", "/transcript", "/grade")],
    ]


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """A sandbox built again on the same state file answers the same, and ids continue."""
    state, clock = tmp_path / "state.jsonl", Clock()
    async with bench_of(state_path=state, clock=clock) as bench:
        await bench.start(target_id=14, scenario_prompt=RETURN_WINDOW)
        await bench.start_batch(mode="sip")
        await bench.http.post("/v1/agents/14/duplicate", json={})
        await bench.http.patch("/v1/agents/12", json={"prompt": "Edited."})
        clock.talk(700)
        await bench.http.post("/v1/calls/987654321/grade")
        clock.talk(700)
        before = await _everything(bench)
        ledger = bench.sandbox.ledger()
    async with bench_of(state_path=state, clock=clock) as bench:
        assert await _everything(bench) == before
        assert bench.sandbox.ledger() == ledger
        run = (await bench.start()).json()
    assert run["id"] == 7116


@pytest.mark.parametrize("kept", [1, 40, -1])
async def test_torn_last_line(tmp_path: Path, kept: int) -> None:
    """A line cut by a kill was never acknowledged: it is forgotten, and the next launch is whole."""
    state = tmp_path / "state.jsonl"
    async with bench_of(state_path=state) as bench:
        await bench.start()
        whole = state.read_bytes()
        await bench.start(scenario_prompt="Ask when you open.")
        state.write_bytes(whole + state.read_bytes()[len(whole) :][:kept])
    async with bench_of(state_path=state) as bench:
        assert [run["id"] for run in await bench.runs()] == [7110]
        await bench.start(scenario_prompt="Ask when you open.")
    async with bench_of(state_path=state) as bench:
        assert [run["id"] for run in await bench.runs()] == [7111, 7110]


async def test_another_world_on_the_same_state(tmp_path: Path) -> None:
    """Old calls read as before, new ones are the new world's, and agents of the other world do not exist."""
    state, clock, demo = tmp_path / "state.jsonl", Clock(), load_world("demo")
    agents = {**demo.agents, 101: demo.agents[12]}
    async with bench_of(state_path=state, clock=clock, agents=agents) as bench:
        old = await bench.finished(target_id=14, scenario_prompt=RETURN_WINDOW)
        before = await bench.get(f"/v1/calls/{old['call_id']}/transcript")
        await bench.http.patch("/v1/agents/101", json={"prompt": "Be brief."})
        copied = (await bench.http.post("/v1/agents/101/duplicate", json={"name": "a copy"})).json()["id"]
    async with bench_of("regressed", state_path=state, clock=clock) as bench:
        new = await bench.finished(target_id=14, scenario_prompt=RETURN_WINDOW)
        assert await bench.get(f"/v1/calls/{old['call_id']}/transcript") == before
        after = await bench.get(f"/v1/calls/{new['call_id']}/transcript")
        assert [agent["id"] for agent in await bench.get("/v1/agents")] == sorted(demo.agents)
        for agent_id in (101, copied):
            assert (await bench.http.get(f"/v1/agents/{agent_id}")).status_code == 404
    assert ("30 days" in json.dumps(before), "14 days" in json.dumps(after)) == (True, True)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    state.write_text('{"at": "noon"}\n', encoding="utf-8")
    with pytest.raises(StateFileError, match="line 1 of"):
        Sandbox(load_world("demo"), state_path=state)
