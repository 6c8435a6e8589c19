"""The ASGI application: routes, keys, the faults of an exchange, errors as JSON, and the routes for tests only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from pydantic_core import to_json

from planner.sandbox.errors import ApiError, detail, insufficient_balance, invalid, throttled
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service import endpoints as e
from planner.sandbox.service.asgi import Message, Receive, Request, Response, Send, match_path, read_request
from planner.sandbox.worlds.faults import Fault

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Operation:
    """`body` and `query` name their models in `requests.py`. `route` is the name for faults; "" if there are no key and
    no faults."""

    endpoint: Callable[[e.Exchange], Any]
    method: str
    path: str
    route: str
    status: int = 200
    body: str = ""
    query: str = ""


def model(name: str) -> type[BaseModel]:
    """The model of a body or a query."""
    from planner.sandbox.service import requests  # not at start: many sessions only read

    return getattr(requests, name)


_RUNS = "/v1/test-calls"
_BATCHES = "/v1/test-call-batches"
_SIMULATIONS = "/v1/simulations"
_CALL = "/v1/calls/{call_id}"
_AGENT = "/v1/agents/{agent_id}"

_OPERATIONS = (
    Operation(e.list_runs, "GET", _RUNS, "list", query="RunsQuery"),
    Operation(e.start_run, "POST", _RUNS, "launch", 201, "NewRun"),
    Operation(e.list_batches, "GET", _BATCHES, "batches", query="Page"),
    Operation(e.start_batch, "POST", _BATCHES, "launch", 201, "NewBatch"),
    Operation(e.read_batch, "GET", f"{_BATCHES}/{{batch_id}}", "batch"),
    Operation(e.list_calls, "GET", "/v1/calls", "calls", query="CallsQuery"),
    Operation(e.read_call, "GET", _CALL, "call"),
    Operation(e.read_transcript, "GET", f"{_CALL}/transcript", "transcript"),
    Operation(e.read_history, "GET", f"{_CALL}/history", "history"),
    Operation(e.read_grade, "GET", f"{_CALL}/grade", "grade"),
    Operation(e.regrade, "POST", f"{_CALL}/grade", "grade", 201),
    Operation(e.read_audio, "GET", f"{_CALL}/audio", "audio"),
    Operation(e.list_agents, "GET", "/v1/agents", "agents"),
    Operation(e.create_agent, "POST", "/v1/agents", "create", 201, "NewAgent"),
    Operation(e.read_agent, "GET", _AGENT, "agent"),
    Operation(e.edit_agent, "PATCH", _AGENT, "edit", body="AgentEdit"),
    Operation(e.delete_agent, "DELETE", _AGENT, "delete", 204),
    Operation(e.deploy_agent, "POST", f"{_AGENT}/deploy", "deploy", body="Deployment"),
    Operation(e.discard_draft, "POST", f"{_AGENT}/discard-draft", "discard"),
    Operation(e.duplicate_agent, "POST", f"{_AGENT}/duplicate", "duplicate", 201, "AgentCopy"),
    Operation(e.list_variants, "GET", f"{_AGENT}/variants", "agent"),
    Operation(e.list_versions, "GET", f"{_AGENT}/versions", "versions"),
    Operation(e.list_phone_numbers, "GET", "/v1/phone-numbers", "phone_numbers"),
    Operation(e.read_phone_number, "GET", "/v1/phone-numbers/{number_id}", "phone_number"),
    Operation(e.read_billing, "GET", "/v1/billing", "billing"),
    Operation(e.list_transactions, "GET", "/v1/billing/transactions", "transactions", query="Page"),
    Operation(e.read_who_am_i, "GET", "/v1/whoami", "whoami"),
    Operation(e.read_health, "GET", "/v1/healthz", ""),
)


_UNDOCUMENTED = (
    Operation(e.read_recording, "GET", "/recordings/{call_id}.wav", ""),
    Operation(e.read_ledger, "GET", "/_sandbox/ledger", ""),
    Operation(e.read_control, "GET", "/_sandbox/control", ""),
    Operation(e.change_control, "POST", "/_sandbox/control", "", body="Control"),
)


_SECOND_PATHS = tuple(
    replace(each, path=each.path.replace(_BATCHES, f"{_SIMULATIONS}/batches").replace(_RUNS, _SIMULATIONS))
    for each in _OPERATIONS
    if each.path.startswith((_RUNS, _BATCHES))
)
"""Test calls under their second path."""
ABORT = "planner.abort"
"""The entry of the ASGI state with the function that closes the connection without an answer. The server and the
planner's client in the same process set it."""

