"""The OpenAPI document of the sandbox, served without a key at `/openapi.json`; one for each dialect.

It says what is taken as well as what is answered: that an integer may come as text or as 12.0, that unknown fields are ignored and
that an empty query value is none, because that is what the service does and what a test of it relies on.
"""

from __future__ import annotations

from pydantic import JsonValue

from planner.sandbox.objects import Object
from planner.sandbox.state.records import DIRECTIONS, MODES, STATUSES, TARGET_TYPES
from planner.sandbox.wire.openapi_objects import (
    ID,
    INT64_MAX,
    INTEGER,
    MOMENT,
    TEXT,
    TEXTS,
    array,
    maybe,
    objects,
    one_of,
    record,
    ref,
)
from planner.sandbox.wire.requests import Dialect
from planner.sandbox.worlds.world import PRODUCTS

_TITLE = {"page": "as its reference page tells it", "client": "as its official client 0.2.0 speaks it"}
_TOO_MANY: Object = {
    "Retry-After": {"description": "Seconds; may be absent.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
}
_REASONS = {
    400: "The body or the query is wrong: messages by field, or one in `detail`.",
    401: "No key, or none that is taken.",
    402: "The balance, or the test-call budget, does not bear it.",
    404: "There is no such thing.",
    409: "Too early.",
    415: "Only JSON is read.",
    429: "Too many test-call runs at once.",
}


def document(dialect: Dialect) -> Object:
    client = dialect == "client"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Test Calls API, {_TITLE[dialect]}",
            "version": "1",
            "description": "Served by planner's sandbox: nobody is phoned and nothing is charged.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": _paths(client=client),
        "components": {
            "schemas": objects(client=client) | _requests(client=client),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`sk_…`"}},
        },
    }


def _whole(least: int, most: int, digits: str) -> Object:
    """An integer as the service reads one: 12, 12.0 or "12" (`digits`: which texts are in the limits)."""
    number: Object = {"type": "integer", "minimum": least, "maximum": most}
    return {"anyOf": [number, {"type": "string", "pattern": rf"^\s*{digits}\s*$"}]}


def _requests(*, client: bool) -> Object:
    target: dict[str, Object] = {
        "target_type": one_of(*TARGET_TYPES),
        "target_id": _whole(-INT64_MAX, INT64_MAX, "-?[0-9]{1,18}"),
        "direction": one_of(*DIRECTIONS),
        "target_number": {"type": "string", "pattern": r"^(\+[1-9][0-9]{6,14})?$"},
    }
    consent: dict[str, Object] = {"consent_to_charge": {"type": "boolean", "enum": [True]}}
    mode: dict[str, Object] = {} if client else {"mode": one_of(*MODES)}
    run: dict[str, Object] = {**target, "scenario_prompt": TEXT, **mode, **consent}
    batch: dict[str, Object] = {
        **target,
        "run_count": _whole(1, 20, "0*([1-9]|1[0-9]|20)"),
        "stagger_seconds": _whole(0, 60, "0*([0-9]|[1-5][0-9]|60)"),
        "scenario_prompts": TEXTS,
        **({"name": TEXT} if client else {"scenario_prompt": TEXT}),
        **mode,
        **consent,
    }
    optional = frozenset({"target_number", "scenario_prompt", "scenario_prompts", "mode", "stagger_seconds", "name"})
    optional |= {"direction", "run_count"} if client else frozenset()
    ignored: Object = {"additionalProperties": True}
    return {
        "NewAgent": record(_AGENT_FIELDS, frozenset(_AGENT_FIELDS) - {"name", "prompt", "voice"}) | ignored,
        "AgentEdit": record(_AGENT_FIELDS, frozenset(_AGENT_FIELDS)) | ignored,
        "AgentCopy": record({"name": _FILLED}, frozenset({"name"})) | ignored,
        "Deployment": record({"if_updated_at": maybe(MOMENT)}, frozenset({"if_updated_at"})) | ignored,
        "StartRun": record(run, optional) | ignored,
        "StartBatch": record(batch, optional) | ignored,
    }


_FILLED: Object = {"type": "string", "pattern": r"\S"}
_AGENT_FIELDS: dict[str, Object] = {
    **dict.fromkeys(("name", "prompt", "voice", "primary_language", "thinking_level"), _FILLED),
    "product": one_of(*PRODUCTS),
}


