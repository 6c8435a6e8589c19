"""The five operations of the reference page: runs and batches, started and read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.objects import Object
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.service.reading_calls import shown_turns, view_of
from planner.sandbox.state.records import STATUSES, TARGET_TYPES, Batch, Run
from planner.sandbox.state.timeline import has_ended, run_status
from planner.sandbox.wire import calls as wire_calls
from planner.sandbox.wire import runs as wire
from planner.sandbox.wire.errors import not_found
from planner.sandbox.wire.requests import (
    LaunchRequest,
    json_object,
    launch_request,
    page,
    path_id,
    query_choice,
    query_integer,
)


async def list_runs(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    query = request.query_params
    window = page(query)
    target_type = query_choice(query, "target_type", TARGET_TYPES)
    status = query_choice(query, "status", STATUSES)
    agent_id = query_integer(query, "agent_id")
    now = sandbox.now()
    if target_type is None and status is None and agent_id is None:
        return answer([_shown_run(sandbox, run, now) for run in window.newest_of(sandbox.state.runs)])
    matching = (
        run
        for run in sandbox.state.newest_first()
        if (target_type is None or run.target_type == target_type)
        and (agent_id is None or run.agent_id == agent_id)
        and (status is None or run_status(run, now) == status)
    )
    return answer([_shown_run(sandbox, run, now) for run in window.of(matching)])


async def start_run(sandbox: Sandbox, request: Request) -> Response:
    event = sandbox.launch(await _body(sandbox, request, is_batch=False))
    return answer(_shown_run(sandbox, event.runs[0], event.at), 201 if sandbox.dialect == "page" else 200)


async def list_batches(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    window = page(request.query_params)
    now = sandbox.now()
    return answer([_shown_batch(sandbox, batch, now) for batch in window.newest_of(sandbox.state.batches)])


async def start_batch(sandbox: Sandbox, request: Request) -> Response:
    event = sandbox.launch(await _body(sandbox, request, is_batch=True))
    assert event.batch is not None
    return answer(_shown_batch(sandbox, event.batch, event.at), 201)


async def read_batch(sandbox: Sandbox, request: Request) -> Response:
    batch_id = path_id(request.path_params, "batch_id", "Test call batch")
    batch = sandbox.state.batch(batch_id)
    if batch is None:
        raise not_found("Test call batch")
    return answer(_shown_batch(sandbox, batch, sandbox.now()))


async def _body(sandbox: Sandbox, request: Request, *, is_batch: bool) -> LaunchRequest:
    document = json_object(await request.body(), request.headers.get("content-type", ""))
    return launch_request(document, sandbox.dialect, is_batch=is_batch, trim=sandbox.world.trim_prompts)


def _shown_batch(sandbox: Sandbox, batch: Batch, now: float) -> Object:
    show = wire.page_batch if sandbox.dialect == "page" else wire.client_batch
    return show(batch, sandbox.state, now)


def _shown_run(sandbox: Sandbox, run: Run, now: float) -> Object:
    if sandbox.dialect == "page":
        return wire.page_run(run, now)
    snapshot = sandbox.state.snapshots.get(run.snapshot)
    number = sandbox.world.phone_numbers.get(run.target_id) if run.target_type == "phone_number" else None
    view = view_of(sandbox, run, run.call_id, now) if has_ended(run, now) and run.call_id is not None else None
    return wire.client_run(
        run,
        now,
        agent_name=snapshot.name if snapshot else None,
        target_name=(number.label or number.number) if number else snapshot.name if snapshot else "",
        grade=wire_calls.grade(view, "client") if view else None,
        transcript=wire_calls.transcript(shown_turns(view), "client", sandbox.world.assistant_role) if view else [],
    )
