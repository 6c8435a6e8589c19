"""The operations of the API: which request reaches which endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from planner.sandbox.sandbox import Dialect
from planner.sandbox.service import endpoints as e

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Operation:
    """`answers` names the answer in `fields.py`, `body` and `query` their models in `requests.py`. `route` is the name for faults; "" if there are no key and no faults."""

    endpoint: Callable[[e.Exchange], Any]
    method: str
    path: str
    route: str
    answers: str
    status: int = 200
    body: str = ""
    query: str = ""
    refusals: tuple[int, ...] = ()
    """Beyond those for the key, an id in the path, the body and the query."""
    client: dict[str, Any] = field(default_factory=dict[str, Any])
    """What is different in the client's dialect."""

    @property
    def id(self) -> str:
        first, *others = self.endpoint.__name__.split("_")
        return first + "".join(word.title() for word in others)


def model(name: str) -> type[BaseModel]:
    """The model of a body or a query."""
    from planner.sandbox.service import requests  # not at start: many sessions only read

    return getattr(requests, name)


_LAUNCH = (402, 404, 429)
_RUN = {"status": 200, "body": "ClientRun"}
_BATCH = {"body": "ClientBatch"}
_RUNS = "/v1/test-calls"
_BATCHES = "/v1/test-call-batches"
_SIMULATIONS = "/v1/simulations"
_CALL = "/v1/calls/{call_id}"
_AGENT = "/v1/agents/{agent_id}"

_OPERATIONS = (
    Operation(e.list_runs, "GET", _RUNS, "list", "Run[]", query="RunsQuery"),
    Operation(e.start_run, "POST", _RUNS, "launch", "Run", 201, "PageRun", refusals=_LAUNCH, client=_RUN),
    Operation(e.list_batches, "GET", _BATCHES, "batches", "Batch[]", query="Page"),
    Operation(e.start_batch, "POST", _BATCHES, "launch", "Batch", 201, "PageBatch", refusals=_LAUNCH, client=_BATCH),
    Operation(e.read_batch, "GET", f"{_BATCHES}/{{batch_id}}", "batch", "Batch"),
    Operation(e.list_calls, "GET", "/v1/calls", "calls", "Calls", query="CallsQuery"),
    Operation(e.read_call, "GET", _CALL, "call", "Call"),
    Operation(e.read_transcript, "GET", f"{_CALL}/transcript", "transcript", "Transcript"),
    Operation(e.read_history, "GET", f"{_CALL}/history", "history", "Turn[]"),
    Operation(e.read_grade, "GET", f"{_CALL}/grade", "grade", "Grade"),
    Operation(e.regrade, "POST", f"{_CALL}/grade", "grade", "Grade", 201, refusals=(402, 409)),
    Operation(e.read_audio, "GET", f"{_CALL}/audio", "audio", "Audio"),
    Operation(e.list_agents, "GET", "/v1/agents", "agents", "Agent[]"),
    Operation(e.create_agent, "POST", "/v1/agents", "create", "Agent", 201, "NewAgent", refusals=(409,)),
    Operation(e.read_agent, "GET", _AGENT, "agent", "Agent"),
    Operation(e.edit_agent, "PATCH", _AGENT, "edit", "Agent", body="AgentEdit", refusals=(409,)),
    Operation(e.delete_agent, "DELETE", _AGENT, "delete", "", 204),
    Operation(e.deploy_agent, "POST", f"{_AGENT}/deploy", "deploy", "Agent", body="Deployment", refusals=(409,)),
    Operation(e.discard_draft, "POST", f"{_AGENT}/discard-draft", "discard", "Agent"),
    Operation(
        e.duplicate_agent, "POST", f"{_AGENT}/duplicate", "duplicate", "Agent", 201, "AgentCopy", refusals=(409,)
    ),
    Operation(e.list_variants, "GET", f"{_AGENT}/variants", "agent", "Variant[]"),
    Operation(e.list_versions, "GET", f"{_AGENT}/versions", "versions", "Version[]", client={"answers": "Versions"}),
    Operation(e.list_phone_numbers, "GET", "/v1/phone-numbers", "phone_numbers", "PhoneNumber[]"),
    Operation(e.read_phone_number, "GET", "/v1/phone-numbers/{number_id}", "phone_number", "PhoneNumber"),
    Operation(e.read_billing, "GET", "/v1/billing", "billing", "Billing"),
    Operation(e.list_transactions, "GET", "/v1/billing/transactions", "transactions", "Transactions", query="Page"),
    Operation(e.read_who_am_i, "GET", "/v1/whoami", "whoami", "WhoAmI"),
    Operation(e.read_health, "GET", "/v1/healthz", "", "Health"),
)


UNDOCUMENTED = (
    Operation(e.read_recording, "GET", "/recordings/{call_id}.wav", "", ""),
    Operation(e.read_openapi, "GET", "/openapi.json", "", ""),
    Operation(e.read_ledger, "GET", "/_sandbox/ledger", "", ""),
    Operation(e.read_control, "GET", "/_sandbox/control", "", ""),
    Operation(e.change_control, "POST", "/_sandbox/control", "", "", body="Control"),
)


def operations(dialect: Dialect) -> tuple[Operation, ...]:
    if dialect == "page":
        return _OPERATIONS
    return tuple(replace(operation, **operation.client) for operation in _OPERATIONS)


def simulations(dialect: Dialect) -> tuple[Operation, ...]:
    """Test calls under their second path."""
    return tuple(
        replace(each, path=each.path.replace(_BATCHES, f"{_SIMULATIONS}/batches").replace(_RUNS, _SIMULATIONS))
        for each in operations(dialect)
        if each.path.startswith((_RUNS, _BATCHES))
    )