_KEY = re.compile(r"sk_[A-Za-z0-9_]{4,}")
_HTML = "<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"


class App:
    """The ASGI application of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.paths: dict[str, dict[str, Operation]] = {}
        """Operations by path and method."""
        for operation in (*_OPERATIONS, *_SECOND_PATHS, *_UNDOCUMENTED):
            self.paths.setdefault(operation.path, {})[operation.method] = operation

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        methods, path_params = dict[str, Operation](), dict[str, str]()
        for path, operations_of_path in self.paths.items():
            if (found := match_path(path, scope["path"])) is not None:
                methods, path_params = operations_of_path, found
                break
        request = await read_request(scope, receive, path_params)
        if request is None:  # nothing of it was carried out, and nobody reads an answer
            return
        try:
            response = await self._answer(methods, request)
        except Exception:  # for the log or the test
            await self._send(_json({"detail": "Internal server error."}, 500), send)
            raise
        if response is None:
            await _lose(scope, receive)
        else:
            await self._send(response, send)

    async def _send(self, response: Response, send: Send) -> None:
        """Dated by the sandbox's own clock: clients measure the service's time by it."""
        await response.send(send, formatdate(self._sandbox.now(), usegmt=True))

    async def _answer(self, methods: dict[str, Operation], request: Request) -> Response | None:
        """None if the answer is to get lost."""
        self._sandbox.refresh()
        try:
            if not methods:
                raise detail(404, "Not found.")
            operation = methods.get("GET" if request.method == "HEAD" else request.method)
            if operation is None:
                allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
                raise detail(405, f'Method "{request.method}" not allowed.', {"Allow": allowed})
            return await _operate(self._sandbox, operation, request)
        except ApiError as error:
            return _json(error.body, error.status, error.headers)


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(body), status, headers=headers or {})


async def _lose(scope: Message, receive: Receive) -> None:
    """The client gets no answer, only a broken connection."""
    abort = cast("Callable[[], None] | None", scope.get("state", {}).get(ABORT))
    if abort is None:  # in the process of another client: raise what httpx raises for a closed connection
        from httpx import ReadError

        raise ReadError("the sandbox lost the answer on purpose")
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass


# Operations of the API


async def _operate(sandbox: Sandbox, operation: Operation, request: Request) -> Response | None:
    """Check the key, parse the request and answer it, with the faults of its route."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    if operation.route:
        _authenticate(sandbox, key)
        for fault in sandbox.faults.firing("before", operation.route):
            sandbox.note_fired(fault)
            _fail_before(sandbox, fault)
    body = _body(request, operation) if operation.body else None
    try:
        query = model(operation.query).model_validate(request.query_params) if operation.query else None
    except ValidationError as error:
        raise invalid(error) from error
    answered = operation.endpoint(e.Exchange(sandbox, request, key, body, query))
    response = answered if isinstance(answered, Response) else _json(answered, operation.status)
    for fault in sandbox.faults.firing("after", operation.route) if operation.route else ():
        sandbox.note_fired(fault)
        response = None if response is None else await _fail_after(fault, response)
    return response


def _authenticate(sandbox: Sandbox, key: str) -> None:
    challenge = {"WWW-Authenticate": "Bearer"}
    if not key:
        raise detail(401, "Authentication credentials were not provided.", challenge)
    if not (_KEY.fullmatch(key) if sandbox.api_keys is None else key in sandbox.api_keys):
        raise detail(401, "Invalid API key.", challenge)


def _body(request: Request, operation: Operation) -> Any:
    """Raises 415 or 400. No body is an empty object."""
    body = request.body
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


async def _fail_after(fault: Fault, response: Response) -> Response | None:
    """None if the answer is to get lost."""
    spec = fault.spec
    match spec.kind:
        case "lost_answer":
            return None
        case "error_after":
            return _json({"detail": "Internal server error."}, spec.status)
        case "garbage":
            if spec.body == "html":
                return Response(_HTML.encode(), response.status_code, "text/html; charset=utf-8")
            return Response(response.body[: max(1, len(response.body) // 2)], response.status_code)
        case _:
            await asyncio.sleep(spec.seconds)
            return response
