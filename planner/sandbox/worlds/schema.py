"""The JSON Schema of world files, for editors: made from the models that read them."""

from __future__ import annotations

import ast
import inspect
from textwrap import dedent
from typing import Any

from pydantic import BaseModel

from planner.sandbox.worlds import dialogues, faults, world
from planner.sandbox.worlds.dialogues import Part

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENDS = {"type": "string", "description": "A shipped world, or the path of a file beside this one, to start from."}
_MERGED = ("Agent", "Dialogue", "Model", "PhoneNumber", "Revision", "Tool", "Variant")
"""Parts that a file may state in part, because the rest comes from the world below."""


def world_schema() -> dict[str, Any]:
    schema = world.World.model_json_schema()
    defs: dict[str, Any] = schema["$defs"]
    parts = {
        name: part
        for module in (world, dialogues, faults)
        for name, part in vars(module).items()
        if isinstance(part, type) and issubclass(part, Part)
    }
    for name, definition in [*defs.items(), ("World", schema)]:
        for field, description in _docstrings(parts[name]).items() if name in parts else ():
            definition["properties"][field].setdefault("description", description)
    for name in _MERGED:
        defs[name].pop("required", None)
    for definition in (schema, defs["Agent"]):
        for field in definition["properties"].values():
            if isinstance(field.get("additionalProperties"), dict):
                field["additionalProperties"] = {"anyOf": [field["additionalProperties"], {"type": "null"}]}
    schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
    schema["required"] = ["version", "world"]
    return {"$schema": _DIALECT, **schema, "title": "Sandbox world"}


def _docstrings(part: type[BaseModel]) -> dict[str, str]:
    """Field, by the name it has in a file → the text below it in the source."""
    (body,) = ast.parse(dedent(inspect.getsource(part))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                found[part.model_fields[name].alias or name] = inspect.cleandoc(written)
            case _:
                pass
    return found
