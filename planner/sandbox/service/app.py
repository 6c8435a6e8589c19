"""The routes: which operation of the API is which function. What every operation has around it is in `exchange.py`."""

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
from planner.sandbox.service import agents, calls, control, organization, runs
from planner.sandbox.service.exchange import Dated, Handler, answer, client_gone, error_answer, guarded
from planner.sandbox.wire.errors import ApiError
from planner.sandbox.wire.openapi import operations

Function = Callable[[Sandbox, Request], Awaitable[Response]]

_FUNCTIONS: dict[str, Function] = {
    "listRuns": runs.list_runs,
    "startRun": runs.start_run,
    "listBatches": runs.list_batches,
    "startBatch": runs.start_batch,
    "readBatch": runs.read_batch,
    "listCalls": calls.list_calls,
    "readCall": calls.read_call,
    "readTranscript": calls.read_transcript,
    "readHistory": calls.read_history,
    "readGrade": calls.read_grade,
    "regrade": calls.regrade,
    "readAudio": calls.read_audio,
    "listAgents": agents.list_agents,
    "createAgent": agents.create_agent,
    "readAgent": agents.read_agent,
    "editAgent": agents.edit_agent,
    "deleteAgent": agents.delete_agent,
    "deployAgent": agents.deploy_draft,
    "discardDraft": agents.discard_draft,
    "duplicateAgent": agents.duplicate_agent,
    "listVariants": agents.list_variants,
    "listVersions": agents.list_versions,
    "listPhoneNumbers": organization.list_phone_numbers,
    "readPhoneNumber": organization.read_phone_number,
    "readBilling": organization.read_billing,
    "listTransactions": organization.list_transactions,
    "readWhoAmI": organization.read_whoami,
    "readHealth": organization.read_health,
}
"""By the operation's id in the OpenAPI document."""

_OTHERS: tuple[tuple[str, str, Function], ...] = (
    ("GET", "/recordings/{call_id}.wav", calls.read_recording),
    ("GET", "/openapi.json", organization.read_openapi),
    ("GET", "/_sandbox/ledger", control.read_ledger),
    ("GET", "/_sandbox/control", control.read_control),
    ("POST", "/_sandbox/control", control.change),
)


def build_app(sandbox: Sandbox) -> ASGIApp:
    paths: dict[str, dict[str, Handler]] = {}
    for operation in operations(sandbox.dialect):
        function = partial(_FUNCTIONS[operation.id], sandbox)
        handler = guarded(sandbox, operation.route, function) if operation.route else partial(_free, sandbox, function)
        paths.setdefault(operation.path, {})[operation.method] = handler
    for method, path, function in _OTHERS:
        paths.setdefault(path, {})[method] = partial(_free, sandbox, partial(function, sandbox))
    # One Route per path: a wrong method is then 405 with all methods of the path in Allow, not 404.
    routes = [Route(path, partial(_by_method, methods), methods=list(methods)) for path, methods in paths.items()]
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: _http_error, ClientDisconnect: client_gone, Exception: _bug}
    )
    app.router.redirect_slashes = False
    return Dated(app, sandbox)


async def _by_method(methods: dict[str, Handler], request: Request) -> Response:
    return await methods["GET" if request.method == "HEAD" else request.method](request)


async def _free(sandbox: Sandbox, handler: Handler, request: Request) -> Response:
    """An operation without a key and without faults."""
    sandbox.refresh()
    try:
        return await handler(request)
    except ApiError as error:
        return error_answer(error)


async def _http_error(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    message = "Not found." if refusal.status_code == 404 else f'Method "{request.method}" not allowed.'
    return answer({"detail": message}, refusal.status_code, dict(refusal.headers or {}))


async def _bug(_request: Request, _error: Exception) -> Response:
    """An error of the sandbox itself is JSON, too; Starlette raises it again afterwards, for the log or the test."""
    return answer({"detail": "Internal server error."}, 500)