def _paths(*, client: bool) -> Object:
    run, batch = ref("Run"), ref("Batch")
    call_of_run, call_of_list = _links_to_call("#/0/call_id"), _links_to_call("#/results/0/call_id")
    batch_of_list: Object = {
        "readBatch": {"operationId": "readBatch", "parameters": {"batch_id": "$response.body#/0/id"}}
    }
    this_batch: Object = {"readBatch": {"operationId": "readBatch", "parameters": {"batch_id": "$response.body#/id"}}}
    versions: Object = array(ref("Version"))
    if client:
        versions = record({"count": INTEGER, "results": versions})
    calls = record({"results": array(ref("Call")), "total": INTEGER, "limit": INTEGER, "offset": INTEGER})
    transactions = record({"results": array(ref("Transaction")), "total": INTEGER, "limit": INTEGER, "offset": INTEGER})
    transcript = record({"call_id": ID, "transcripts": array(ref("Turn"))})
    started = "200" if client else "201"
    return {
        "/v1/test-calls": {
            "get": _get(
                "listRuns",
                "Runs, newest first.",
                array(run),
                [*_window(), _choice("target_type", *TARGET_TYPES), _choice("status", *STATUSES), _id("agent_id")],
                links=call_of_run,
            ),
            "post": _post("startRun", "Start one run.", "StartRun", run, started),
        },
        "/v1/test-call-batches": {
            "get": _get("listBatches", "Batches, newest first.", array(batch), _window(), links=batch_of_list),
            "post": _post("startBatch", "Start a batch of 1 to 20 runs.", "StartBatch", batch, "201", links=this_batch),
        },
        "/v1/test-call-batches/{batch_id}": {
            "get": _get_one("readBatch", "A batch and its progress.", batch, "batch_id")
        },
        "/v1/calls": {
            "get": _get(
                "listCalls",
                "Calls, newest first.",
                calls,
                [
                    *_window(),
                    _id("agent_id"),
                    _choice("direction", *DIRECTIONS),
                    _choice("status", "in_progress", "completed", "failed"),
                    _query("start_date", _MOMENT_OR_DAY),
                    _query("end_date", _MOMENT_OR_DAY),
                    _query("from_number", TEXT),
                    _query("to_number", TEXT),
                    _query("phone_number", TEXT),
                    _choice("exclude_test_calls", "true", "false", "1", "0"),
                ],
                links=call_of_list,
            )
        },
        "/v1/calls/{call_id}": {"get": _get_one("readCall", "A call.", ref("Call"), "call_id")},
        "/v1/calls/{call_id}/transcript": {
            "get": _get_one("readTranscript", "What was said so far.", transcript, "call_id")
        },
        "/v1/calls/{call_id}/history": {
            "get": _get_one("readHistory", "What was said and done so far.", array(ref("Turn")), "call_id")
        },
        "/v1/calls/{call_id}/grade": {
            "get": _get_one("readGrade", "The platform's own grade; 404 before the end.", ref("Grade"), "call_id"),
            "post": _regrade(),
        },
        "/v1/calls/{call_id}/audio": {
            "get": _get_one(
                "readAudio",
                "Where the recording is, for a while; 404 with the reason where there is none.",
                record({"url": {"type": "string", "format": "uri"}}),
                "call_id",
            )
        },
        "/v1/agents": {
            "get": _get("listAgents", "Every agent.", array(ref("Agent")), []),
            "post": _change("createAgent", "Create a deployed agent.", "NewAgent", "201", path_id=False),
        },
        "/v1/agents/{agent_id}": {
            "get": _get_one("readAgent", "An agent as it answers now.", ref("Agent"), "agent_id"),
            "patch": _change("editAgent", "Write a draft.", "AgentEdit", "200"),
            "delete": {
                "operationId": "deleteAgent",
                "summary": "Delete an agent.",
                "parameters": [_path_id("agent_id")],
                "responses": {"204": {"description": "It is gone."}, **_refusals(401, 404)},
            },
        },
        "/v1/agents/{agent_id}/deploy": {"post": _change("deployAgent", "Deploy the draft.", "Deployment", "200", 409)},
        "/v1/agents/{agent_id}/discard-draft": {"post": _change("discardDraft", "Drop the draft.", "", "200")},
        "/v1/agents/{agent_id}/duplicate": {"post": _change("duplicateAgent", "Copy an agent.", "AgentCopy", "201")},
        "/v1/agents/{agent_id}/variants": {
            "get": _get_one("listVariants", "Its variants.", array(ref("Variant")), "agent_id")
        },
        "/v1/agents/{agent_id}/versions": {
            "get": _get_one("listVersions", "Its revisions, newest first.", versions, "agent_id")
        },
        "/v1/phone-numbers": {"get": _get("listPhoneNumbers", "Every number.", array(ref("PhoneNumber")), [])},
        "/v1/phone-numbers/{number_id}": {
            "get": _get_one("readPhoneNumber", "A number and who answers it.", ref("PhoneNumber"), "number_id")
        },
        "/v1/billing": {"get": _get("readBilling", "What is left of the money.", ref("Billing"), [])},
        "/v1/billing/transactions": {
            "get": _get("listTransactions", "Changes of the balance, newest first.", transactions, _window())
        },
        "/v1/whoami": {"get": _get("readWhoAmI", "Whose key this is.", ref("WhoAmI"), [])},
        "/v1/healthz": {
            "get": {
                "operationId": "readHealth",
                "summary": "Whether anybody is there; needs no key.",
                "security": [],
                "responses": {"200": _answer("It is.", record({"ok": {"type": "boolean", "enum": [True]}}))},
            }
        },
    }


