"""The routes: which path is which operation. What stands around every operation is in `exchange.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service import agents, control, reading_calls, reading_organization, recordings, runs_and_batches
from planner.sandbox.service.exchange import Dated, Handler, answer, client_gone, error_answer, guarded
from planner.sandbox.wire.errors import ApiError

Operation = Callable[[Sandbox, Request], Awaitable[Response]]

_KEYED: tuple[tuple[str, str, str, Operation], ...] = (
    ("GET", "/v1/test-calls", "list", runs_and_batches.list_runs),
    ("POST", "/v1/test-calls", "launch", runs_and_batches.start_run),
    ("GET", "/v1/test-call-batches", "batches", runs_and_batches.list_batches),
    ("POST", "/v1/test-call-batches", "launch", runs_and_batches.start_batch),
    ("GET", "/v1/test-call-batches/{batch_id}", "batch", runs_and_batches.read_batch),
    ("GET", "/v1/calls", "calls", reading_calls.list_calls),
    ("GET", "/v1/calls/{call_id}", "call", reading_calls.read_call),
    ("GET", "/v1/calls/{call_id}/transcript", "transcript", reading_calls.read_transcript),
    ("GET", "/v1/calls/{call_id}/history", "history", reading_calls.read_history),
    ("GET", "/v1/calls/{call_id}/grade", "grade", reading_calls.read_grade),
    ("POST", "/v1/calls/{call_id}/grade", "grade", reading_calls.regrade),
    ("GET", "/v1/calls/{call_id}/audio", "audio", recordings.read_audio),
    ("GET", "/v1/agents", "agents", agents.list_agents),
    ("POST", "/v1/agents", "agents", agents.create_agent),
    ("GET", "/v1/agents/{agent_id}", "agent", agents.read_agent),
    ("PATCH", "/v1/agents/{agent_id}", "agent", agents.edit_agent),
    ("DELETE", "/v1/agents/{agent_id}", "agent", agents.delete_agent),
    ("POST", "/v1/agents/{agent_id}/deploy", "agent", agents.deploy_draft),
    ("POST", "/v1/agents/{agent_id}/discard-draft", "agent", agents.discard_draft),
    ("POST", "/v1/agents/{agent_id}/duplicate", "agent", agents.duplicate_agent),
    ("GET", "/v1/agents/{agent_id}/variants", "agent", agents.list_variants),
    ("GET", "/v1/agents/{agent_id}/versions", "versions", agents.list_versions),
    ("GET", "/v1/phone-numbers", "phone_numbers", reading_organization.list_phone_numbers),
    ("GET", "/v1/phone-numbers/{number_id}", "phone_number", reading_organization.read_phone_number),
    ("GET", "/v1/billing", "billing", reading_organization.read_billing),
    ("GET", "/v1/billing/transactions", "transactions", reading_organization.list_transactions),
    ("GET", "/v1/whoami", "whoami", reading_organization.read_whoami),
)
"""(method, path, name of the route for faults, operation): these need a key."""

_FREE: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "/v1/healthz", reading_organization.healthz),
    ("GET", "/recordings/{call_id}.wav", recordings.read_recording),
    ("GET", "/openapi.json", reading_organization.read_openapi),
    ("GET", "/_sandbox/ledger", control.read_ledger),
    ("GET", "/_sandbox/control", control.read_control),
    ("POST", "/_sandbox/control", control.change),
)


def build_app(sandbox: Sandbox) -> ASGIApp:
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, name, operation in _KEYED:
        paths.setdefault(path, {})[method] = guarded(sandbox, name, partial(operation, sandbox))
    for method, path, operation in _FREE:
        paths.setdefault(path, {})[method] = partial(_free, sandbox, operation)
    # One Route a path: a wrong method is then 405 with all of the path's methods in Allow, not 404.
    routes = [Route(path, partial(_by_method, methods), methods=list(methods)) for path, methods in paths.items()]
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: _http_error, ClientDisconnect: client_gone, Exception: _bug}
    )
    app.router.redirect_slashes = False
    return Dated(app, sandbox)


async def _by_method(methods: dict[str, Handler], request: Request) -> Response:
    return await methods["GET" if request.method == "HEAD" else request.method](request)


async def _free(sandbox: Sandbox, operation: Operation, request: Request) -> Response:
    """An operation that needs no key and meets no faults."""
    sandbox.refresh()
    try:
        return await operation(sandbox, request)
    except ApiError as error:
        return error_answer(error)


async def _http_error(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    message = "Not found." if refusal.status_code == 404 else f'Method "{request.method}" not allowed.'
    return answer({"detail": message}, refusal.status_code, dict(refusal.headers or {}))


async def _bug(_request: Request, _error: Exception) -> Response:
    """A fault of the sandbox itself is JSON, too; Starlette raises it again afterwards, for the log or the test."""
    return answer({"detail": "Internal server error."}, 500)
