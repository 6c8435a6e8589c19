"""Every sentence of the Test Calls reference page, kept by the sandbox."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.sandbox.conftest import Bench, batch, bench_of, single  # pyright: ignore[reportMissingImports]

RUN_FIELDS = [
    "id",
    "target_type",
    "target_id",
    "direction",
    "target_number",
    "scenario_prompt",
    "mode",
    "status",
    "charge_multiplier",
    "estimated_cost_cents",
    "call_id",
    "sip_call_id",
    "error_message",
    "started_at",
    "completed_at",
    "batch_id",
    "created_at",
    "updated_at",
]
BATCH_FIELDS = [
    "id",
    "name",
    "target_type",
    "target_id",
    "direction",
    "target_number",
    "scenario_prompts",
    "run_count",
    "stagger_seconds",
    "status",
    "total_runs",
    "completed_runs",
    "failed_runs",
    "error_message",
    "requested_by_id",
    "started_at",
    "completed_at",
    "created_at",
    "updated_at",
    "run_ids",
]
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_each_run_is_a_call_of_its_own(bench: Bench) -> None:
    """`Test calls let you programmatically validate an agent`: `Each run produces a real call log`, with what was said on it."""
    prompt = "Ask where your order 30988 is."
    first, second = [await bench.finished(target_id=14, scenario_prompt=prompt) for _ in range(2)]
    logs = [await bench.get(f"/v1/calls/{run['call_id']}") for run in (first, second)]
    assert [log["call_id"] for log in logs] == [first["call_id"], second["call_id"]]
    assert first["call_id"] != second["call_id"]
    for run, log in zip((first, second), logs, strict=True):
        turns = (await bench.get(f"/v1/calls/{run['call_id']}/transcript"))["transcripts"]
        assert any("Thursday" in turn["content"] for turn in turns if turn["role"] == "agent")
        assert (log["agent_id"], log["is_test_call"], log["start_time"]) == (14, True, run["started_at"])


async def test_the_bill_is_multiplied(bench: Bench) -> None:
    """`billed at a test-call multiplier, typically 2×`: the call's log shows what the account is charged."""
    before = (await bench.get("/v1/billing"))["balance_cents"]
    run = await bench.finished()
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert call["billing_total_cents"] == call["billable_minutes"] * 8 * run["charge_multiplier"]
    after = (await bench.get("/v1/billing"))["balance_cents"]
    assert before - after == call["billing_total_cents"]


async def test_single_run_is_created_queued(bench: Bench) -> None:
    """`Returns 201 Created with the run. Status starts at queued`, and a run begins with the fields of the page."""
    response = await bench.start()
    run = response.json()
    assert response.status_code == 201
    assert list(run)[: len(RUN_FIELDS)] == RUN_FIELDS
    assert run["id"] == 7110
    assert (run["status"], run["call_id"], run["started_at"], run["completed_at"]) == ("queued", None, None, None)
    assert TIMESTAMP.fullmatch(run["created_at"])
    assert run["created_at"] == run["updated_at"] == "2026-11-25T12:00:00.000Z"


async def test_run_advances_to_completed(bench: Bench) -> None:
    """`advances to completed or failed`: queued, in_progress with a call_id, completed."""
    await bench.start()
    bench.clock.talk(3)
    (under_way,) = await bench.runs()
    bench.clock.talk(600)
    (over,) = await bench.runs()
    assert (under_way["status"], under_way["completed_at"]) == ("in_progress", None)
    assert under_way["call_id"] == 987654321
    assert over["status"] == "completed"
    assert over["created_at"] < over["started_at"] < over["completed_at"] == over["updated_at"]
    assert over["error_message"] == ""


async def test_defaults_of_a_single_run(bench: Bench) -> None:
    """`target_number … defaults to a demo number if omitted`, `mode … bot (default)`, `charge_multiplier … default 2`."""
    run = (await bench.start()).json()
    assert run["target_number"] == "+14155550199"
    assert run["mode"] == "bot"
    assert run["charge_multiplier"] == 2
    assert run["estimated_cost_cents"] == 16
    assert run["batch_id"] is None
    assert run["sip_call_id"] is None


