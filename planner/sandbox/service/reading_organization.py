"""What an organization has: agents with their versions, phone numbers, money; who is asking; and whether anybody is there."""

from __future__ import annotations

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer, bearer_key
from planner.sandbox.wire import openapi
from planner.sandbox.wire import organization as wire_org
from planner.sandbox.wire.errors import not_found
from planner.sandbox.wire.requests import page, path_id


async def healthz(_sandbox: Sandbox, _request: Request) -> Response:
    return answer({"ok": True})


async def read_openapi(sandbox: Sandbox, _request: Request) -> Response:
    return answer(openapi.document(sandbox.dialect))


async def read_whoami(sandbox: Sandbox, request: Request) -> Response:
    return answer(wire_org.whoami(sandbox.world, bearer_key(request), sandbox.dialect))


async def read_billing(sandbox: Sandbox, _request: Request) -> Response:
    return answer(wire_org.billing(sandbox.world, sandbox.state, sandbox.now(), sandbox.dialect))


async def list_transactions(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    window = page(request.query_params)
    sandbox.state.billed_cents(sandbox.now())  # settles the calls that have ended
    entries = sandbox.state.transactions
    results: list[JsonValue] = [wire_org.transaction(entry) for entry in window.newest_of(entries)]
    return answer({"results": results, "total": len(entries), "limit": window.limit, "offset": window.offset})


async def list_phone_numbers(sandbox: Sandbox, _request: Request) -> Response:
    numbers = sandbox.world.phone_numbers
    return answer([wire_org.phone_number(number_id, number, sandbox.dialect) for number_id, number in numbers.items()])


async def read_phone_number(sandbox: Sandbox, request: Request) -> Response:
    number_id = path_id(request.path_params, "number_id", "Phone number")
    number = sandbox.world.phone_numbers.get(number_id)
    if number is None:
        raise not_found("Phone number")
    return answer(wire_org.phone_number(number_id, number, sandbox.dialect))
