"""Calls and what can be read of them: the log, transcript, history, grade, recording."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from tests.sandbox.conftest import Bench, bench_of  # pyright: ignore[reportMissingImports]

RETURN_WINDOW = "You are Ana Ruiz. Ask how many days you have to return order 12345."


@pytest.fixture
async def window(bench: Bench) -> dict[str, Any]:
    return await bench.finished(target_id=14, scenario_prompt=RETURN_WINDOW)


async def test_call_log(bench: Bench, window: dict[str, Any]) -> None:
    """A finished call has times, a duration in conversation time, and a bill: started minutes × rate."""
    call = await bench.get(f"/v1/calls/{window['call_id']}")
    minutes = -(-call["duration_seconds"] // 60)
    assert call["status"] == "completed"
    assert call["is_test_call"] is True
    assert 15 <= call["duration_seconds"] <= 90
    assert (call["billable_minutes"], call["billing_total_cents"]) == (minutes, 16 * minutes)
    assert (call["start_time"], call["end_time"]) == (window["started_at"], window["completed_at"])
    assert call["end_reason"] in ("agent_end", "caller_hangup")
    assert (call["product"], call["voice"], call["agent_id"]) == ("spark", "maya", 14)


async def test_call_under_way(bench: Bench) -> None:
    """While a call runs it has no end and no bill, and its transcript grows."""
    await bench.start(target_id=14, scenario_prompt=RETURN_WINDOW)
    bench.clock.talk(1)
    assert (await bench.http.get("/v1/calls/987654321")).status_code == 404
    bench.clock.talk(20)
    call = await bench.get("/v1/calls/987654321")
    assert call["status"] == "in_progress"
    assert [call[field] for field in ("end_time", "duration_seconds", "end_reason", "billing_total_cents")] == [
        None
    ] * 4
    so_far = (await bench.get("/v1/calls/987654321/transcript"))["transcripts"]
    bench.clock.talk(600)
    whole = (await bench.get("/v1/calls/987654321/transcript"))["transcripts"]
    assert 0 < len(so_far) < len(whole)
    assert whole[: len(so_far)] == so_far


async def test_page_transcript_has_speech_and_tools(bench: Bench, window: dict[str, Any]) -> None:
    """A transcript includes tools, like the history."""
    document = await bench.get(f"/v1/calls/{window['call_id']}/transcript")
    turns = document["transcripts"]
    called = next(turn for turn in turns if turn["role"] == "tool_call")
    answered = next(turn for turn in turns if turn["role"] == "tool_response")
    assert document["call_id"] == window["call_id"]
    assert {turn["role"] for turn in turns} == {"agent", "user", "tool_call", "tool_response"}
    assert called["content"] == {"name": "lookup_order", "arguments": {"order_id": "12345"}}
    assert called["content_type"] == answered["content_type"] == "application/json"
    assert answered["content"]["item"] == "walking shoes"
    assert all("ttfa_ms" in turn for turn in turns if turn["role"] == "agent")
    assert all("ttfa_ms" not in turn for turn in turns if turn["role"] != "agent")
    assert await bench.get(f"/v1/calls/{window['call_id']}/history") == turns


async def test_assistant_role() -> None:
    """A world can call the agent `assistant`, as older pages do."""
    async with bench_of(assistant_role="assistant") as bench:
        run = await bench.finished()
        turns = (await bench.get(f"/v1/calls/{run['call_id']}/transcript"))["transcripts"]
    assert {turn["role"] for turn in turns} >= {"assistant", "user"}
    assert "agent" not in {turn["role"] for turn in turns}


async def test_grade_comes_after_the_call(bench: Bench) -> None:
    """A grade is 404 before the end, pending at first, then has goals and issues; the call object repeats it."""
    await bench.start(target_id=14, scenario_prompt=RETURN_WINDOW)
    bench.clock.talk(5)
    assert (await bench.http.get("/v1/calls/987654321/grade")).status_code == 404
    run = bench.sandbox.state.runs[0]
    bench.clock.talk(run.conversation.duration_ms / 1000 - 1)
    pending = await bench.get("/v1/calls/987654321/grade")
    assert (pending["status"], pending["score"], pending["goal_achievement"]) == ("pending", None, None)
    assert (await bench.get("/v1/calls/987654321"))["grade_status"] == "pending"
    bench.clock.talk(10)
    graded = await bench.get("/v1/calls/987654321/grade")
    call = await bench.get("/v1/calls/987654321")
    assert (graded["status"], graded["score"], graded["goal_achievement"]) == ("completed", 0.95, "achieved")
    assert (graded["call_outcome"], graded["detected_issues"]) == ("success", [])
    assert (call["grade_score"], call["issue_count"], call["critical_issue_count"]) == (0.95, 0, 0)


async def test_grade_of_a_call_without_a_dialogue(bench: Bench) -> None:
    """It is no success of the agent and no failure."""
    run = await bench.finished(target_id=14, scenario_prompt="Sing.")
    grade = await bench.get(f"/v1/calls/{run['call_id']}/grade")
    assert (grade["score"], grade["call_outcome"], grade["goal_achievement"]) == (None, "unknown", "no_opportunity")


async def test_grading_again_is_billed(bench: Bench, window: dict[str, Any]) -> None:
    """POST grade answers 201, is pending again, and costs."""
    before = (await bench.get("/v1/billing"))["balance_cents"]
    path = f"/v1/calls/{window['call_id']}/grade"
    response = await bench.http.post(path)
    assert (response.status_code, response.json()["status"]) == (201, "pending")
    assert (await bench.get("/v1/billing"))["balance_cents"] == before - 4
    bench.clock.talk(10)
    assert (await bench.get(path))["status"] == "completed"
    assert (await bench.get("/_sandbox/ledger"))["regrades"][0]["cost_cents"] == 4


async def test_grading_too_early(bench: Bench) -> None:
    """A call under way cannot be graded again."""
    await bench.start()
    bench.clock.talk(5)
    assert (await bench.http.post("/v1/calls/987654321/grade")).status_code == 409


async def test_list_of_calls(bench: Bench) -> None:
    """`{"results", "total", "limit", "offset"}`, newest first, filtered by what the client may ask for."""
    await bench.finished(target_id=12)
    await bench.finished(target_id=14, mode="sip", target_number="+14155550188")
    await bench.finished(target_id=12, direction="inbound")
    bench.clock.advance(86_400)
    await bench.start(target_id=14)
    bench.clock.talk(10)

    async def ids(**query: Any) -> list[int]:
        response = await bench.http.get("/v1/calls", params=query)
        assert response.status_code == 200, response.text
        return [call["call_id"] - 987654321 for call in response.json()["results"]]

    page = await bench.get("/v1/calls?limit=2&offset=1")
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    assert await ids() == [4, 3, 1, 2, 0]
    assert await ids(agent_id=14) == [4, 1, 2]
    assert await ids(direction="inbound") == [3, 2]
    assert await ids(status="in_progress") == [4]
    assert await ids(status="completed", limit=1) == [3]
    assert await ids(start_date="2026-11-26") == [4]
    assert await ids(end_date="2026-11-25") == [3, 1, 2, 0]
    assert await ids(start_date="2026-11-25T12:00:00Z", end_date="2026-11-25T12:00:10+00:00") == [0]
    assert await ids(end_date="20261125") == [3, 1, 2, 0]
    assert await ids(limit=1) == [4]
    response = await bench.http.get("/v1/calls?start_date=yesterday")
    assert (response.status_code, list(response.json())) == (400, ["start_date"])


async def test_a_recording_is_as_long_as_its_call(bench: Bench) -> None:
    """It is read from its address without a key, also for the SIP leg."""
    run = await bench.finished(mode="sip")
    for call_id in (run["call_id"], run["sip_call_id"]):
        url = (await bench.get(f"/v1/calls/{call_id}/audio"))["url"]
        response = await bench.http.get(url, headers={"Authorization": ""})
        assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
        with wave.open(io.BytesIO(response.content)) as opened:
            seconds = opened.getnframes() / opened.getframerate()
        assert round(seconds) == (await bench.get(f"/v1/calls/{call_id}"))["duration_seconds"]


async def test_there_is_no_recording_before_the_end(bench: Bench) -> None:
    assert (await bench.http.get("/v1/calls/1/audio")).status_code == 404
    await bench.start()
    bench.clock.talk(3)
    assert (await bench.http.get("/v1/calls/987654321/audio")).status_code == 404
