"""`planner schema`: write the JSON Schemas of what people write, and of what commands print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from planner.errors import UsageError
from planner.planfile.schema import library_schema, plan_schema, project_schema
from planner.reports.document_schemas import printed_schemas
from planner.sandbox.worlds.files import world_schema
from planner.shell import Shell

SCHEMAS: Final = Path("schemas")
_PLAN: Final = "plan.schema.json"
_WIDTH: Final = 120


def schema(shell: Shell, directory: Path) -> int:
    """Write the schemas; return 0."""
    schemas = {
        _PLAN: plan_schema(),
        "library.schema.json": library_schema(),
        "project.schema.json": project_schema(),
        "world.schema.json": world_schema(),
        **printed_schemas(),
    }
    for name, document in schemas.items():
        shell.print(str(_write(shell, directory / name, document)))
    return 0


def write_plan_schema(shell: Shell, directory: Path) -> Path:
    """Write the schema that an editor needs for plans; return its path. Raises `UsageError`."""
    return _write(shell, directory / _PLAN, plan_schema())


def _write(shell: Shell, file: Path, document: Mapping[str, Any]) -> Path:
    path = shell.cwd / file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_lines(document) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return file


def _lines(value: object, before: int = 0, indent: str = "") -> str:
    """JSON in which a list or object that fits has one line. `before` is the length of what precedes it there."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + before + len(line) <= _WIDTH:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        named = {json.dumps(name) + ": ": item for name, item in cast("dict[str, object]", value).items()}
        items = [f"{inner}{name}{_lines(item, len(name) + 1, inner)}" for name, item in named.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    items = [inner + _lines(item, 1, inner) for item in cast("list[object]", value)]
    return "[\n" + ",\n".join(items) + f"\n{indent}]"
