"""Agents: read, created, drafted, deployed, duplicated and deleted."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.wire import organization as wire
from planner.sandbox.wire.answers import timestamp
from planner.sandbox.wire.errors import detail, not_found
from planner.sandbox.wire.requests import AgentCopy, AgentEdit, Deployment, NewAgent, body_of, path_id


async def list_agents(sandbox: Sandbox, _request: Request) -> Response:
    return answer([_shown(sandbox, agent_id) for agent_id in sandbox.agents.ids])


async def read_agent(sandbox: Sandbox, request: Request) -> Response:
    return answer(_shown(sandbox, _agent_id(sandbox, request)))


async def create_agent(sandbox: Sandbox, request: Request) -> Response:
    """Deployed at once, as its revision 1."""
    fields = await body_of(request, NewAgent)
    agent_id = sandbox.agents.create(fields.model_dump(exclude_none=True), sandbox.now())
    return answer(_shown(sandbox, agent_id), 201)


async def edit_agent(sandbox: Sandbox, request: Request) -> Response:
    """Writes a draft: calls use what is deployed."""
    agent_id = _agent_id(sandbox, request)
    fields = await body_of(request, AgentEdit)
    sandbox.agents.draft(agent_id, fields.model_dump(exclude_none=True), sandbox.now())
    return answer(_shown(sandbox, agent_id))


async def delete_agent(sandbox: Sandbox, request: Request) -> Response:
    sandbox.agents.delete(_agent_id(sandbox, request), sandbox.now())
    return Response(status_code=204)


async def deploy_draft(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    expected = (await body_of(request, Deployment)).if_updated_at
    if expected is not None and expected != timestamp(sandbox.agents.snapshot(agent_id)[0].updated_at):
        raise detail(409, "The agent was changed meanwhile.")
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
    name = (await body_of(request, AgentCopy)).name or ""
    return answer(_shown(sandbox, sandbox.agents.duplicate(agent_id, name, sandbox.now())), 201)


async def list_variants(sandbox: Sandbox, request: Request) -> Response:
    agent_id = _agent_id(sandbox, request)
    snapshot = sandbox.agents.snapshot(agent_id)[0]
    variants = sandbox.agents.variants(agent_id).items()
    return answer([wire.variant(number, variant, snapshot) for number, variant in variants])


async def list_versions(sandbox: Sandbox, request: Request) -> Response:
    """Revisions, newest first: an array on the page, counted in the client."""
    agent_id = _agent_id(sandbox, request)
    current = sandbox.agents.snapshot(agent_id)[0]
    declared = sandbox.world.agents.get(agent_id)
    revisions = {} if declared is None else declared.revisions
    earlier = sorted((number for number in revisions if number < current.revision), reverse=True)
    snapshots = [current, *(sandbox.world.snapshot(agent_id, number) for number in earlier)]
    notes = {number: revision.note for number, revision in revisions.items()}
    versions = [wire.version(each, notes.get(each.revision, "")) for each in snapshots]
    return answer(versions if sandbox.dialect == "page" else {"count": len(versions), "results": versions})


def _agent_id(sandbox: Sandbox, request: Request) -> int:
    agent_id = path_id(request.path_params, "agent_id", "Agent")
    if agent_id not in sandbox.agents.ids:
        raise not_found("Agent")
    return agent_id


def _shown(sandbox: Sandbox, agent_id: int) -> wire.Agent:
    agents = sandbox.agents
    shown = wire.agent_fields(agents.snapshot(agent_id)[0], agents.record(agent_id), sandbox.world_digest)
    model = wire.Agent if sandbox.dialect == "page" else wire.ClientAgent
    return model(**shown, created_at=agents.created_at(agent_id))