async def test_scenario_prompt_is_optional(bench: Bench) -> None:
    """`scenario_prompt … no`: without one the bot still makes a sane call."""
    run = await bench.finished(scenario_prompt=None)
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert run["scenario_prompt"] == ""
    assert call["status"] == "completed"


async def test_sip_mode_has_both_call_logs(bench: Bench) -> None:
    """`sip_call_id … For mode=sip: the inbound call log the webhook created`; only one of the two is billed."""
    run = await bench.finished(mode="sip")
    leg = await bench.get(f"/v1/calls/{run['sip_call_id']}")
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert run["sip_call_id"] != run["call_id"]
    assert (call["direction"], leg["direction"]) == ("outbound", "inbound")
    assert leg["duration_seconds"] == call["duration_seconds"]
    assert (leg["billing_total_cents"], leg["billed_at"]) == (0, None)
    assert call["billing_total_cents"] > 0


async def test_phone_number_as_target(bench: Bench) -> None:
    """`target_type … agent or phone_number`: the number's inbound agent answers."""
    run = await bench.finished(target_type="phone_number", target_id=78, scenario_prompt="Ask when you open.")
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert call["agent_id"] == 17
    assert call["to_number"] == "+14155550178"
    assert call["from_number"] == "+14155550199"


async def test_outbound_direction(bench: Bench) -> None:
    """`outbound (bot places the call)`: the agent speaks first, to the `perceived caller id` that was asked for."""
    run = await bench.finished(target_number="+14155550101")
    transcript = (await bench.get(f"/v1/calls/{run['call_id']}/transcript"))["transcripts"]
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert transcript[0]["role"] == "agent"
    assert (run["target_number"], call["from_number"]) == ("+14155550101", "+14155550101")
    assert (call["direction"], call["to_number"]) == ("outbound", "+14155550179")


async def test_the_prompt_drives_the_bot(bench: Bench) -> None:
    """`Free-form role-play prompt driving the test bot`: another prompt is another conversation."""
    said: list[str] = []
    for prompt in ("You are Bob Lee. Ask where order 20417 is.", "Ask to speak with a human."):
        run = await bench.finished(target_id=14, scenario_prompt=prompt)
        turns = (await bench.get(f"/v1/calls/{run['call_id']}/transcript"))["transcripts"]
        said.append(" ".join(turn["content"] for turn in turns if turn["role"] == "user"))
    assert "20417" in said[0]
    assert "person" not in said[0]
    assert "person" in said[1]


async def test_inbound_direction(bench: Bench) -> None:
    """`inbound (bot answers)`: the bot speaks first, the agent says who is calling."""
    prompt = "You are Ana Ruiz, born 1990-06-12. You were waiting for this call. Ask when your appointment is."
    run = await bench.finished(direction="inbound", target_number="+14155550101", scenario_prompt=prompt)
    transcript = (await bench.get(f"/v1/calls/{run['call_id']}/transcript"))["transcripts"]
    call = await bench.get(f"/v1/calls/{run['call_id']}")
    assert [turn["role"] for turn in transcript[:2]] == ["user", "agent"]
    assert "Iris from Larkfield Clinic" in transcript[1]["content"]
    assert (call["from_number"], call["to_number"]) == ("+14155550179", "+14155550101")


async def test_batch_is_created_in_progress(bench: Bench) -> None:
    """`Returns 201 Created with the batch row`, `in in_progress`, fields and values as on the page."""
    response = await bench.start_batch()
    row = response.json()
    assert response.status_code == 201
    assert list(row)[: len(BATCH_FIELDS)] == BATCH_FIELDS
    assert (row["id"], row["name"], row["status"]) == (201, "", "in_progress")
    assert (row["target_number"], row["requested_by_id"], row["error_message"]) == ("", 1, "")
    assert (row["total_runs"], row["completed_runs"], row["failed_runs"]) == (5, 0, 0)
    assert row["started_at"] == row["created_at"] == row["updated_at"]
    assert row["run_ids"] == [7110, 7111, 7112, 7113, 7114]


async def test_batch_detail_is_the_same_shape(bench: Bench) -> None:
    """`Returns the same batch shape as the create response`, with progress and an end."""
    await bench.start_batch()
    bench.clock.talk(600)
    row = await bench.get("/v1/test-call-batches/201")
    assert list(row)[: len(BATCH_FIELDS)] == BATCH_FIELDS
    assert (row["status"], row["completed_runs"]) == ("completed", 5)
    assert row["completed_at"] == row["updated_at"] > row["started_at"]
    assert [listed["id"] for listed in await bench.get("/v1/test-call-batches")] == [201]


