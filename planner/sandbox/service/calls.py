"""Calls: the log, transcript, history, grade and recording; and grading again, which is billed."""

from __future__ import annotations

import hmac
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.conversation import Turn
from planner.sandbox.conversations.audio import recording
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.records import Run
from planner.sandbox.state.timeline import call_exists, elapsed_ms
from planner.sandbox.wire import calls as wire
from planner.sandbox.wire.calls import CallView
from planner.sandbox.wire.errors import detail, not_found
from planner.sandbox.wire.requests import CallsQuery, path_id, query_of

_RECORDING_VALID_SECONDS = 3600


def view_of(sandbox: Sandbox, run: Run, call_id: int | None, now: float) -> CallView:
    return CallView(
        run=run,
        conversation=sandbox.conversation(run),
        snapshot=sandbox.state.snapshots[run.snapshot],
        grade_at=sandbox.state.grade_at(run),
        now=now,
        is_sip_leg=call_id is not None and call_id == run.sip_call_id,
        bill_cents=run.cost_cents if sandbox.world.call_bill == "charged" else run.call_cents,
    )


def shown_turns(view: CallView) -> tuple[Turn, ...]:
    """While the call runs: what has been said so far. After it: everything, once it has been written up."""
    turns = view.conversation.turns
    if view.has_ended:
        return turns if view.now >= view.run.transcript_at else ()
    spoken_ms = elapsed_ms(view.run, view.now)
    return tuple(turn for turn in turns if turn.end_ms <= spoken_ms)


async def list_calls(sandbox: Sandbox, request: Request) -> Response:
    """Newest first, SIP legs after the call they belong to. All calls here are test calls."""
    query = query_of(request, CallsQuery)
    now = sandbox.now()
    matching = [
        (run, call_id)
        for run in sandbox.state.newest_first()
        if call_exists(run, now) and query.exclude_test_calls == "false"
        for call_id in (run.call_id, run.sip_call_id)
        if call_id is not None
        and query.agent_id in (None, sandbox.state.snapshots[run.snapshot].agent_id)
        and query.direction in (None, "inbound" if call_id == run.sip_call_id else run.direction)
        and query.status in (None, wire.call_status(run, now))
        and (query.since is None or run.starts_at >= query.since)
        and (query.until is None or run.starts_at < query.until)
        and query.from_number in (None, run.from_number)
        and query.to_number in (None, run.to_number)
        and query.phone_number in (None, run.from_number, run.to_number)
    ]
    results = [wire.call(view_of(sandbox, run, call_id, now), sandbox.dialect) for run, call_id in query.of(matching)]
    return answer({"results": results, "total": len(matching), "limit": query.size, "offset": query.offset})


async def read_call(sandbox: Sandbox, request: Request) -> Response:
    return answer(wire.call(_view(sandbox, request), sandbox.dialect))


async def read_transcript(sandbox: Sandbox, request: Request) -> Response:
    view = _view(sandbox, request)
    turns = wire.transcript(shown_turns(view), sandbox.dialect, sandbox.world.assistant_role)
    return answer({"call_id": view.call_id, "transcripts": turns})


async def read_history(sandbox: Sandbox, request: Request) -> Response:
    return answer(wire.turns(shown_turns(_view(sandbox, request)), sandbox.world.assistant_role))


async def read_grade(sandbox: Sandbox, request: Request) -> Response:
    view = _view(sandbox, request)
    if not view.has_ended:
        raise detail(404, "This call has no grade yet.")
    return answer(wire.grade(view, sandbox.dialect))


async def regrade(sandbox: Sandbox, request: Request) -> Response:
    view = _view(sandbox, request)
    if not view.has_ended:
        raise detail(409, "The call is still in progress.")
    sandbox.regrade(view.run)
    return answer(wire.grade(_view(sandbox, request), sandbox.dialect), 201)


async def read_audio(sandbox: Sandbox, request: Request) -> Response:
    """The address of the recording, which needs no key and expires; 404 before the call has ended."""
    view = _view(sandbox, request)
    if not view.has_ended:
        raise detail(404, "There is no recording before the call has ended.")
    expires = int(view.now) + _RECORDING_VALID_SECONDS
    signature = _signature(sandbox, view.call_id, expires)
    where = f"{str(request.base_url).rstrip('/')}/recordings/{view.call_id}.wav"
    return answer({"url": f"{where}?expires={expires}&signature={signature}"})


async def read_recording(sandbox: Sandbox, request: Request) -> Response:
    view = _view(sandbox, request)
    expires = request.query_params.get("expires", "")
    given = request.query_params.get("signature", "").encode()
    good = expires.isdecimal() and hmac.compare_digest(given, _signature(sandbox, view.call_id, expires).encode())
    if not good or int(expires) < view.now:
        raise detail(403, "This address has expired: ask for the recording again.")
    return Response(recording(view.conversation), media_type="audio/wav")


def _signature(sandbox: Sandbox, call_id: int | None, expires: int | str) -> str:
    return hmac.new(sandbox.secret, f"{call_id}:{expires}".encode(), sha256).hexdigest()


def _view(sandbox: Sandbox, request: Request) -> CallView:
    call_id = path_id(request.path_params, "call_id", "Call")
    now = sandbox.now()
    run = sandbox.state.call(call_id)
    if run is None or not call_exists(run, now):
        raise not_found("Call")
    return view_of(sandbox, run, call_id, now)