def _links_to_call(pointer: str) -> Object:
    parameters: Object = {"call_id": f"$response.body{pointer}"}
    operations = ("readCall", "readTranscript", "readHistory", "readGrade", "readAudio")
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


_MOMENT_OR_DAY: Object = {"anyOf": [MOMENT, {"type": "string", "format": "date"}, {"type": "string", "maxLength": 0}]}


def _query(name: str, schema: Object) -> Object:
    return {"name": name, "in": "query", "required": False, "allowEmptyValue": True, "schema": schema}


def _choice(name: str, *values: str) -> Object:
    """An empty value filters nothing."""
    return _query(name, one_of(*values, ""))


def _id(name: str) -> Object:
    schema: Object = {
        "anyOf": [{"type": "integer", "minimum": -INT64_MAX, "maximum": INT64_MAX}, {"type": "string", "maxLength": 0}]
    }
    return _query(name, schema)


def _window() -> list[JsonValue]:
    limit: Object = {"type": "integer", "minimum": 1, "maximum": INT64_MAX, "default": 50}
    offset: Object = {"type": "integer", "minimum": 0, "maximum": INT64_MAX, "default": 0}
    return [
        {"name": "limit", "in": "query", "schema": limit, "description": "More than 200 are 200."},
        {"name": "offset", "in": "query", "schema": offset},
    ]


def _answer(description: str, schema: Object, **more: JsonValue) -> Object:
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def _refusals(*statuses: int) -> Object:
    shown: Object = {}
    for status in statuses:
        either: Object = {"anyOf": [ref("Error"), ref("FieldErrors")]}
        answered = _answer(_REASONS[status], either if status == 400 else ref("Error"))
        shown[str(status)] = {**answered, "headers": _TOO_MANY} if status == 429 else answered
    return shown


def _get(name: str, summary: str, schema: Object, parameters: list[JsonValue], links: Object | None = None) -> Object:
    responses = _refusals(400, 401) if parameters else _refusals(401)
    responses["200"] = _answer(summary, schema, **({"links": links} if links else {}))
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}


def _path_id(name: str) -> Object:
    return {"name": name, "in": "path", "required": True, "schema": ID}


def _get_one(name: str, summary: str, schema: Object, path_id: str) -> Object:
    responses: Object = {"200": _answer(summary, schema), **_refusals(401, 404)}
    return {"operationId": name, "summary": summary, "parameters": [_path_id(path_id)], "responses": responses}


def _post(name: str, summary: str, request: str, schema: Object, status: str, links: Object | None = None) -> Object:
    started = _answer("It is under way.", schema, **({"links": links} if links else {}))
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": _body(request, required=True),
        "responses": {status: started, **_refusals(400, 401, 402, 404, 415, 429)},
    }


def _change(name: str, summary: str, request: str, status: str, *refusals: int, path_id: bool = True) -> Object:
    parameters: list[JsonValue] = [_path_id("agent_id")] if path_id else []
    body: Object = {"requestBody": _body(request, required=not path_id)} if request else {}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        **body,
        "responses": {status: _answer(summary, ref("Agent")), **_refusals(400, 401, 404, 415, *refusals)},
    }


def _body(schema: str, *, required: bool) -> Object:
    return {"required": required, "content": {"application/json": {"schema": ref(schema)}}}


def _regrade() -> Object:
    return {
        "operationId": "regrade",
        "summary": "Grade the call once more, which is billed.",
        "parameters": [_path_id("call_id")],
        "responses": {"201": _answer("It is being graded.", ref("Grade")), **_refusals(401, 402, 404, 409)},
    }
