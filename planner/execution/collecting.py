"""Fetching the evidence of one ended run, once; what comes late is awaited up to a bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.api.client import ApiClient
from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn
from planner.errors import NotFoundError
from planner.evidence import Evidence, evidence_from_wire
from planner.execution.work import Clock

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
EMPTY_TRANSCRIPT_WAIT_SECONDS = 10.0
"""A call that was connected and shows no turn yet: its transcript is late, or nobody spoke."""

_TOOL_ROLES = frozenset({"tool_call", "function_call"})


async def collect(client: ApiClient, run: WireRun, *, clock: Clock, wait_seconds: float, await_grade: bool) -> Evidence:
    """Everything the service tells of an ended run.

    The history is read only where the transcript shows no tool call (the transcript of one dialect never does).

    Raises:
        IncompleteError: the service cannot be read now; nothing is lost, it is collected another time.
    """
    if run.call_id is None:
        return evidence_from_wire(run, None, None, None, None)
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        waited = clock.monotonic() - started
        last = waited >= wait_seconds
        call = await _call(client, run.call_id)
        if last or (call is not None and _settled(call[0])):
            break
        await clock.sleep(min(pause, wait_seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    transcript = await _transcript(
        client, run.call_id, call[0] if call else None, clock=clock, wait_seconds=wait_seconds
    )
    spoken_tools = any((turn.role or "").lower() in _TOOL_ROLES for turn in transcript or ())
    history = None if spoken_tools else await client.history(run.call_id)
    grade = await _grade(
        client, run.call_id, call[0] if call else None, clock=clock, wait_seconds=wait_seconds if await_grade else 0.0
    )
    return evidence_from_wire(run, call, transcript, history, grade)


def _settled(call: WireCall) -> bool:
    """Ended, and billed where this service tells of bills at all."""
    billed = call.billing_total_cents is not None or "billing_total_cents" not in call.model_fields_set
    return call.status == "failed" or (call.status == "completed" and billed)


async def _call(client: ApiClient, call_id: int) -> tuple[WireCall, Mapping[str, Any]] | None:
    try:
        return await client.call(call_id)
    except NotFoundError:
        return None  # call ids may be told before the call can be read


async def _transcript(
    client: ApiClient, call_id: int, call: WireCall | None, *, clock: Clock, wait_seconds: float
) -> list[WireTurn] | None:
    connected = call is not None and call.status == "completed" and (call.duration_seconds or 0) > 0
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        turns = await client.transcript(call_id)
        waited = clock.monotonic() - started
        bound = wait_seconds if turns is None else min(EMPTY_TRANSCRIPT_WAIT_SECONDS, wait_seconds)
        if turns or not connected or waited >= bound:
            return turns
        await clock.sleep(min(pause, bound - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _grade(
    client: ApiClient, call_id: int, call: WireCall | None, *, clock: Clock, wait_seconds: float
) -> WireGrade | None:
    """Without `wait_seconds`, one look, and none where the call says that nothing is graded."""
    if wait_seconds == 0 and (call is None or call.grade_status in (None, "pending", "skipped_recording_disabled")):
        return None
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        grade = await client.grade(call_id)
        waited = clock.monotonic() - started
        if (grade is not None and grade.status != "pending") or waited >= wait_seconds:
            return grade
        await clock.sleep(min(pause, wait_seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
