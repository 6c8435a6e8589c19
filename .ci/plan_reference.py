"""The keys in docs/plans.md, which are those of the models that read plan files.

Usage: python .ci/plan_reference.py            exit code 1 where the page says anything else, or leaves out a key
       python .ci/plan_reference.py --write    rewrite them

A block begins with `<!-- keys: MODEL -->`, MODEL being a class of planner/planfile/grammar.py, project.py or policy.py, and ends with `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from planner.planfile.schema import library_schema, plan_schema, project_schema
from planner.reports.pages import fields_of, markdown_fields

PAGE = Path(__file__).resolve().parent.parent / "docs" / "plans.md"
BLOCK = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
ROOTS = {"PlanFields": plan_schema(), "LibraryFields": library_schema(), "ProjectFields": project_schema()}
APART = (
    "Item",
    "Expectation",
    "ScenarioFields",
    "ScenarioDefaults",
    "MatrixFields",
    "PolicyFields",
    "ExecutionFields",
    "JudgeFields",
)
"""What has a chapter of its own is called a mapping where it is the value of a key."""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    page = PAGE.read_text(encoding="utf-8")
    models = models_by_name()
    forgotten = sorted(set(models) - {found[2] for found in BLOCK.finditer(page)})
    if forgotten:
        print(f"{PAGE.name} has no keys of {', '.join(forgotten)}")
        return 1
    current = BLOCK.sub(lambda found: f"{found[1]}\n{keys(found[2], models)}\n\n{found[3]}", page)
    if arguments:
        PAGE.write_text(current, encoding="utf-8")
    elif current != page:
        print(f"{PAGE.name} is not up to date: python .ci/plan_reference.py --write")
        return 1
    return 0


def models_by_name() -> dict[str, dict[str, Any]]:
    """The schema of each mapping that an author may write, checks apart. Fields that several have are written out."""
    models: dict[str, dict[str, Any]] = dict(ROOTS)
    for schema in ROOTS.values():
        parts = {name: part for name, part in schema["$defs"].items() if name.endswith(("Fields", "Defaults"))}
        models |= {name: {**part, "$defs": schema["$defs"]} for name, part in parts.items() if name not in models}
    for name, model in models.items():
        properties = {key: shared_field(about, model["$defs"]) for key, about in model["properties"].items()}
        models[name] = {**model, "properties": properties}
    return models


def shared_field(about: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name = about.get("$ref", "").removeprefix("#/$defs/")
    return definitions[name] if name.startswith("field-") else about


def keys(name: str, models: dict[str, dict[str, Any]]) -> str:
    """The list of a model's keys. Keys that a scenario shares with `defaults` are listed there."""
    schema = models[name]
    definitions = {**schema["$defs"], **{part: {"type": "object"} for part in APART}}
    shared = models["ScenarioDefaults"]["properties"] if name == "ScenarioFields" else {}
    own = {**schema, "properties": {key: about for key, about in schema["properties"].items() if key not in shared}}
    return "\n".join(markdown_fields(fields_of(own, definitions)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
