"""Agents as configuration: drafts do not change calls, deployments do, copies keep the dialogues."""

from __future__ import annotations

from typing import Any

from planner.sandbox import load_world
from planner.sandbox.worlds.world import Variant
from tests.sandbox.conftest import Bench, bench_of  # pyright: ignore[reportMissingImports]

RETURNS = "You are calm. Ask how many days you have to return order 12345."
DAYS_14 = "Be warm. Returns are accepted within 14 days."


async def words(bench: Bench, agent_id: int) -> str:
    run = await bench.finished(target_id=agent_id, scenario_prompt=RETURNS)
    transcript = await bench.get(f"/v1/calls/{run['call_id']}/transcript")
    return " ".join(turn["content"] for turn in transcript["transcripts"] if turn["role"] == "agent")


async def send(bench: Bench, method: str, path: str, status: int, **body: Any) -> Any:
    response = await bench.http.request(method, f"/v1/agents{path}", json=body)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


async def test_a_draft_changes_no_call_until_it_is_deployed() -> None:
    async with bench_of("regressed") as bench:
        await send(bench, "PATCH", "/14", 200, prompt="Returns are accepted within 30 days.")
        drafted = await bench.get("/v1/agents/14")
        assert (drafted["has_draft"], drafted["draft_prompt"]) == (True, "Returns are accepted within 30 days.")
        assert "14 days" in await words(bench, 14)
        deployed = await send(bench, "POST", "/14/deploy", 200, if_updated_at=drafted["updated_at"])
        assert (deployed["has_draft"], deployed["prompt"]) == (False, "Returns are accepted within 30 days.")
        assert deployed["updated_at"] > drafted["updated_at"]
        assert deployed["configuration_digest"] == drafted["configuration_digest"]
        assert "30 days" in await words(bench, 14)


async def test_a_deployment_of_a_changed_agent_is_rejected(bench: Bench) -> None:
    before = (await bench.get("/v1/agents/14"))["updated_at"]
    await send(bench, "PATCH", "/14", 200, prompt=DAYS_14)
    await send(bench, "POST", "/14/deploy", 200)
    await send(bench, "PATCH", "/14", 409, prompt="Other.", if_updated_at=before)
    await send(bench, "PATCH", "/14", 200, prompt="Other.")
    await send(bench, "POST", "/14/deploy", 409, if_updated_at=before)
    await send(bench, "POST", "/14/discard-draft", 200)
    await send(bench, "POST", "/14/deploy", 409)


async def test_a_copy_has_the_dialogues_and_its_own_prompt() -> None:
    async with bench_of("regressed") as bench:
        copy = await send(bench, "POST", "/14/duplicate", 201, name="preview")
        assert (copy["name"], copy["prompt"]) == ("preview", (await bench.get("/v1/agents/14"))["prompt"])
        await send(bench, "PATCH", f"/{copy['id']}", 200, prompt="Returns are accepted within 30 days.")
        await send(bench, "POST", f"/{copy['id']}/deploy", 200)
        assert "30 days" in await words(bench, copy["id"])
        assert "14 days" in await words(bench, 14)
        await send(bench, "DELETE", f"/{copy['id']}", 204)
        assert (await bench.http.get(f"/v1/agents/{copy['id']}")).status_code == 404


async def test_all_fields_are_drafted_deployed_and_copied() -> None:
    """Unknown ones and those that nobody may write are ignored."""
    fields = {
        "voice": "sol",
        "product": "spark",
        "primary_language": "es",
        "thinking_level": "high",
        "additional_languages": ["en", "fr"],
        "timezone": "Europe/Madrid",
        "call_summary_enabled": False,
        "max_call_duration_seconds": 600,
        "business_hours": {"monday": [["09:00", "17:00"]]},
    }
    async with bench_of("demo") as bench:
        drafted = await send(bench, "PATCH", "/14", 200, **fields, id=99, has_draft=False, telepathy=True)
        assert {name: drafted[f"draft_{name}"] for name in fields} == fields
        assert (drafted["id"], drafted["has_draft"], drafted["voice"]) == (14, True, "maya")
        deployed = await send(bench, "POST", "/14/deploy", 200, if_updated_at=drafted["updated_at"])
        copy = await send(bench, "POST", "/14/duplicate", 201, name="copy")
        for agent in (deployed, copy, await bench.get("/v1/agents/14")):
            assert {name: agent[name] for name in fields} == fields
            assert (agent["has_draft"], "telepathy" in agent) == (False, False)
        assert copy["configuration_digest"] == drafted["configuration_digest"]


