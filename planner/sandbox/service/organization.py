"""What an organization has besides calls: phone numbers and money; who is asking; and whether anybody is there."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer, bearer_key
from planner.sandbox.wire import openapi
from planner.sandbox.wire import organization as wire
from planner.sandbox.wire.errors import not_found
from planner.sandbox.wire.requests import Page, path_id, query_of


async def read_health(_sandbox: Sandbox, _request: Request) -> Response:
    return answer({"ok": True})


async def read_openapi(sandbox: Sandbox, _request: Request) -> Response:
    return answer(openapi.document(sandbox.dialect))


async def read_whoami(sandbox: Sandbox, request: Request) -> Response:
    return answer(wire.whoami(sandbox.world, bearer_key(request), sandbox.dialect))


async def read_billing(sandbox: Sandbox, _request: Request) -> Response:
    return answer(wire.billing(sandbox.world, sandbox.state, sandbox.now(), sandbox.dialect))


async def list_transactions(sandbox: Sandbox, request: Request) -> Response:
    """Newest first."""
    query = query_of(request, Page)
    sandbox.state.billed_cents(sandbox.now())  # settles the calls that have ended
    entries = sandbox.state.transactions
    results = [wire.transaction(entry) for entry in query.newest_of(entries)]
    return answer({"results": results, "total": len(entries), "limit": query.size, "offset": query.offset})


async def list_phone_numbers(sandbox: Sandbox, _request: Request) -> Response:
    numbers = sandbox.world.phone_numbers.items()
    return answer([wire.phone_number(number_id, number, sandbox.dialect) for number_id, number in numbers])


async def read_phone_number(sandbox: Sandbox, request: Request) -> Response:
    number_id = path_id(request.path_params, "number_id", "Phone number")
    number = sandbox.world.phone_numbers.get(number_id)
    if number is None:
        raise not_found("Phone number")
    return answer(wire.phone_number(number_id, number, sandbox.dialect))
