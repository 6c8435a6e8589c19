"""Runs and batches, started and read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.calls import shown_turns, view_of
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.records import Run
from planner.sandbox.state.timeline import has_ended, run_status
from planner.sandbox.wire import calls as wire_calls
from planner.sandbox.wire import runs as wire
from planner.sandbox.wire.errors import not_found
from planner.sandbox.wire.requests import (
    BATCH_BODY,
    RUN_BODY,
    Page,
    RunsQuery,
    body_of,
    launch_request,
    path_id,
    query_of,
)


async def list_runs(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    query = query_of(request, RunsQuery)
    now = sandbox.now()
    if query.target_type is None and query.status is None and query.agent_id is None:
        return answer([_shown(sandbox, run, now) for run in query.newest_of(sandbox.state.runs)])
    matching = (
        run
        for run in sandbox.state.newest_first()
        if query.target_type in (None, run.target_type)
        and query.agent_id in (None, run.agent_id)
        and query.status in (None, run_status(run, now))
    )
    return answer([_shown(sandbox, run, now) for run in query.of(matching)])


async def start_run(sandbox: Sandbox, request: Request) -> Response:
    body = await body_of(request, RUN_BODY[sandbox.dialect])
    event = sandbox.launch(launch_request(body, trim=sandbox.world.trim_prompts))
    return answer(_shown(sandbox, event.runs[0], event.at), 201 if sandbox.dialect == "page" else 200)


async def list_batches(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    newest = query_of(request, Page).newest_of(sandbox.state.batches)
    return answer([wire.batch(batch, sandbox.state, sandbox.now(), sandbox.dialect) for batch in newest])


async def start_batch(sandbox: Sandbox, request: Request) -> Response:
    body = await body_of(request, BATCH_BODY[sandbox.dialect])
    event = sandbox.launch(launch_request(body, trim=sandbox.world.trim_prompts))
    assert event.batch is not None
    return answer(wire.batch(event.batch, sandbox.state, event.at, sandbox.dialect), 201)


async def read_batch(sandbox: Sandbox, request: Request) -> Response:
    batch = sandbox.state.batch(path_id(request.path_params, "batch_id", "Test call batch"))
    if batch is None:
        raise not_found("Test call batch")
    return answer(wire.batch(batch, sandbox.state, sandbox.now(), sandbox.dialect))


def _shown(sandbox: Sandbox, run: Run, now: float) -> wire.Run:
    fields = wire.run_fields(run, now)
    if sandbox.dialect == "page":
        return wire.Run(**fields)
    snapshot = sandbox.state.snapshots.get(run.snapshot)
    number = sandbox.world.phone_numbers.get(run.target_id) if run.target_type == "phone_number" else None
    view = view_of(sandbox, run, run.call_id, now) if has_ended(run, now) and run.call_id is not None else None
    role = sandbox.world.assistant_role
    fields |= {
        "agent_name": snapshot.name if snapshot else None,
        "target_name": (number.label or number.number) if number else snapshot.name if snapshot else "",
        "duration_seconds": wire_calls.duration_seconds(run) if view else None,
        "grade": wire_calls.grade(view, "client") if view else None,
        "requested_by_id": run.requested_by_id,
        "transcript": wire_calls.transcript(shown_turns(view), "client", role) if view else [],
    }
    return wire.ClientRun(**fields)
