"""`planner schema`: write the JSON Schemas of what people write, and of what commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.errors import UsageError
from planner.planfile.schema import library_schema, plan_schema, project_schema
from planner.reports.document_schemas import printed_schemas
from planner.sandbox.worlds.files import world_schema
from planner.shell import Shell


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema."""
    return {
        "plan.schema.json": plan_schema(),
        "library.schema.json": library_schema(),
        "project.schema.json": project_schema(),
        "world.schema.json": world_schema(),
        **printed_schemas(),
    }


SCHEMAS = Path("schemas")


def schema(shell: Shell, directory: Path) -> int:
    """Write the schemas; return 0."""
    for path in write_schemas(shell, directory):
        shell.print(str(path))
    return 0


def write_schemas(shell: Shell, directory: Path) -> list[Path]:
    """Write the schemas and return their paths. Raises `UsageError`."""
    found = schemas()
    for name, document in found.items():
        path = shell.cwd / directory / name
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{directory / name} cannot be written: {error.strerror}") from error
    return [directory / name for name in found]