async def test_batch_runs_at_once(bench: Bench) -> None:
    """`A batch executes the same scenario N times in parallel`: without stagger all runs are under way together."""
    await bench.start_batch(scenario_prompts=["Ask about refunds."], run_count=4, stagger_seconds=None)
    bench.clock.talk(5)
    runs = await bench.runs()
    assert [run["status"] for run in runs] == ["in_progress"] * 4
    assert {run["scenario_prompt"] for run in runs} == {"Ask about refunds."}
    assert len({run["started_at"] for run in runs}) == 1


@pytest.mark.parametrize("field", ["target_type", "target_id", "direction", "run_count"])
async def test_batch_needs_the_same_fields(bench: Bench, field: str) -> None:
    """`yes`: what a single run requires a batch does, too, and how many runs it has."""
    response = await bench.start_batch(**{field: None})
    assert (response.status_code, response.json()) == (400, {field: ["This field is required."]})


async def test_batch_options_reach_its_runs(bench: Bench) -> None:
    """`target_number string no`, `mode string no`: each run of the batch has them."""
    await bench.start_batch(target_number="+14155550101", mode="sip", run_count=2)
    bench.clock.talk(700)
    runs = await bench.runs()
    assert [(run["target_number"], run["mode"]) for run in runs] == [("+14155550101", "sip")] * 2
    assert all(run["sip_call_id"] for run in runs)


async def test_each_run_of_a_batch_can_be_fetched(bench: Bench) -> None:
    """`Fetch each run via GET /v1/test-calls?limit=... or by following the call_id on each run to GET /v1/calls/{call_id}`."""
    row = (await bench.start_batch()).json()
    bench.clock.talk(700)
    runs = await bench.runs(limit=5)
    assert {run["id"] for run in runs} == set(row["run_ids"])
    for run in runs:
        assert (await bench.get(f"/v1/calls/{run['call_id']}"))["call_id"] == run["call_id"]


async def test_batch_prompts_rotate(bench: Bench) -> None:
    """`Rotates through prompts per run (modulo)`."""
    row = (await bench.start_batch(scenario_prompts=["a", "b"], run_count=5)).json()
    runs = {run["id"]: run["scenario_prompt"] for run in await bench.runs()}
    assert [runs[run_id] for run_id in row["run_ids"]] == ["a", "b", "a", "b", "a"]
    assert row["scenario_prompts"] == ["a", "b"]


async def test_batch_with_one_prompt_for_all(bench: Bench) -> None:
    """`scenario_prompt … Same prompt for all runs (alternative to array)`."""
    row = (await bench.start_batch(scenario_prompts=None, scenario_prompt="Ask about parking.", run_count=2)).json()
    assert row["scenario_prompts"] == ["Ask about parking."]
    assert {run["scenario_prompt"] for run in await bench.runs()} == {"Ask about parking."}
    assert {run["batch_id"] for run in await bench.runs()} == {201}


async def test_batch_without_prompts(bench: Bench) -> None:
    """`scenario_prompts … no`."""
    row = (await bench.start_batch(scenario_prompts=None, run_count=1, stagger_seconds=None)).json()
    assert (row["scenario_prompts"], row["stagger_seconds"]) == ([], 0)


async def test_stagger_delays_the_launches(bench: Bench) -> None:
    """`stagger_seconds … Delay between spawning successive runs`, in conversation time."""
    await bench.start_batch(stagger_seconds=60)
    bench.clock.talk(3)
    assert [run["status"] for run in reversed(await bench.runs())] == ["in_progress", *["queued"] * 4]
    bench.clock.talk(60)
    assert [run["status"] for run in reversed(await bench.runs())][1] == "in_progress"


@pytest.mark.parametrize("consent", [None, False, "true", 1])
@pytest.mark.parametrize("path", ["/v1/test-calls", "/v1/test-call-batches"])
async def test_consent_is_needed(bench: Bench, consent: Any, path: str) -> None:
    """`400 consent_to_charge missing / false`: and then nothing is started."""
    body = (single if path.endswith("calls") else batch)(consent_to_charge=consent)
    response = await bench.http.post(path, json=body)
    assert response.status_code == 400
    assert list(response.json()) == ["consent_to_charge"]
    assert await bench.runs() == []


