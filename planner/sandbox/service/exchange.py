"""Around every endpoint: the key, the faults of the exchange, errors as JSON, and an answer that can get lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import cast

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.wire.errors import ApiError, detail, insufficient_balance, throttled
from planner.sandbox.worlds.faults import Fault

ABORT = "planner.sandbox.abort"
"""Where `server.py` leaves, in the ASGI state, the way to cut a connection without an answer."""

_KEY = re.compile(r"sk_[A-Za-z0-9_]{4,}")
_HTML = "<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"

Handler = Callable[[Request], Awaitable[Response]]


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`body` may contain models."""
    return Response(to_json(body), status, headers, media_type="application/json")


def error_answer(error: ApiError) -> Response:
    return answer(error.body, error.status, error.headers)


async def client_gone(_request: Request, _error: Exception) -> Response:
    """It died before its request was whole: nothing of it was done, and nobody reads what it is answered."""
    return Response(status_code=400)


def bearer_key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def authenticate(sandbox: Sandbox, request: Request) -> None:
    key = bearer_key(request)
    challenge = {"WWW-Authenticate": "Bearer"}
    if not key:
        raise detail(401, "Authentication credentials were not provided.", challenge)
    if not (_KEY.fullmatch(key) if sandbox.api_keys is None else key in sandbox.api_keys):
        raise detail(401, "Invalid API key.", challenge)


def guarded(sandbox: Sandbox, route: str, handler: Handler) -> Handler:
    """The endpoint behind a key and exposed to the faults of its route."""

    async def endpoint(request: Request) -> Response:
        sandbox.refresh()
        try:
            authenticate(sandbox, request)
            for fault in sandbox.faults.firing("before", route):
                sandbox.note_fired(fault)
                _before(sandbox, fault)
            response = await handler(request)
        except ApiError as error:
            return error_answer(error)
        for fault in sandbox.faults.firing("after", route):
            sandbox.note_fired(fault)
            response = await _after(fault, response)
        return response

    return endpoint


def _before(sandbox: Sandbox, fault: Fault) -> None:
    spec = fault.spec
    match spec.kind:
        case "error_before":
            raise detail(spec.status, "Service unavailable.")
        case "throttle":
            raise throttled(spec.retry_after_seconds)
        case "no_balance":
            raise insufficient_balance()
        case "foreign_runs":
            sandbox.add_foreign_runs(spec.count, identical=spec.identical)
        case _:
            pass


async def _after(fault: Fault, response: Response) -> Response:
    spec = fault.spec
    match spec.kind:
        case "lost_answer":
            return LostResponse()
        case "error_after":
            return answer({"detail": "Internal server error."}, spec.status)
        case "garbage" if spec.body == "html":
            return Response(_HTML, response.status_code, media_type="text/html")
        case "garbage":
            return Response(
                bytes(response.body)[: max(1, len(response.body) // 2)],
                response.status_code,
                media_type="application/json",
            )
        case "slow":
            await asyncio.sleep(spec.seconds)
        case _:
            pass
    return response


class LostResponse(Response):
    """The client gets no answer, only a broken connection, wherever the sandbox runs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  there is nothing to send
        abort = cast("Callable[[], None] | None", scope.get("state", {}).get(ABORT))
        if abort is None:
            raise _in_process_loss()
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def _in_process_loss() -> Exception:
    """In-process there is no connection to cut: raise what httpx raises when one breaks (its ASGITransport passes it on)."""
    from httpx import ReadError  # only here: a served sandbox does not need a client

    return ReadError("the sandbox lost the answer on purpose")


class Dated:
    """Every answer carries the sandbox's own clock; clients measure the service's time by it."""

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
