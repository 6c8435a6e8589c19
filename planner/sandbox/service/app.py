"""The ASGI application: routes, keys, the faults of an exchange, errors as JSON, and the routes for tests only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.sandbox.errors import ApiError, detail, insufficient_balance, invalid, throttled
from planner.sandbox.sandbox import Dialect, Sandbox
from planner.sandbox.service import endpoints as e
from planner.sandbox.worlds.faults import Fault

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Operation:
    """`answers` names the answer in `fields.py`, `body` and `query` their models in `requests.py`. `route` is the name for faults; "" if there are no key and no faults."""

    endpoint: Callable[[e.Exchange], Any]
    method: str
    path: str
    route: str
    answers: str
    status: int = 200
    body: str = ""
    query: str = ""
    refusals: tuple[int, ...] = ()
    """Beyond those for the key, an id in the path, the body and the query."""
    client: dict[str, Any] = field(default_factory=dict[str, Any])
    """What is different in the client's dialect."""

    @property
    def id(self) -> str:
        first, *others = self.endpoint.__name__.split("_")
        return first + "".join(word.title() for word in others)


def model(name: str) -> type[BaseModel]:
    """The model of a body or a query."""
    from planner.sandbox.service import requests  # not at start: many sessions only read

    return getattr(requests, name)


_LAUNCH = (402, 404, 429)
_RUN = {"status": 200, "body": "ClientRun"}
_BATCH = {"body": "ClientBatch"}
_RUNS = "/v1/test-calls"
_BATCHES = "/v1/test-call-batches"
_SIMULATIONS = "/v1/simulations"
_CALL = "/v1/calls/{call_id}"
_AGENT = "/v1/agents/{agent_id}"

_OPERATIONS = (
    Operation(e.list_runs, "GET", _RUNS, "list", "Run[]", query="RunsQuery"),
    Operation(e.start_run, "POST", _RUNS, "launch", "Run", 201, "PageRun", refusals=_LAUNCH, client=_RUN),
    Operation(e.list_batches, "GET", _BATCHES, "batches", "Batch[]", query="Page"),
    Operation(e.start_batch, "POST", _BATCHES, "launch", "Batch", 201, "PageBatch", refusals=_LAUNCH, client=_BATCH),
    Operation(e.read_batch, "GET", f"{_BATCHES}/{{batch_id}}", "batch", "Batch"),
    Operation(e.list_calls, "GET", "/v1/calls", "calls", "Calls", query="CallsQuery"),
    Operation(e.read_call, "GET", _CALL, "call", "Call"),
    Operation(e.read_transcript, "GET", f"{_CALL}/transcript", "transcript", "Transcript"),
    Operation(e.read_history, "GET", f"{_CALL}/history", "history", "Turn[]"),
    Operation(e.read_grade, "GET", f"{_CALL}/grade", "grade", "Grade"),
    Operation(e.regrade, "POST", f"{_CALL}/grade", "grade", "Grade", 201, refusals=(402, 409)),
    Operation(e.read_audio, "GET", f"{_CALL}/audio", "audio", "Audio"),
    Operation(e.list_agents, "GET", "/v1/agents", "agents", "Agent[]"),
    Operation(e.create_agent, "POST", "/v1/agents", "create", "Agent", 201, "NewAgent", refusals=(409,)),
    Operation(e.read_agent, "GET", _AGENT, "agent", "Agent"),
    Operation(e.edit_agent, "PATCH", _AGENT, "edit", "Agent", body="AgentEdit", refusals=(409,)),
    Operation(e.delete_agent, "DELETE", _AGENT, "delete", "", 204),
    Operation(e.deploy_agent, "POST", f"{_AGENT}/deploy", "deploy", "Agent", body="Deployment", refusals=(409,)),
    Operation(e.discard_draft, "POST", f"{_AGENT}/discard-draft", "discard", "Agent"),
    Operation(
        e.duplicate_agent, "POST", f"{_AGENT}/duplicate", "duplicate", "Agent", 201, "AgentCopy", refusals=(409,)
    ),
    Operation(e.list_variants, "GET", f"{_AGENT}/variants", "agent", "Variant[]"),
    Operation(e.list_versions, "GET", f"{_AGENT}/versions", "versions", "Version[]", client={"answers": "Versions"}),
    Operation(e.list_phone_numbers, "GET", "/v1/phone-numbers", "phone_numbers", "PhoneNumber[]"),
    Operation(e.read_phone_number, "GET", "/v1/phone-numbers/{number_id}", "phone_number", "PhoneNumber"),
    Operation(e.read_billing, "GET", "/v1/billing", "billing", "Billing"),
    Operation(e.list_transactions, "GET", "/v1/billing/transactions", "transactions", "Transactions", query="Page"),
    Operation(e.read_who_am_i, "GET", "/v1/whoami", "whoami", "WhoAmI"),
    Operation(e.read_health, "GET", "/v1/healthz", "", "Health"),
)


UNDOCUMENTED = (
    Operation(e.read_recording, "GET", "/recordings/{call_id}.wav", "", ""),
    Operation(e.read_openapi, "GET", "/openapi.json", "", ""),
    Operation(e.read_ledger, "GET", "/_sandbox/ledger", "", ""),
    Operation(e.read_control, "GET", "/_sandbox/control", "", ""),
    Operation(e.change_control, "POST", "/_sandbox/control", "", "", body="Control"),
)


