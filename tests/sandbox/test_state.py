"""The state file: restarts, a torn last line, and several processes."""

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
        *[await bench.get(f"/v1/calls/{call_id}{part}") for call_id in calls for part in ("", "/transcript", "/grade")],
    ]


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """A sandbox built again on the same state file answers the same, and ids continue."""
    state, clock = tmp_path / "deep" / "state.jsonl", Clock()
    async with bench_of(state_path=state, now=clock) as bench:
        await bench.start(target_id=14, scenario_prompt=RETURN_WINDOW)
        await bench.start_batch(mode="sip")
        await bench.control(top_up_cents=7)
        clock.talk(700)
        await bench.http.post("/v1/calls/987654321/grade")
        clock.talk(700)
        before = await _everything(bench)
        ledger = bench.sandbox.ledger()
    async with bench_of(state_path=state, now=clock) as bench:
        assert await _everything(bench) == before
        assert bench.sandbox.ledger() == ledger
        run = (await bench.start()).json()
    assert run["id"] == 7116


async def test_an_answer_is_on_disk_before_it_is_given(tmp_path: Path) -> None:
    """Every accepted launch is a line of the file by the time its answer is there."""
    state = tmp_path / "state.jsonl"
    async with bench_of(state_path=state) as bench:
        await bench.start()
        runs = [json.loads(line)["runs"] for line in state.read_bytes().splitlines()]
        assert [[run["id"] for run in each] for each in runs] == [[7110]]
        await bench.start(consent_to_charge=False)
        assert len(state.read_bytes().splitlines()) == 1


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


async def test_old_runs_do_not_change(tmp_path: Path) -> None:
    """With another world on the same state, old calls read as before, and new ones are the new world's."""
    state, clock = tmp_path / "state.jsonl", Clock()
    async with bench_of("demo", state_path=state, now=clock) as bench:
        old = await bench.finished(target_id=14, scenario_prompt=RETURN_WINDOW)
        before = await bench.get(f"/v1/calls/{old['call_id']}/transcript")
    async with bench_of("regressed", state_path=state, now=clock) as bench:
        new = await bench.finished(target_id=14, scenario_prompt=RETURN_WINDOW)
        assert await bench.get(f"/v1/calls/{old['call_id']}/transcript") == before
        after = await bench.get(f"/v1/calls/{new['call_id']}/transcript")
    assert "30 days" in json.dumps(before)
    assert "14 days" in json.dumps(after)
    assert "lookup_order" not in json.dumps(after)


async def test_agents_of_another_world_do_not_exist(tmp_path: Path) -> None:
    """One was edited, and one copied, when the state belonged to the other world."""
    state, demo = tmp_path / "state.jsonl", load_world("demo")
    other = demo.model_copy(update={"agents": {**demo.agents, 101: demo.agents[12]}})
    async with bench_of(other, state_path=state) as bench:
        assert (await bench.http.patch("/v1/agents/101", json={"prompt": "Be brief."})).status_code == 200
        copied = (await bench.http.post("/v1/agents/101/duplicate", json={"name": "a copy"})).json()["id"]
    async with bench_of("demo", state_path=state) as bench:
        assert [agent["id"] for agent in await bench.get("/v1/agents")] == sorted(demo.agents)
        for agent_id in (101, copied):
            assert (await bench.http.get(f"/v1/agents/{agent_id}")).status_code == 404
    async with bench_of(other, state_path=state) as bench:
        assert {101, copied} <= {agent["id"] for agent in await bench.get("/v1/agents")}


async def test_an_edit_outlives_the_process(tmp_path: Path) -> None:
    """A deployment made at run time is still there after a restart."""
    state, clock = tmp_path / "state.jsonl", Clock()
    async with bench_of(state_path=state, now=clock) as bench:
        await bench.control(deploy={"agent_id": 14, "revision": 2})
        edited = await bench.get("/v1/agents/14")
    async with bench_of(state_path=state, now=clock) as bench:
        assert await bench.get("/v1/agents/14") == edited


async def test_two_processes_share_a_state(tmp_path: Path) -> None:
    """Two sandboxes on one file see each other's runs, never give an id twice, and share the concurrency limit."""
    state, clock = tmp_path / "state.jsonl", Clock()
    async with (
        bench_of("busy", state_path=state, now=clock) as one,
        bench_of("busy", state_path=state, now=clock) as two,
    ):
        ids = [(await bench.start()).json()["id"] for bench in (one, two, one, two)]
        assert ids == [7110, 7111, 7112, 7113]
        assert (await one.start()).status_code == 429
        assert [run["id"] for run in await one.runs()] == [run["id"] for run in await two.runs()] == ids[::-1]


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    """A state file of another kind is not overwritten."""
    state = tmp_path / "state.jsonl"
    state.write_text('{"kind": "shopping list"}\n')
    with pytest.raises(StateFileError, match="is not an event of a sandbox"):
        Sandbox(load_world("demo"), state_path=state)
    assert state.read_text() == '{"kind": "shopping list"}\n'


async def test_the_same_runs_get_the_same_conversations(tmp_path: Path) -> None:
    """What is said depends on world, agent, prompt and how often it was asked before: not on ids, order or the clock."""
    async with bench_of() as one, bench_of(now=Clock(1_700_000_000)) as two:
        await two.start(scenario_prompt="Ask when you open.")
        transcripts: list[list[Any]] = []
        for bench in (one, two):
            await bench.start_batch(target_id=14, run_count=3, scenario_prompts=[RETURN_WINDOW])
            bench.clock.talk(900)
            calls = [run["call_id"] for run in await bench.runs(agent_id=14)]
            transcripts.append([(await bench.get(f"/v1/calls/{call}/transcript"))["transcripts"] for call in calls])
    assert transcripts[0] == transcripts[1]
    assert transcripts[0][0] != transcripts[0][1] != transcripts[0][2]


async def test_another_seed_gives_other_conversations() -> None:
    """The world's seed is what varies."""
    worlds = [load_world("demo").model_copy(update={"seed": seed}) for seed in (1, 2)]
    texts: list[Any] = []
    for world in worlds:
        async with bench_of(world) as bench:
            run = await bench.finished(scenario_prompt=RETURN_WINDOW)
            texts.append(await bench.get(f"/v1/calls/{run['call_id']}/transcript"))
    assert texts[0] != texts[1]


async def test_ledger(bench: Bench) -> None:
    """The ledger lists every launch and run, with the bill that was fixed at the launch."""
    await bench.start_batch(run_count=2)
    await bench.start(scenario_prompt="Ask when you open.")
    ledger: Any = bench.sandbox.ledger()
    assert [launch["run_ids"] for launch in ledger["launches"]] == [[7110, 7111], [7112]]
    assert [(run["run_id"], run["batch_id"], run["status"]) for run in ledger["runs"]] == [
        (7110, 201, "queued"),
        (7111, 201, "queued"),
        (7112, None, "queued"),
    ]
    assert ledger["total_cents"] == sum(run["cost_cents"] for run in ledger["runs"]) > 0
    assert await bench.get("/_sandbox/ledger") == ledger


async def test_status_follows_the_clock(bench: Bench) -> None:
    """Nothing runs in the background: a run's state is a function of time alone."""
    await bench.start()
    (run,) = bench.sandbox.state.runs
    assert run.ends_at is not None
    assert run.status(run.starts_at - 0.001) == "queued"
    assert run.status(run.starts_at) == "in_progress"
    assert run.status(run.ends_at) == "completed"
    assert (run.ends_at - run.starts_at) * 60_000 == pytest.approx(run.conversation.duration_ms)
