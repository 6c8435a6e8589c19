"""The operations of the API, and the OpenAPI document that describes them; one for each dialect.

The schemas come from the models that read requests and make answers. The document is served without a key at `/openapi.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import GenericAlias
from typing import Any

from pydantic import BaseModel, TypeAdapter

from planner.sandbox.wire import calls, organization, requests, runs
from planner.sandbox.wire.answers import INT64_MAX, Dialect, Error

_TITLE = {"page": "as on its reference page", "client": "as in its official client 0.2.0"}
_ANSWERS = {
    200: "The answer.",
    201: "It was created.",
    204: "It was deleted.",
    400: "The body or the query is wrong: messages by field, or one in `detail`.",
    401: "The key is missing or invalid.",
    402: "The balance or the test-call budget is too low.",
    404: "It does not exist.",
    409: "It is too early, or something changed meanwhile.",
    415: "Only JSON is accepted.",
    429: "Too many test-call runs at once.",
}
_FIELD_ERRORS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        ]
    },
    "minProperties": 1,
}
_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Operation:
    """`answer` is the type of the body of a success. `route` is the operation's name for faults; "" for one that needs no key."""

    id: str
    method: str
    path: str
    route: str
    answer: Any
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    refusals: tuple[int, ...] = ()


def operations(dialect: Dialect) -> tuple[Operation, ...]:
    page = dialect == "page"
    run, batch = (runs.Run, runs.Batch) if page else (runs.ClientRun, runs.ClientBatch)
    listed_calls, call = (calls.Calls, calls.Call) if page else (calls.ClientCalls, calls.ClientCall)
    grade, agent = (calls.Grade, organization.Agent) if page else (calls.ClientGrade, organization.ClientAgent)
    versions = _many(organization.Version) if page else organization.ClientVersions
    number = organization.PhoneNumber if page else organization.ClientPhoneNumber
    billing, whoami = (
        (organization.Billing, organization.WhoAmI) if page else (organization.ClientBilling, organization.ClientWhoAmI)
    )
    run_body, batch_body = requests.RUN_BODY[dialect], requests.BATCH_BODY[dialect]
    launch = (400, 402, 404, 415, 429)
    change = (400, 404, 415)
    this_agent = "/v1/agents/{agent_id}"
    this_call = "/v1/calls/{call_id}"
    return (
        Operation("listRuns", "GET", "/v1/test-calls", "list", _many(run), query=requests.RunsQuery),
        Operation("startRun", "POST", "/v1/test-calls", "launch", run, 201 if page else 200, run_body, None, launch),
        Operation("listBatches", "GET", "/v1/test-call-batches", "batches", _many(batch), query=requests.Page),
        Operation("startBatch", "POST", "/v1/test-call-batches", "launch", batch, 201, batch_body, None, launch),
        Operation("readBatch", "GET", "/v1/test-call-batches/{batch_id}", "batch", batch),
        Operation("listCalls", "GET", "/v1/calls", "calls", listed_calls, query=requests.CallsQuery),
        Operation("readCall", "GET", this_call, "call", call),
        Operation("readTranscript", "GET", f"{this_call}/transcript", "transcript", calls.Transcript),
        Operation("readHistory", "GET", f"{this_call}/history", "history", _many(calls.Turn)),
        Operation("readGrade", "GET", f"{this_call}/grade", "grade", grade),
        Operation("regrade", "POST", f"{this_call}/grade", "grade", grade, 201, refusals=(402, 409)),
        Operation("readAudio", "GET", f"{this_call}/audio", "audio", calls.Audio),
        Operation("listAgents", "GET", "/v1/agents", "agents", _many(agent)),
        Operation("createAgent", "POST", "/v1/agents", "agents", agent, 201, requests.NewAgent, refusals=change),
        Operation("readAgent", "GET", this_agent, "agent", agent),
        Operation("editAgent", "PATCH", this_agent, "agent", agent, body=requests.AgentEdit, refusals=change),
        Operation("deleteAgent", "DELETE", this_agent, "agent", None, 204),
        Operation(
            "deployAgent",
            "POST",
            f"{this_agent}/deploy",
            "agent",
            agent,
            body=requests.Deployment,
            refusals=(*change, 409),
        ),
        Operation("discardDraft", "POST", f"{this_agent}/discard-draft", "agent", agent),
        Operation(
            "duplicateAgent",
            "POST",
            f"{this_agent}/duplicate",
            "agent",
            agent,
            201,
            requests.AgentCopy,
            refusals=change,
        ),
        Operation("listVariants", "GET", f"{this_agent}/variants", "agent", _many(organization.Variant)),
        Operation("listVersions", "GET", f"{this_agent}/versions", "versions", versions),
        Operation("listPhoneNumbers", "GET", "/v1/phone-numbers", "phone_numbers", _many(number)),
        Operation("readPhoneNumber", "GET", "/v1/phone-numbers/{number_id}", "phone_number", number),
        Operation("readBilling", "GET", "/v1/billing", "billing", billing),
        Operation(
            "listTransactions",
            "GET",
            "/v1/billing/transactions",
            "transactions",
            organization.Transactions,
            query=requests.Page,
        ),
        Operation("readWhoAmI", "GET", "/v1/whoami", "whoami", whoami),
        Operation("readHealth", "GET", "/v1/healthz", "", organization.Health),
    )


def _many(item: type[BaseModel]) -> Any:
    return GenericAlias(list, (item,))


def document(dialect: Dialect) -> dict[str, Any]:
    described = operations(dialect)
    types = [(op.id, "serialization", TypeAdapter[Any](op.answer)) for op in described if op.answer is not None]
    types += [(f"{op.id} body", "validation", TypeAdapter[Any](op.body)) for op in described if op.body is not None]
    types.append(("error", "serialization", TypeAdapter[Any](Error)))
    schemas, defs = TypeAdapter.json_schemas(types, ref_template=_REF)  # pyright: ignore[reportArgumentType]
    by_name = {str(name): schema for (name, _), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in described:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, by_name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Test Calls API, {_TITLE[dialect]}",
            "version": "1",
            "description": "Served by planner's sandbox: nobody is phoned and nothing is charged.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": defs["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`sk_…`"}},
        },
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    in_path = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    statuses = {*operation.refusals, *([401] if operation.route else []), *([404] if in_path else [])}
    statuses |= {400} if operation.query else set()
    error = schemas["error"]
    either = {"anyOf": [error, _FIELD_ERRORS]}
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "parameters": [_path_parameter(name) for name in in_path] + _query_parameters(operation.query),
        "responses": {
            str(operation.status): _answer(operation.status, schemas.get(operation.id)),
            **{str(status): _answer(status, either if status == 400 else error) for status in sorted(statuses)},
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[f"{operation.id} body"]}}
        is_required = any(field.is_required() for field in operation.body.model_fields.values())
        shown["requestBody"] = {"required": is_required, "content": content}
    if not operation.route:
        shown["security"] = []
    return shown


def _answer(status: int, schema: Any) -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": _ANSWERS[status], **content}


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": INT64_MAX}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(query: type[BaseModel] | None) -> list[dict[str, Any]]:
    """A value that may be left out is not null there."""
    if query is None:
        return []
    parameters: list[dict[str, Any]] = []
    for name, schema in query.model_json_schema()["properties"].items():
        given = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
        parameters.append({"name": name, "in": "query", "schema": given[0] if len(given) == 1 else {"anyOf": given}})
    return parameters
