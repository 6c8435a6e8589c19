"""`planner schema`: write the JSON Schemas of plans, libraries, planner.yaml, results and worlds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.errors import UsageError
from planner.planfile.schema import DIALECT, library_schema, plan_schema, project_schema
from planner.results.model import RunResult
from planner.sandbox.worlds.files import world_schema
from planner.session.shell import Shell


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema."""
    results = RunResult.model_json_schema(mode="serialization")
    return {
        "plan.schema.json": plan_schema(),
        "library.schema.json": library_schema(),
        "project.schema.json": project_schema(),
        "results.schema.json": {"$schema": DIALECT, **results, "title": "planner results"},
        "world.schema.json": world_schema(),
    }


def schema(shell: Shell, directory: Path) -> int:
    """Write the schemas; return 0."""
    for name, document in schemas().items():
        path = shell.cwd / directory / name
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{directory / name} cannot be written: {error.strerror}") from error
        shell.print(str(directory / name))
    return 0
