"""The endpoints of the API: each takes an exchange and returns the body of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.sandbox.errors import detail, not_found
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service import answers
from planner.sandbox.service.answers import CallView, answer
from planner.sandbox.service.asgi import Request, Response
from planner.sandbox.worlds.world import moment_of

_SCOPES = [
    "agents:read",
    "agents:write",
    "billing:read",
    "calls:read",
    "phone_numbers:read",
    "test_calls:read",
    "test_calls:write",
]


@dataclass(frozen=True)
class Exchange:
    """A request whose body and query fit its operation."""

    sandbox: Sandbox
    request: Request
    key: str
    body: Any = None
    query: Any = None

    @property
    def now(self) -> float:
        return self.sandbox.now()

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
    sandbox, query, now = exchange.sandbox, exchange.query, exchange.now
    matching = (
        run
        for run in sandbox.state.newest_first()
        if query.target_type in (None, run.target_type)
        and (query.agent_id is None or (run.target_type, run.target_id) == ("agent", query.agent_id))
        and query.status in (None, run.status(now))
    )
    return [answers.run(run, now) for run in query.of(matching)]


def start_run(exchange: Exchange) -> Any:
    sandbox = exchange.sandbox
    event = sandbox.launch(exchange.body.launch_request())
    return answers.run(event.runs[0], event.at)


def list_batches(exchange: Exchange) -> Any:
    """Newest first."""
    newest = exchange.query.of(reversed(exchange.sandbox.state.batches.values()))
    return [answers.batch(batch, exchange.sandbox, exchange.now) for batch in newest]


def start_batch(exchange: Exchange) -> Any:
    sandbox = exchange.sandbox
    event = sandbox.launch(exchange.body.launch_request())
    assert event.batch is not None
    return answers.batch(event.batch, sandbox, event.at)


def read_batch(exchange: Exchange) -> Any:
    batch = exchange.sandbox.state.batches.get(exchange.id("batch_id", "Test call batch"))
    if batch is None:
        raise not_found("Test call batch")
    return answers.batch(batch, exchange.sandbox, exchange.now)


# Calls


def list_calls(exchange: Exchange) -> Any:
    """Newest first; the SIP leg comes after its call. All calls here are test calls."""
    sandbox, query, now = exchange.sandbox, exchange.query, exchange.now

    def matches(view: CallView) -> bool:
        return (
            query.agent_id in (None, view.snapshot.agent_id)
            and query.direction in (None, view.direction)
            and query.status in (None, view.status)
            and query.includes(view.run.starts_at)
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
    """The address of the recording, which needs no key; 404 before the call has ended."""
    view = exchange.call()
    if not view.has_ended:
        raise detail(404, "There is no recording before the call has ended.")
    return {"url": f"{exchange.request.base_url}/recordings/{view.call_id}.wav"}


def read_recording(exchange: Exchange) -> Any:
    from planner.sandbox.conversation import recording  # few clients listen

    return Response(recording(exchange.call().run.conversation), media_type="audio/wav")


# Agents


def list_agents(exchange: Exchange) -> Any:
    return [answers.agent(agent_id, exchange.sandbox) for agent_id in exchange.sandbox.agents.ids]


def read_agent(exchange: Exchange) -> Any:
    return answers.agent(exchange.agent_id(), exchange.sandbox)


def create_agent(exchange: Exchange) -> Any:
    """A new agent is deployed at once, as revision 1."""
    sandbox = exchange.sandbox
    _check_agent_limit(sandbox)
    return answers.agent(sandbox.agents.create(exchange.body.fields(), sandbox.now()), sandbox)


def _check_agent_limit(sandbox: Sandbox) -> None:
    if sandbox.agents.is_full:
        raise detail(409, "Maximum number of agents reached for this organization.")


def edit_agent(exchange: Exchange) -> Any:
    """Writes a draft: calls use what is deployed."""
    sandbox, agent_id = exchange.sandbox, exchange.agent_id()
    _check_unchanged(sandbox, agent_id, exchange.body.if_updated_at)
    sandbox.agents.draft(agent_id, exchange.body.fields(), sandbox.now())
    return answers.agent(agent_id, sandbox)


def delete_agent(exchange: Exchange) -> Any:
    exchange.sandbox.agents.delete(exchange.agent_id(), exchange.now)
    return Response(status_code=204)


def deploy_agent(exchange: Exchange) -> Any:
    sandbox, agent_id = exchange.sandbox, exchange.agent_id()
    draft = sandbox.agents.record(agent_id).draft
    _check_unchanged(sandbox, agent_id, exchange.body.if_updated_at)
    if draft is None:
        raise detail(409, "There is no draft to deploy.")
    sandbox.agents.deploy(agent_id, draft, sandbox.now())
    return answers.agent(agent_id, sandbox)


def _check_unchanged(sandbox: Sandbox, agent_id: int, expected: str | None) -> None:
    """Raises 409 if the agent was deployed at another time than the client has seen."""
    deployed_at = answers.timestamp(sandbox.agents.snapshot(agent_id).updated_at)
    if expected is not None and moment_of(expected) != moment_of(deployed_at):
        raise detail(409, "The agent was changed meanwhile.")


def discard_draft(exchange: Exchange) -> Any:
    agent_id = exchange.agent_id()
    exchange.sandbox.agents.discard(agent_id, exchange.now)
    return answers.agent(agent_id, exchange.sandbox)


def duplicate_agent(exchange: Exchange) -> Any:
    sandbox, agent_id = exchange.sandbox, exchange.agent_id()
    _check_agent_limit(sandbox)
    copy_id = sandbox.agents.duplicate(agent_id, exchange.body.name, sandbox.now())
    return answers.agent(copy_id, sandbox)


def list_variants(exchange: Exchange) -> Any:
    agents, agent_id = exchange.sandbox.agents, exchange.agent_id()
    snapshot, shown = agents.snapshot(agent_id), list[answers.Answer]()
    for number, variant in agents.variants(agent_id).items():
        shown.append(answer("Variant", {"id": number, **variant.own}, snapshot, variant))
    return shown


def list_versions(exchange: Exchange) -> Any:
    """Revisions, newest first."""
    world, agent_id = exchange.sandbox.world, exchange.agent_id()
    current = exchange.sandbox.agents.snapshot(agent_id)
    revisions = world.agents[agent_id].revisions if agent_id in world.agents else {}
    earlier = sorted((number for number in revisions if number < current.revision), reverse=True)
    versions: list[answers.Answer] = []
    for each in [current, *(world.snapshot(agent_id, number) for number in earlier)]:
        note = revisions[each.revision].note if each.revision in revisions else ""
        computed = {"version": each.revision, "note": note, "created_at": each.updated_at}
        versions.append(answer("Version", computed, each))
    return {"count": len(versions), "results": versions}


# Phone numbers, money and the rest


def list_phone_numbers(exchange: Exchange) -> Any:
    return [_phone_number(exchange.sandbox, number_id) for number_id in exchange.sandbox.world.phone_numbers]


def read_phone_number(exchange: Exchange) -> Any:
    number_id = exchange.id("number_id", "Phone number")
    if number_id not in exchange.sandbox.world.phone_numbers:
        raise not_found("Phone number")
    return _phone_number(exchange.sandbox, number_id)


def _phone_number(sandbox: Sandbox, number_id: int) -> answers.Answer:
    number = sandbox.world.phone_numbers[number_id]
    eligible = number.outbound_agent_id is not None
    reason = None if eligible else "no_outbound_agent"
    computed = {"id": number_id, "outbound_eligible": eligible, "outbound_ineligible_reason": reason}
    return answer("PhoneNumber", computed, number)


def read_billing(exchange: Exchange) -> Any:
    state, now = exchange.sandbox.state, exchange.now
    balance = state.balance_cents(now)
    computed = {
        "balance_cents": balance,
        "balance_usd": f"{balance / 100:.2f}",
        "currency": "usd",
        "available_cash_cents": max(0, balance - state.reserved_cents(now)),
        "current_month_usage_spend_cents": state.billed_cents(now),
        "spending_limit_reached": balance <= 0,
        "test_call_budget_remaining_cents": state.budget_left_cents(now),
    }
    return answer("Billing", computed, exchange.sandbox.world)


def list_transactions(exchange: Exchange) -> Any:
    """Newest first."""
    query, entries = exchange.query, exchange.sandbox.state.transactions(exchange.now)
    results: list[answers.Answer] = []
    for number, entry in query.of(reversed([*enumerate(entries, 1)])):
        computed: answers.Answer = {"id": number, "created_at": entry.at, "metadata": {}}
        results.append(answer("Transaction", computed, entry))
    return {"results": results, "total": len(entries), "limit": query.size, "offset": query.offset}


def read_who_am_i(exchange: Exchange) -> Any:
    computed = {
        "organization": exchange.sandbox.world.organization.model_dump(),
        "credential_kind": "api_key",
        "key_prefix": exchange.key[:12],
        "scopes": _SCOPES,
    }
    return answer("WhoAmI", computed)


def read_health(_exchange: Exchange) -> Any:
    return {"ok": True}


# Not part of the API: without a key


def read_ledger(exchange: Exchange) -> Any:
    return exchange.sandbox.ledger()