async def test_a_copy_may_lack_fields() -> None:
    async with bench_of(duplicates_leave_out=("timezone",)) as bench:
        await send(bench, "PATCH", "/14", 200, timezone="Europe/Berlin")
        await send(bench, "POST", "/14/deploy", 200)
        original = await send(bench, "GET", "/14", 200)
        copy = await send(bench, "POST", "/14/duplicate", 201)
        assert (original["timezone"], copy.get("timezone")) == ("Europe/Berlin", None)
        assert copy["prompt"] == original["prompt"]


async def test_a_copy_may_have_the_draft() -> None:
    for copies in (False, True):
        async with bench_of(duplicates_copy_drafts=copies) as bench:
            await send(bench, "PATCH", "/14", 200, prompt="Other.")
            copy = await send(bench, "POST", "/14/duplicate", 201)
            assert (copy["has_draft"], copy.get("draft_prompt")) == (copies, "Other." if copies else None)
            assert copy["prompt"] != "Other."


async def test_the_organization_has_a_limit_of_agents() -> None:
    async with bench_of(agent_limit=4) as bench:
        copy = await send(bench, "POST", "/14/duplicate", 201)
        assert "Maximum" in (await send(bench, "POST", "/14/duplicate", 409))["detail"]
        await send(bench, "POST", "", 409, name="New", prompt=DAYS_14, voice="aria")
        await send(bench, "DELETE", f"/{copy['id']}", 204)
        await send(bench, "POST", "/14/duplicate", 201)


async def test_queued_runs_of_a_deleted_agent_fail_without_a_call(bench: Bench) -> None:
    copy = await send(bench, "POST", "/14/duplicate", 201)
    started = await bench.start_batch(target_id=copy["id"], run_count=3, stagger_seconds=60, scenario_prompts=[RETURNS])
    bench.clock.talk(30)  # the first is talking
    await send(bench, "DELETE", f"/{copy['id']}", 204)
    bench.clock.talk(700)
    runs = {run["id"]: run for run in await bench.runs()}
    mine = [runs[run_id] for run_id in started.json()["run_ids"]]
    assert [run["status"] for run in mine] == ["completed", "failed", "failed"]
    assert [run["call_id"] is None for run in mine] == [False, True, True]
    ledger = await bench.get("/_sandbox/ledger")
    assert [run["cost_cents"] > 0 for run in ledger["runs"]] == [True, False, False]
    assert (await bench.start(target_id=copy["id"])).status_code == 404


async def test_an_agent_is_created_deployed(bench: Bench) -> None:
    agent = await send(bench, "POST", "", 201, name="New", prompt=DAYS_14, voice="aria")
    assert agent["id"] in [each["id"] for each in await bench.get("/v1/agents")]
    assert (agent["has_draft"], agent["voice"]) == (False, "aria")
    wrong = await send(bench, "POST", "", 400, name=" ", prompt=7, product="gold")
    assert set(wrong) == {"name", "prompt", "voice", "product"}


async def test_calls_are_split_between_variants() -> None:
    world = load_world("demo")
    variants = {1: Variant(label="old", weight=1), 2: Variant(label="new", weight=3, voice="sol")}
    agents = {**world.agents, 14: world.agents[14].model_copy(update={"variants": variants})}
    async with bench_of(agents=agents) as bench:
        shown = await bench.get("/v1/agents/14/variants")
        assert [(each["id"], each["label"], each["weight"], each["voice"]) for each in shown] == [
            (1, "old", 1, "maya"),
            (2, "new", 3, "sol"),
        ]
        for _ in range(3):
            await bench.start_batch(target_id=14, run_count=20, stagger_seconds=0, scenario_prompts=[RETURNS])
            bench.clock.talk(700)
        calls = (await bench.get("/v1/calls?limit=100"))["results"]
    labels = [call["agent_variant_label"] for call in calls]
    assert (len(labels), set(labels)) == (60, {"old", "new"})
    assert labels.count("new") > labels.count("old")
    assert {call["voice"] for call in calls if call["agent_variant_label"] == "new"} == {"sol"}
