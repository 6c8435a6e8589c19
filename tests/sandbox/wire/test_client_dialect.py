"""The client's dialect, field by field: what its generated models need is there, what only the page has is not."""

from __future__ import annotations

from typing import Any

import pytest
from thunderphone.generated.models import (
    Agent,
    BillingAccount,
    Call,
    CallGrade,
    CallListResponse,
    CallTranscript,
    PhoneNumber,
    SimulationBatch,
    SimulationRun,
    VersionPage,
    WhoAmI,
)

from tests.sandbox.conftest import Bench  # pyright: ignore[reportMissingImports]

TRANSFER = "You are Omar Haddad, anxious. Your phone number is +14155550111. Say that your son has a high fever."


@pytest.fixture
async def night(client_bench: Bench) -> dict[str, Any]:
    return await client_bench.finished(target_id=17, scenario_prompt=TRANSFER)


async def test_statuses_of_the_posts(client_bench: Bench) -> None:
    """A single run answers 200, a batch 201."""
    assert (await client_bench.start()).status_code == 200
    assert (await client_bench.start_batch()).status_code == 201


async def test_run_object(client_bench: Bench, night: dict[str, Any]) -> None:
    """A run has a call id, but neither a batch id nor a SIP call id."""
    assert night.keys().isdisjoint({"batch_id", "sip_call_id"})
    assert (night["agent_name"], night["target_name"]) == ("Larkfield after-hours line", "Larkfield after-hours line")
    assert night["grade"]["score"] == 95
    assert night["duration_seconds"] == (await client_bench.get(f"/v1/calls/{night['call_id']}"))["duration_seconds"]
    assert SimulationRun.from_dict(night).additional_properties == {}


async def test_batch_object(client_bench: Bench) -> None:
    """A batch has a name, estimates, dimensions; `pending` before, `in_progress` during, `completed` after."""
    row = (await client_bench.start_batch(name="nightly", run_count=2, scenario_prompt="ignored here")).json()
    assert (row["status"], row["started_at"], row["name"]) == ("pending", None, "nightly")
    assert (row["estimated_cost_cents"], row["estimated_minutes"], row["matrix_dimensions"]) == (32, 2, {})
    client_bench.clock.talk(2)
    under_way = await client_bench.get("/v1/test-call-batches/201")
    assert under_way["status"] == "in_progress"
    assert under_way["started_at"] > row["created_at"]
    client_bench.clock.talk(900)
    (over,) = await client_bench.get("/v1/test-call-batches")
    assert over["status"] == "completed"
    assert SimulationBatch.from_dict(over).additional_properties == {}


async def test_defaults(client_bench: Bench) -> None:
    """Direction outbound, three runs five seconds apart, no mode, one list of prompts."""
    row = (
        await client_bench.start_batch(
            direction=None, run_count=None, stagger_seconds=None, scenario_prompts=None, scenario_prompt="x", mode="sip"
        )
    ).json()
    run = (await client_bench.start(direction=None, mode="sip")).json()
    assert (row["direction"], row["run_count"], row["stagger_seconds"], row["scenario_prompts"]) == (
        "outbound",
        3,
        5,
        [],
    )
    assert run["mode"] == "bot"


async def test_call_object(client_bench: Bench, night: dict[str, Any]) -> None:
    """A call also has outcome, goal, collected values, snapshots of prompt and tools, and the transfer."""
    call = await client_bench.get(f"/v1/calls/{night['call_id']}")
    assert (call["call_outcome"], call["goal_achievement"], call["grade_score"]) == ("success", "achieved", 95)
    assert (call["transfer_destination"], call["transfer_outcome"]) == ("+14155550131", "bridged")
    assert [tool["name"] for tool in call["tool_snapshot"]] == ["take_message", "page_on_call"]
    assert call["prompt_snapshot"].startswith("You answer the after-hours line")
    assert Call.from_dict(call).additional_properties == {}
    listed = await client_bench.get("/v1/calls")
    assert CallListResponse.from_dict(listed).results[0].call_id == night["call_id"]
    transcript = await client_bench.get(f"/v1/calls/{night['call_id']}/transcript")
    assert CallTranscript.from_dict(transcript).transcripts


async def test_grade_object(client_bench: Bench, night: dict[str, Any]) -> None:
    """A grade is a whole percentage, with its reasoning and times."""
    path = f"/v1/calls/{night['call_id']}/grade"
    grade = CallGrade.from_dict(await client_bench.get(path))
    assert (grade.score, grade.status.value, grade.additional_properties) == (95, "completed", {})
    pending = CallGrade.from_dict((await client_bench.http.post(path)).json())
    assert (pending.score, pending.graded_at, pending.goal_achievement) == (None, None, None)


async def test_organization_objects(client_bench: Bench) -> None:
    """Agents, versions, numbers, billing and whoami have every field the models need and none they do not know."""
    assert [Agent.from_dict(agent).id for agent in await client_bench.get("/v1/agents")] == [12, 14, 17]
    assert VersionPage.from_dict(await client_bench.get("/v1/agents/12/versions")).count == 2
    assert PhoneNumber.from_dict(await client_bench.get("/v1/phone-numbers/77")).additional_properties == {}
    assert BillingAccount.from_dict(await client_bench.get("/v1/billing")).additional_properties == {}
    assert WhoAmI.from_dict(await client_bench.get("/v1/whoami")).additional_properties == {}


async def test_run_under_way(client_bench: Bench) -> None:
    """Before its end a run has no duration, grade or transcript."""
    await client_bench.start(target_type="phone_number", target_id=77)
    client_bench.clock.talk(10)
    (run,) = await client_bench.runs()
    assert (run["duration_seconds"], run["grade"], run["transcript"]) == (None, None, [])
    assert run["target_name"] == "Orders hotline"
    assert SimulationRun.from_dict(run).status.value == "in_progress"
