"""Reads `results.json` files from people, other jobs and older versions."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import from_json

from planner.errors import UsageError
from planner.results.model import SCHEMA_VERSION, RunResult
from planner.results.versions import schema_major


def read_result(data: bytes, name: str) -> RunResult:
    """Raises `UsageError` for an invalid document or a newer major version."""
    hint = "Name a results.json that planner wrote."
    try:
        document = from_json(data)
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}", hint) from error
    major = schema_major(document)
    if major is None:
        raise UsageError(f"{name} is not a results document: schema_version is missing", hint)
    if major > int(SCHEMA_VERSION.partition(".")[0]):
        raise UsageError(
            f"{name} was written by a newer planner: its schema is {major}.x, but this version reads {SCHEMA_VERSION}",
            "Upgrade planner to read it.",
        )
    try:
        return RunResult.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name} is not a results document: {where}: {first['msg']}", hint) from error
