"""The endpoints of the API: each takes an exchange and returns the body of its answer."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.errors import detail, not_found
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service import answers
from planner.sandbox.service.answers import CallView

_RECORDING_VALID_SECONDS = 3600


@dataclass(frozen=True)
class Exchange:
    """A request whose body and query fit its operation."""

    sandbox: Sandbox
    request: Request
    key: str
    body: Any = None
    query: Any = None

    def id(self, name: str, what: str) -> int:
        """An id in the path: anything that is not a 64-bit integer does not exist."""
        text: str = self.request.path_params[name]
        if not (text.isascii() and text.isdigit()) or len(text) > 19:
            raise not_found(what)
        return int(text)

    def agent_id(self) -> int:
        agent_id = self.id("agent_id", "Agent")
        if agent_id not in self.sandbox.agents.ids:
            raise not_found("Agent")
        return agent_id

    def call(self) -> CallView:
        call_id, now = self.id("call_id", "Call"), self.sandbox.now()
        run = self.sandbox.state.run_of_call(call_id)
        if run is None or not run.call_exists(now):
            raise not_found("Call")
        return CallView(self.sandbox, run, call_id, now)


# Runs and batches


def list_runs(exchange: Exchange) -> Any:
    """Newest first."""
    sandbox, query, now = exchange.sandbox, exchange.query, exchange.sandbox.now()
    matching = (
        run
        for run in sandbox.state.newest_first()
        if query.target_type in (None, run.target_type)
        and (query.agent_id is None or (run.target_type, run.target_id) == ("agent", query.agent_id))
        and query.status in (None, run.status(now))
    )
    return [answers.run(run, sandbox, now) for run in query.of(matching)]


def start_run(exchange: Exchange) -> Any:
    sandbox = exchange.sandbox
    event = sandbox.launch(exchange.body.launch_request(trim=sandbox.world.trim_prompts))
    return answers.run(event.runs[0], sandbox, event.at)


def list_batches(exchange: Exchange) -> Any:
    """Newest first."""
    newest = exchange.query.of(reversed(exchange.sandbox.state.batches.values()))
    return [answers.batch(batch, exchange.sandbox, exchange.sandbox.now()) for batch in newest]


def start_batch(exchange: Exchange) -> Any:
    sandbox = exchange.sandbox
    event = sandbox.launch(exchange.body.launch_request(trim=sandbox.world.trim_prompts))
    assert event.batch is not None
    return answers.batch(event.batch, sandbox, event.at)


def read_batch(exchange: Exchange) -> Any:
    batch = exchange.sandbox.state.batches.get(exchange.id("batch_id", "Test call batch"))
    if batch is None:
        raise not_found("Test call batch")
    return answers.batch(batch, exchange.sandbox, exchange.sandbox.now())


# Calls


def list_calls(exchange: Exchange) -> Any:
    """Newest first; the SIP leg comes after its call. All calls here are test calls."""
    sandbox, query, now = exchange.sandbox, exchange.query, exchange.sandbox.now()

    def matches(view: CallView) -> bool:
        run = view.run
        return (
            query.exclude_test_calls == "false"
            and query.agent_id in (None, view.snapshot.agent_id)
            and query.direction in (None, view.direction)
            and query.status in (None, view.status)
            and query.includes(run.starts_at)
            and query.from_number in (None, run.from_number)
            and query.to_number in (None, run.to_number)
            and query.phone_number in (None, run.from_number, run.to_number)
        )

    views = (
        CallView(sandbox, run, call_id, now)
        for run in sandbox.state.newest_first()
        if run.call_exists(now)
        for call_id in (run.call_id, run.sip_call_id)
        if call_id is not None
    )
    matching = [view for view in views if matches(view)]
    results = [answers.call(view) for view in query.of(matching)]
    return {"results": results, "total": len(matching), "limit": query.size, "offset": query.offset}


def read_call(exchange: Exchange) -> Any:
    return answers.call(exchange.call())


def read_transcript(exchange: Exchange) -> Any:
    view = exchange.call()
    return {"call_id": view.call_id, "transcripts": answers.transcript(view)}


def read_history(exchange: Exchange) -> Any:
    return answers.turns(exchange.call().turns, exchange.sandbox.world.assistant_role)


def read_grade(exchange: Exchange) -> Any:
    view = exchange.call()
    if not view.has_ended:
        raise detail(404, "This call has no grade yet.")
    return answers.grade(view)


def regrade(exchange: Exchange) -> Any:
    """Grade a call again, which is billed."""
    view = exchange.call()
    if not view.has_ended:
        raise detail(409, "The call is still in progress.")
    exchange.sandbox.regrade(view.run)
    return answers.grade(exchange.call())


def read_audio(exchange: Exchange) -> Any:
    """The address of the recording, which needs no key and expires; 404 before the call has ended."""
    view = exchange.call()
    if not view.has_ended:
        raise detail(404, "There is no recording before the call has ended.")
    expires = int(view.now) + _RECORDING_VALID_SECONDS
    signature = _signature(exchange.sandbox, view.call_id, expires)
    where = f"{str(exchange.request.base_url).rstrip('/')}/recordings/{view.call_id}.wav"
    return {"url": f"{where}?expires={expires}&signature={signature}"}


def read_recording(exchange: Exchange) -> Any:
    from planner.sandbox.conversations.audio import recording  # few clients listen

    view, given = exchange.call(), exchange.request.query_params
    expires = given.get("expires", "")
    signature = _signature(exchange.sandbox, view.call_id, expires)
    good = expires.isdecimal() and hmac.compare_digest(given.get("signature", "").encode(), signature.encode())
    if not good or int(expires) < view.now:
        raise detail(403, "This address has expired: ask for the recording again.")
    return Response(recording(view.run.conversation), media_type="audio/wav")


def _signature(sandbox: Sandbox, call_id: int, expires: int | str) -> str:
    return hmac.new(sandbox.secret, f"{call_id}:{expires}".encode(), sha256).hexdigest()


# Agents


def list_agents(exchange: Exchange) -> Any:
    return [answers.agent(agent_id, exchange.sandbox) for agent_id in exchange.sandbox.agents.ids]


def read_agent(exchange: Exchange) -> Any:
    return answers.agent(exchange.agent_id(), exchange.sandbox)


def create_agent(exchange: Exchange) -> Any:
    """A new agent is deployed at once, as revision 1."""
    sandbox = exchange.sandbox
    agent_id = sandbox.agents.create(exchange.body.model_dump(exclude_none=True), sandbox.now())
    return answers.agent(agent_id, sandbox)


def edit_agent(exchange: Exchange) -> Any:
    """Writes a draft: calls use what is deployed."""
    sandbox, agent_id = exchange.sandbox, exchange.agent_id()
    sandbox.agents.draft(agent_id, exchange.body.model_dump(exclude_none=True), sandbox.now())
    return answers.agent(agent_id, sandbox)


def delete_agent(exchange: Exchange) -> Any:
    exchange.sandbox.agents.delete(exchange.agent_id())
    return Response(status_code=204)


def deploy_agent(exchange: Exchange) -> Any:
    sandbox, agent_id = exchange.sandbox, exchange.agent_id()
    expected, draft = exchange.body.if_updated_at, sandbox.agents.record(agent_id).draft
    if expected is not None and expected != answers.timestamp(sandbox.agents.snapshot(agent_id).updated_at):
        raise detail(409, "The agent was changed meanwhile.")
    if draft is None:
        raise detail(409, "There is no draft to deploy.")
    sandbox.agents.deploy(agent_id, draft, sandbox.now())
    return answers.agent(agent_id, sandbox)


def discard_draft(exchange: Exchange) -> Any:
    agent_id = exchange.agent_id()
    exchange.sandbox.agents.discard(agent_id)
    return answers.agent(agent_id, exchange.sandbox)


def duplicate_agent(exchange: Exchange) -> Any:
    sandbox = exchange.sandbox
    copy_id = sandbox.agents.duplicate(exchange.agent_id(), exchange.body.name, sandbox.now())
    return answers.agent(copy_id, sandbox)


def list_variants(exchange: Exchange) -> Any:
    agents, agent_id = exchange.sandbox.agents, exchange.agent_id()
    snapshot = agents.snapshot(agent_id)
    return [answers.variant(number, variant, snapshot) for number, variant in agents.variants(agent_id).items()]


def list_versions(exchange: Exchange) -> Any:
    """Revisions, newest first: an array on the page, counted in the client."""
    world, agent_id = exchange.sandbox.world, exchange.agent_id()
    current = exchange.sandbox.agents.snapshot(agent_id)
    declared = world.agents.get(agent_id)
    revisions = {} if declared is None else declared.revisions
    earlier = sorted((number for number in revisions if number < current.revision), reverse=True)
    snapshots = [current, *(world.snapshot(agent_id, number) for number in earlier)]
    notes = {number: revision.note for number, revision in revisions.items()}
    versions = [answers.version(each, notes.get(each.revision, "")) for each in snapshots]
    return versions if exchange.sandbox.dialect == "page" else {"count": len(versions), "results": versions}


# Phone numbers, money and the rest


def list_phone_numbers(exchange: Exchange) -> Any:
    numbers = exchange.sandbox.world.phone_numbers.items()
    return [answers.phone_number(number_id, number, exchange.sandbox.dialect) for number_id, number in numbers]


def read_phone_number(exchange: Exchange) -> Any:
    number_id = exchange.id("number_id", "Phone number")
    number = exchange.sandbox.world.phone_numbers.get(number_id)
    if number is None:
        raise not_found("Phone number")
    return answers.phone_number(number_id, number, exchange.sandbox.dialect)


def read_billing(exchange: Exchange) -> Any:
    return answers.billing(exchange.sandbox, exchange.sandbox.now())


def list_transactions(exchange: Exchange) -> Any:
    """Newest first."""
    query, entries = exchange.query, exchange.sandbox.state.transactions(exchange.sandbox.now())
    shown = [answers.transaction(number, entry) for number, entry in enumerate(entries, 1)]
    results = query.of(reversed(shown))
    return {"results": results, "total": len(entries), "limit": query.size, "offset": query.offset}


def read_who_am_i(exchange: Exchange) -> Any:
    return answers.whoami(exchange.sandbox, exchange.key)


def read_health(_exchange: Exchange) -> Any:
    return {"ok": True}
