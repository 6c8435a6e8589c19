"""The OpenAPI document of each dialect, served without a key at `/openapi.json`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args

from planner.sandbox.sandbox import Dialect
from planner.sandbox.service.app import Operation, model, operations
from planner.sandbox.service.fields import ANSWERS, CONSTANTS, fields_of
from planner.sandbox.service.requests import INT64_MAX
from planner.sandbox.state import Direction, Mode, Status, TargetType

_TITLE = {"page": "as on its reference page", "client": "as in its official client 0.2.0"}
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

_TYPES: dict[str, Any] = {
    "id": {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    "ids": {"type": "array", "items": {"type": "integer"}},
    "count": {"type": "integer", "minimum": 0},
    "integer": {"type": "integer"},
    "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    "score": {"type": "number", "minimum": 0, "maximum": 1},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "moment": {"type": "string", "format": "date-time"},
    "anything": {},
    "texts_by_name": {"type": "object", "additionalProperties": {"type": "string"}},
    "numbers_by_name": {"type": "object", "additionalProperties": {"type": "number"}},
    "target": {"enum": [*get_args(TargetType)]},
    "direction": {"enum": [*get_args(Direction)]},
    "mode": {"enum": [*get_args(Mode)]},
    "run_status": {"enum": [*get_args(Status)]},
    "batch_status": {"enum": ["pending", "in_progress", "completed", "failed"]},
    "call_status": {"enum": ["in_progress", "completed", "failed"]},
    "number_status": {"enum": ["provisioning", "active", "failed", "releasing", "released", "draft"]},
    "progress": {"enum": ["pending", "completed"]},
    "outcome": {"enum": ["success", "failure", "unknown", "no_conversation"]},
    "goal": {"enum": ["achieved", "missed", "no_opportunity"]},
    "severity": {"enum": ["minor", "major", "critical"]},
    "role": {"enum": ["agent", "assistant", "user", "tool_call", "tool_response"]},
    "media_type": {"enum": ["application/json"]},
    "transaction": {"enum": ["call_usage", "adjustment", "manual_topup"]},
}
"""Type → its JSON Schema. The name of an answer is also a type, and `Name[]` is a list of them."""


def document(dialect: Dialect) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations(dialect):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
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
            "schemas": {name: _object(name, dialect) for name in ANSWERS},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`sk_…`"}},
        },
    }


def _object(name: str, dialect: Dialect) -> dict[str, Any]:
    fields = fields_of(name, dialect)
    properties = {field: _type(kind) for field, kind in fields.items()}
    required = [field for field, kind in fields.items() if not kind.endswith("!")]
    if dialect == "client":
        constants = CONSTANTS.get(name, {})
        properties |= {field: {"const": value} for field, value in constants.items()}
        required += constants
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type(kind: str) -> dict[str, Any]:
    if kind.endswith("?"):
        return {"anyOf": [_type(kind.removesuffix("?")), {"type": "null"}]}
    if kind.endswith("[]"):
        return {"type": "array", "items": _type(kind.removesuffix("[]"))}
    kind = kind.removesuffix("!")
    return {"$ref": f"#/components/schemas/{kind}"} if kind in ANSWERS else _TYPES[kind]


def _described(operation: Operation) -> dict[str, Any]:
    in_path = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    statuses = {*operation.refusals, *([401] if operation.route else []), *([404] if in_path else [])}
    statuses |= {400, 415} if operation.body else {400} if operation.query else set()
    errors = {status: _type("Error") for status in sorted(statuses)}
    if 400 in errors:
        errors[400] = {"anyOf": [_type("Error"), _FIELD_ERRORS]}
    success, answer = operation.status, operation.answers
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _TYPES["id"]} for name in in_path),
            *_query_parameters(operation.query),
        ],
        "responses": {
            str(success): _answer(success, _type(answer) if answer else None),
            **{str(status): _answer(status, schema) for status, schema in errors.items()},
        },
    }
    if operation.body:
        body = model(operation.body)
        content = {"application/json": {"schema": body.model_json_schema()}}
        is_required = any(field.is_required() for field in body.model_fields.values())
        shown["requestBody"] = {"required": is_required, "content": content}
    if not operation.route:
        shown["security"] = []
    return shown


def _answer(status: int, schema: Any) -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": HTTPStatus(status).phrase, **content}


def _query_parameters(query: str) -> list[dict[str, Any]]:
    """A value that may be left out is not null in a query."""
    parameters: list[dict[str, Any]] = []
    for name, schema in model(query).model_json_schema()["properties"].items() if query else ():
        given = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
        parameters.append({"name": name, "in": "query", "schema": given[0] if len(given) == 1 else {"anyOf": given}})
    return parameters
