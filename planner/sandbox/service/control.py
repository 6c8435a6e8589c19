"""Where a test changes the service and reads its truth (docs/sandbox.md). No key; not part of the API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.conversation import Object
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.money import balance_cents
from planner.sandbox.wire.errors import detail, invalid
from planner.sandbox.worlds.faults import FaultSpec
from planner.sandbox.worlds.files import WorldError
from planner.sandbox.worlds.part import Part


class Deploy(Part):
    agent_id: int
    revision: int | None = None


class ForeignRuns(Part):
    count: Annotated[int, Field(ge=1, le=200)] = 1
    identical: bool = False


class Control(Part):
    faults: tuple[FaultSpec, ...] = ()
    clear_faults: bool = False
    concurrency_limit: Annotated[int, Field(ge=1)] | None = None
    top_up_cents: int | None = None
    deploy: Deploy | None = None
    foreign_runs: ForeignRuns | None = None
    advance_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None


async def read_ledger(sandbox: Sandbox, _request: Request) -> Response:
    return answer(sandbox.ledger())


async def read_control(sandbox: Sandbox, _request: Request) -> Response:
    return answer(_in_force(sandbox))


async def change(sandbox: Sandbox, request: Request) -> Response:
    try:
        wanted = Control.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid(error) from error
    try:
        if wanted.deploy is not None:
            sandbox.check_deploy(wanted.deploy.agent_id, wanted.deploy.revision)
        for spec in wanted.faults:
            sandbox.check_fault(spec)
    except WorldError as error:
        raise detail(400, str(error)) from error
    if wanted.clear_faults:
        sandbox.faults.clear()
    for spec in wanted.faults:
        sandbox.faults.add(spec)
    if wanted.concurrency_limit is not None:
        sandbox.concurrency_limit = wanted.concurrency_limit
    if wanted.top_up_cents is not None:
        sandbox.top_up(wanted.top_up_cents)
    if wanted.deploy is not None:
        sandbox.agents.deploy_revision(wanted.deploy.agent_id, wanted.deploy.revision, sandbox.now())
    if wanted.foreign_runs is not None:
        sandbox.add_foreign_runs(wanted.foreign_runs.count, identical=wanted.foreign_runs.identical)
    if wanted.advance_seconds is not None:
        sandbox.advance(wanted.advance_seconds)
    return answer(_in_force(sandbox))


def _in_force(sandbox: Sandbox) -> Object:
    now = sandbox.now()
    faults: list[JsonValue] = [dict[str, JsonValue](item) for item in sandbox.faults.state()]
    return {
        "world": sandbox.world.world,
        "dialect": sandbox.dialect,
        "faults": faults,
        "concurrency_limit": sandbox.concurrency_limit,
        "ahead_seconds": sandbox.state.ahead_seconds,
        "live_runs": sandbox.state.live_runs(now),
        "balance_cents": balance_cents(sandbox.world, sandbox.state, now),
    }
