"""Agents: read, created, drafted, deployed, duplicated and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.agents import FIELDS
from planner.sandbox.objects import Object
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.wire import organization as wire
from planner.sandbox.wire.errors import FieldMessages, detail, invalid, not_found
from planner.sandbox.wire.requests import json_object, path_id
from planner.sandbox.wire.runs import timestamp
from planner.sandbox.worlds.world import PRODUCTS

_REQUIRED = ("name", "prompt", "voice")


async def list_agents(sandbox: Sandbox, _request: Request) -> Response:
    return answer([_shown(sandbox, agent_id) for agent_id in sandbox.agents.ids])


async def read_agent(sandbox: Sandbox, request: Request) -> Response:
    return answer(_shown(sandbox, _agent_id(sandbox, request)))


async def create_agent(sandbox: Sandbox, request: Request) -> Response:
    """Deployed at once, as its revision 1."""
    fields = _fields(await _body(request), required=_REQUIRED)
    agent_id = sandbox.agents.create(fields, sandbox.now())
    return answer(_shown(sandbox, agent_id), 201)


async def edit_agent(sandbox: Sandbox, request: Request) -> Response:
    """Into a draft: calls use what is deployed."""
    agent_id = _agent_id(sandbox, request)
    sandbox.agents.draft(agent_id, _fields(await _body(request)), sandbox.now())
    return answer(_shown(sandbox, agent_id))


async def delete_agent(sandbox: Sandbox, request: Request) -> Response:
    sandbox.agents.delete(_agent_id(sandbox, request), sandbox.now())
    return Response(status_code=204)


async def deploy_draft(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    expected = (await _body(request)).get("if_updated_at")
    if expected is not None and expected != timestamp(sandbox.agents.snapshot(agent_id)[0].updated_at):
        raise detail(409, "The agent was changed since.")
    if sandbox.agents.record(agent_id).draft is None:
        raise detail(409, "There is no draft to deploy.")
    sandbox.agents.deploy(agent_id, sandbox.now())
    return answer(_shown(sandbox, agent_id))


async def discard_draft(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    sandbox.agents.discard(agent_id, sandbox.now())
    return answer(_shown(sandbox, agent_id))


async def duplicate_agent(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    name = _fields(await _body(request), names=("name",)).get("name", "")
    copy = sandbox.agents.duplicate(agent_id, name, sandbox.now())
    return answer(_shown(sandbox, copy), 201)


async def list_variants(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    snapshot = sandbox.agents.snapshot(agent_id)[0]
    shown: list[JsonValue] = [
        wire.variant(number, variant, snapshot) for number, variant in sandbox.agents.variants(agent_id).items()
    ]
    return answer(shown)


async def list_versions(sandbox: Sandbox, request: Request) -> Response:
    """Revisions, newest first: an array on the page, counted in the client."""
    agent_id = _agent_id(sandbox, request)
    current = sandbox.agents.snapshot(agent_id)[0]
    declared = sandbox.world.agents.get(agent_id)
    earlier = [] if declared is None else [n for n in sorted(declared.revisions, reverse=True) if n < current.revision]
    notes: Mapping[int, str] = {} if declared is None else {n: each.note for n, each in declared.revisions.items()}
    snapshots = [current, *(sandbox.world.snapshot(agent_id, number) for number in earlier)]
    versions: list[JsonValue] = [wire.version(each, notes.get(each.revision, "")) for each in snapshots]
    return answer(versions if sandbox.dialect == "page" else {"count": len(versions), "results": versions})


def _agent_id(sandbox: Sandbox, request: Request) -> int:
    agent_id = path_id(request.path_params, "agent_id", "Agent")
    if agent_id not in sandbox.agents.ids:
        raise not_found("Agent")
    return agent_id


async def _body(request: Request) -> dict[str, JsonValue]:
    return json_object(await request.body(), request.headers.get("content-type", ""))


def _fields(
    document: Mapping[str, JsonValue], required: Sequence[str] = (), names: Sequence[str] = FIELDS
) -> dict[str, str]:
    wrong: FieldMessages = {name: ["This field is required."] for name in required if name not in document}
    found: dict[str, str] = {}
    for name in names:
        value = document.get(name, "")
        if name not in document:
            continue
        if not isinstance(value, str):
            wrong[name] = ["Not a valid string."]
        elif not value.strip():
            wrong[name] = ["This field may not be blank."]
        elif name == "product" and value not in PRODUCTS:
            wrong[name] = [f'"{value}" is not a valid choice.']
        else:
            found[name] = value
    if wrong:
        raise invalid(wrong)
    return found


def _shown(sandbox: Sandbox, agent_id: int) -> Object:
    agents = sandbox.agents
    declared = sandbox.world.agents.get(agent_id)
    record = agents.record(agent_id)
    view = wire.AgentView(
        agents.snapshot(agent_id)[0],
        agents.thinking_level(agent_id),
        declared.created_at.timestamp() if declared else record.created_at,
        record.draft,
        record.draft_at,
    )
    return wire.agent(view, sandbox.dialect, sandbox.world_digest)
