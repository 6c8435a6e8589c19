"""Calls: the log, its transcript, history and grade; and grading again, which is billed."""

from __future__ import annotations

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.conversation import Turn
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.records import DIRECTIONS, Run
from planner.sandbox.state.timeline import call_exists, elapsed_ms, has_ended
from planner.sandbox.wire import calls as wire_calls
from planner.sandbox.wire.calls import CallView
from planner.sandbox.wire.errors import detail, not_found
from planner.sandbox.wire.requests import page, path_id, query_choice, query_integer, query_moment, query_truth


def view_of(sandbox: Sandbox, run: Run, call_id: int | None, now: float) -> CallView:
    conversation = sandbox.conversation(run)
    grade_at = sandbox.state.grade_at(run)
    return CallView(
        run=run,
        conversation=conversation,
        snapshot=sandbox.state.snapshots[run.snapshot],
        is_graded=has_ended(run, now) and now >= grade_at,
        grade_at=grade_at,
        now=now,
        is_sip_leg=call_id is not None and call_id == run.sip_call_id,
        bill_cents=run.cost_cents if sandbox.world.call_bill == "charged" else run.call_cents,
    )


def shown_turns(view: CallView) -> tuple[Turn, ...]:
    """While the call runs: what has been said so far. After it: everything, once it has been written up."""
    turns, now = view.conversation.turns, view.now
    if has_ended(view.run, now):
        return turns if now >= view.run.transcript_at else ()
    spoken_ms = elapsed_ms(view.run, now)
    return tuple(turn for turn in turns if turn.end_ms <= spoken_ms)


async def list_calls(sandbox: Sandbox, request: Request) -> Response:
    """Newest first, SIP legs after the call they belong to."""
    query = request.query_params
    window = page(query)
    agent_id = query_integer(query, "agent_id")
    direction = query_choice(query, "direction", DIRECTIONS)
    status = query_choice(query, "status", ("in_progress", "completed", "failed"))
    since = query_moment(query, "start_date", end_of_day=False)
    until = query_moment(query, "end_date", end_of_day=True)
    numbers = {field: query.get(field) or None for field in ("from_number", "to_number", "phone_number")}
    without_tests = query_truth(query, "exclude_test_calls")
    now = sandbox.now()
    wanted = (agent_id, direction, status, since, until, *numbers.values())
    existing = (
        (run, call_id)
        for run in sandbox.state.newest_first()
        if run.call_id is not None and now >= run.starts_at
        for call_id in (run.call_id, run.sip_call_id)
        if call_id is not None
    )
    if without_tests:
        shown, total = [], 0
    elif all(field is None for field in wanted):
        shown, total = list(window.of(existing)), sandbox.state.calls_by(now)
    else:
        matching = [
            (run, call_id)
            for run, call_id in existing
            if (agent_id is None or sandbox.state.snapshots[run.snapshot].agent_id == agent_id)
            and (direction is None or ("inbound" if call_id == run.sip_call_id else run.direction) == direction)
            and (status is None or wire_calls.call_status(run, now) == status)
            and (since is None or run.starts_at >= since)
            and (until is None or run.starts_at < until)
            and numbers["from_number"] in (None, run.from_number)
            and numbers["to_number"] in (None, run.to_number)
            and numbers["phone_number"] in (None, run.from_number, run.to_number)
        ]
        shown, total = list(window.of(matching)), len(matching)
    results: list[JsonValue] = [
        wire_calls.call(view_of(sandbox, run, call_id, now), sandbox.dialect) for run, call_id in shown
    ]
    return answer({"results": results, "total": total, "limit": window.limit, "offset": window.offset})


async def read_call(sandbox: Sandbox, request: Request) -> Response:
    return answer(wire_calls.call(_asked(sandbox, request), sandbox.dialect))


async def read_transcript(sandbox: Sandbox, request: Request) -> Response:
    view = _asked(sandbox, request)
    turns = wire_calls.transcript(shown_turns(view), sandbox.dialect, sandbox.world.assistant_role)
    return answer({"call_id": view.call_id, "transcripts": turns})


async def read_history(sandbox: Sandbox, request: Request) -> Response:
    view = _asked(sandbox, request)
    return answer([wire_calls.entry(turn, sandbox.world.assistant_role) for turn in shown_turns(view)])


async def read_grade(sandbox: Sandbox, request: Request) -> Response:
    view = _asked(sandbox, request)
    if not has_ended(view.run, view.now):
        raise detail(404, "This call has no grade yet.")
    return answer(wire_calls.grade(view, sandbox.dialect))


async def regrade(sandbox: Sandbox, request: Request) -> Response:
    view = _asked(sandbox, request)
    if not has_ended(view.run, view.now):
        raise detail(409, "The call is still in progress.")
    sandbox.regrade(view.run)
    return answer(wire_calls.grade(_asked(sandbox, request), sandbox.dialect), 201)


def _asked(sandbox: Sandbox, request: Request) -> CallView:
    call_id = path_id(request.path_params, "call_id", "Call")
    now = sandbox.now()
    run = sandbox.state.call(call_id)
    if run is None or not call_exists(run, now):
        raise not_found("Call")
    return view_of(sandbox, run, call_id, now)