@pytest.mark.parametrize(
    ("target_type", "target_id", "message"), [("agent", 999, "Agent"), ("phone_number", 12, "Phone number")]
)
async def test_target_not_found(bench: Bench, target_type: str, target_id: int, message: str) -> None:
    """`404 Target agent or phone number not found`."""
    response = await bench.start(target_type=target_type, target_id=target_id)
    assert (response.status_code, response.json()) == (404, {"detail": f"{message} not found."})


async def test_insufficient_balance() -> None:
    """`402 Insufficient balance`: what runs in flight have reserved counts, and a batch must fit whole."""
    async with bench_of(balance_cents=40) as bench:
        assert (await bench.start_batch(run_count=3)).status_code == 402
        assert (await bench.start()).status_code == 201
        assert (await bench.start()).status_code == 201
        response = await bench.start()
    assert response.status_code == 402
    assert "Insufficient balance" in response.json()["detail"]


async def test_concurrency_limit(bench: Bench) -> None:
    """`429 Max concurrent test-call runs per org reached`: a batch must fit in what is free; an ended run frees its place."""
    assert (await bench.start_batch(run_count=19)).status_code == 201
    assert (await bench.start_batch(run_count=2)).status_code == 429
    assert (await bench.start()).status_code == 201
    response = await bench.start()
    assert response.status_code == 429
    assert "concurrent" in response.json()["detail"]
    assert "retry-after" not in response.headers
    bench.clock.talk(700)
    assert (await bench.start()).status_code == 201


async def test_lists_are_arrays_newest_first() -> None:
    """`Returns an array of Test call run objects`; `limit … Default 50, max 200`; `offset`."""
    async with bench_of(concurrency_limit=1000) as bench:
        for _ in range(11):
            await bench.start_batch(run_count=20, stagger_seconds=0)
        newest_first = list(range(7110 + 219, 7109, -1))
        assert [run["id"] for run in await bench.runs()] == newest_first[:50]
        assert [run["id"] for run in await bench.runs(limit=3, offset=5)] == newest_first[5:8]
        assert len(await bench.runs(limit=200)) == 200
        assert len(await bench.runs(limit=10_000)) == 200
        assert [run["id"] for run in await bench.runs(limit=200, offset=210)] == newest_first[210:]
        assert [row["id"] for row in await bench.get("/v1/test-call-batches?limit=2&offset=1")] == [210, 209]


async def test_list_filters(bench: Bench) -> None:
    """`target_type`, `status` and `agent_id` filter the list."""
    await bench.start(target_id=12)
    bench.clock.talk(600)
    await bench.start(target_id=14)
    await bench.start(target_type="phone_number", target_id=77)
    assert [run["id"] for run in await bench.runs(target_type="phone_number")] == [7112]
    assert [run["id"] for run in await bench.runs(target_type="agent")] == [7111, 7110]
    assert [run["id"] for run in await bench.runs(status="queued")] == [7112, 7111]
    assert [run["id"] for run in await bench.runs(status="completed")] == [7110]
    assert [run["id"] for run in await bench.runs(agent_id=14)] == [7111]
    assert await bench.runs(status="failed") == []


async def test_failed_run(bench: Bench) -> None:
    """`error_message … Populated on status=failed`; a call that never was costs nothing."""
    run = await bench.finished(target_type="phone_number", target_id=78, direction="inbound")
    assert (run["status"], run["call_id"]) == ("failed", None)
    assert "no agent" in run["error_message"]
    assert (await bench.get("/_sandbox/ledger"))["total_cents"] == 0


async def test_batch_whose_runs_all_failed(bench: Bench) -> None:
    """`failed_runs` counts, and a batch without a completed run is failed."""
    line = {"target_type": "phone_number", "target_id": 78, "direction": "inbound"}
    await bench.start_batch(**line, run_count=2, stagger_seconds=0)
    bench.clock.talk(60)
    row = await bench.get("/v1/test-call-batches/201")
    assert (row["status"], row["completed_runs"], row["failed_runs"]) == ("failed", 0, 2)