def operations(dialect: Dialect) -> tuple[Operation, ...]:
    if dialect == "page":
        return _OPERATIONS
    return tuple(replace(operation, **operation.client) for operation in _OPERATIONS)


def simulations(dialect: Dialect) -> tuple[Operation, ...]:
    """Test calls under their second path."""
    return tuple(
        replace(each, path=each.path.replace(_BATCHES, f"{_SIMULATIONS}/batches").replace(_RUNS, _SIMULATIONS))
        for each in operations(dialect)
        if each.path.startswith((_RUNS, _BATCHES))
    )


ABORT = "planner.abort"
"""The entry of the ASGI state with the function that closes the connection without an answer. The server and the
planner's client in the same process set it."""

_KEY = re.compile(r"sk_[A-Za-z0-9_]{4,}")
_HTML = "<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"


def build_app(sandbox: Sandbox) -> ASGIApp:
    paths: dict[str, dict[str, Operation]] = {}
    for operation in (*operations(sandbox.dialect), *simulations(sandbox.dialect), *UNDOCUMENTED):
        paths.setdefault(operation.path, {})[operation.method] = operation
    # One Route per path: a wrong method is then 405 with all methods of the path in Allow, not 404.
    routes = [Route(path, partial(_answer, sandbox, methods), methods=list(methods)) for path, methods in paths.items()]
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: _http_error, ClientDisconnect: _client_gone, Exception: _bug}
    )
    app.router.redirect_slashes = False
    return Dated(app, sandbox)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(body), status, headers, media_type="application/json")


async def _answer(sandbox: Sandbox, methods: dict[str, Operation], request: Request) -> Response:
    sandbox.refresh()
    try:
        return await _operate(sandbox, methods["GET" if request.method == "HEAD" else request.method], request)
    except ApiError as error:
        return _json(error.body, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    message = "Not found." if refusal.status_code == 404 else f'Method "{request.method}" not allowed.'
    return _json({"detail": message}, refusal.status_code, dict(refusal.headers or {}))


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """The client died before its request was complete: nothing of it was carried out, and nobody reads the answer."""
    return Response(status_code=400)


async def _bug(_request: Request, _error: Exception) -> Response:
    """Starlette raises the error again afterwards, for the log or the test."""
    return _json({"detail": "Internal server error."}, 500)


# Operations of the API


async def _operate(sandbox: Sandbox, operation: Operation, request: Request) -> Response:
    """Check the key, parse the request and answer it, with the faults of its route."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    if operation.route:
        _authenticate(sandbox, key)
        for fault in sandbox.faults.firing("before", operation.route):
            sandbox.note_fired(fault)
            _fail_before(sandbox, fault)
    body = await _body(request, operation) if operation.body else None
    try:
        query = model(operation.query).model_validate(dict(request.query_params)) if operation.query else None
    except ValidationError as error:
        raise invalid(error) from error
    answered = operation.endpoint(e.Exchange(sandbox, request, key, body, query))
    response = answered if isinstance(answered, Response) else _json(answered, operation.status)
    for fault in sandbox.faults.firing("after", operation.route) if operation.route else ():
        sandbox.note_fired(fault)
        response = await _fail_after(fault, response)
    return response


def _authenticate(sandbox: Sandbox, key: str) -> None:
    challenge = {"WWW-Authenticate": "Bearer"}
    if not key:
        raise detail(401, "Authentication credentials were not provided.", challenge)
    if not (_KEY.fullmatch(key) if sandbox.api_keys is None else key in sandbox.api_keys):
        raise detail(401, "Invalid API key.", challenge)


async def _body(request: Request, operation: Operation) -> Any:
    """Raises 415 or 400. No body is an empty object."""
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and operation.route and media_type != "application/json":
        raise detail(415, f'Unsupported media type "{media_type}" in request.')
    try:
        return model(operation.body).model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid(error) from error


def _fail_before(sandbox: Sandbox, fault: Fault) -> None:
    spec = fault.spec
    match spec.kind:
        case "error_before":
            raise detail(spec.status, spec.message)
        case "throttle":
            raise throttled(spec.retry_after_seconds)
        case "no_balance":
            raise insufficient_balance()
        case _:
            sandbox.add_foreign_runs(spec.count, identical=spec.identical)


async def _fail_after(fault: Fault, response: Response) -> Response:
    spec = fault.spec
    match spec.kind:
        case "lost_answer":
            return _LostResponse()
        case "error_after":
            return _json({"detail": "Internal server error."}, spec.status)
        case "garbage":
            cut, media_type = bytes(response.body)[: max(1, len(response.body) // 2)], "application/json"
            if spec.body == "html":
                cut, media_type = _HTML.encode(), "text/html"
            return Response(cut, response.status_code, media_type=media_type)
        case _:
            await asyncio.sleep(spec.seconds)
            return response


class _LostResponse(Response):
    """The client gets no answer, only a broken connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  nothing is sent
        abort = cast("Callable[[], None] | None", scope.get("state", {}).get(ABORT))
        if abort is None:  # in the process of another client: raise what httpx raises for a closed connection
            from httpx import ReadError

            raise ReadError("the sandbox lost the answer on purpose")
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class Dated:
    """Adds the sandbox's own clock to every answer: clients measure the service's time by it."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._sandbox.now(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", []), (b"date", date)]}
            await send(message)

        await self._app(scope, receive, dated if scope["type"] == "http" else send)
