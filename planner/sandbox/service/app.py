"""The ASGI application: routes, keys, and errors as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import to_json

from planner.sandbox.errors import ApiError, detail, invalid
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service import endpoints as e
from planner.sandbox.service.asgi import Message, Receive, Request, Response, Send, match_path, read_request

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Operation:
    """`body` and `query` name their models in `requests.py`."""

    endpoint: Callable[[e.Exchange], Any]
    method: str
    path: str
    status: int = 200
    body: str = ""
    query: str = ""
    needs_key: bool = True


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
    Operation(e.list_runs, "GET", _RUNS, query="RunsQuery"),
    Operation(e.start_run, "POST", _RUNS, 201, "NewRun"),
    Operation(e.list_batches, "GET", _BATCHES, query="Page"),
    Operation(e.start_batch, "POST", _BATCHES, 201, "NewBatch"),
    Operation(e.read_batch, "GET", f"{_BATCHES}/{{batch_id}}"),
    Operation(e.list_calls, "GET", "/v1/calls", query="CallsQuery"),
    Operation(e.read_call, "GET", _CALL),
    Operation(e.read_transcript, "GET", f"{_CALL}/transcript"),
    Operation(e.read_history, "GET", f"{_CALL}/history"),
    Operation(e.read_grade, "GET", f"{_CALL}/grade"),
    Operation(e.regrade, "POST", f"{_CALL}/grade", 201),
    Operation(e.read_audio, "GET", f"{_CALL}/audio"),
    Operation(e.list_agents, "GET", "/v1/agents"),
    Operation(e.create_agent, "POST", "/v1/agents", 201, "NewAgent"),
    Operation(e.read_agent, "GET", _AGENT),
    Operation(e.edit_agent, "PATCH", _AGENT, body="AgentEdit"),
    Operation(e.delete_agent, "DELETE", _AGENT, 204),
    Operation(e.deploy_agent, "POST", f"{_AGENT}/deploy", body="Deployment"),
    Operation(e.discard_draft, "POST", f"{_AGENT}/discard-draft"),
    Operation(e.duplicate_agent, "POST", f"{_AGENT}/duplicate", 201, "AgentCopy"),
    Operation(e.list_variants, "GET", f"{_AGENT}/variants"),
    Operation(e.list_versions, "GET", f"{_AGENT}/versions"),
    Operation(e.list_phone_numbers, "GET", "/v1/phone-numbers"),
    Operation(e.read_phone_number, "GET", "/v1/phone-numbers/{number_id}"),
    Operation(e.read_billing, "GET", "/v1/billing"),
    Operation(e.list_transactions, "GET", "/v1/billing/transactions", query="Page"),
    Operation(e.read_who_am_i, "GET", "/v1/whoami"),
    Operation(e.read_health, "GET", "/v1/healthz", needs_key=False),
)


_UNDOCUMENTED = (
    Operation(e.read_recording, "GET", "/recordings/{call_id}.wav", needs_key=False),
    Operation(e.read_ledger, "GET", "/_sandbox/ledger", needs_key=False),
)


_SECOND_PATHS = tuple(
    replace(each, path=each.path.replace(_BATCHES, f"{_SIMULATIONS}/batches").replace(_RUNS, _SIMULATIONS))
    for each in _OPERATIONS
    if each.path.startswith((_RUNS, _BATCHES))
)
"""Test calls under their second path."""
_KEY = re.compile(r"sk_[A-Za-z0-9_]{4,}")


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
            response = self._answer(methods, request)
        except Exception:  # for the log or the test
            await self._send(_json({"detail": "Internal server error."}, 500), send)
            raise
        await self._send(response, send)

    async def _send(self, response: Response, send: Send) -> None:
        """Dated by the sandbox's own clock: clients measure the service's time by it."""
        await response.send(send, formatdate(self._sandbox.now(), usegmt=True))

    def _answer(self, methods: dict[str, Operation], request: Request) -> Response:
        try:
            if not methods:
                raise detail(404, "Not found.")
            operation = methods.get("GET" if request.method == "HEAD" else request.method)
            if operation is None:
                allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
                raise detail(405, f'Method "{request.method}" not allowed.', {"Allow": allowed})
            return _operate(self._sandbox, operation, request)
        except ApiError as error:
            return _json(error.body, error.status, error.headers)


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(body), status, headers=headers or {})


# Operations of the API


def _operate(sandbox: Sandbox, operation: Operation, request: Request) -> Response:
    """Check the key, parse the request and answer it."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    if operation.needs_key:
        _authenticate(sandbox, key)
    body = _body(request, operation) if operation.body else None
    try:
        query = model(operation.query).model_validate(request.query_params) if operation.query else None
    except ValidationError as error:
        raise invalid(error) from error
    answered = operation.endpoint(e.Exchange(sandbox, request, key, body, query))
    return answered if isinstance(answered, Response) else _json(answered, operation.status)


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
    if body and media_type != "application/json":
        raise detail(415, f'Unsupported media type "{media_type}" in request.')
    try:
        return model(operation.body).model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid(error) from error
