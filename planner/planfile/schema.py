"""JSON Schemas of the authored files, for editors: made from the same models that read them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from planner.checks import CHECKS
from planner.checks.combinators import OF_THE_WHOLE, PART_SCHEMA
from planner.planfile.grammar import FORMAT_VERSION, NAME, SLUG, LibraryFields, PlanFields, UseFields
from planner.planfile.project import ProjectFields

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATES = {
    "Template": (r"^\s*\{\{.*\}\}\s*$", "A template that renders to the value."),
    "PartlyTemplate": (r"\{\{|\{%", "A template, amid other characters or alone."),
}
_TEMPLATE, _PARTLY = ({"$ref": f"#/$defs/{name}"} for name in _TEMPLATES)
_WORTH_SHARING = 120
"""Characters of a field's schema. A shorter one is not longer than a reference to it."""
_DATA = frozenset({"examples", "default", "const", "enum"})
_EXPECTED = "Something that must hold on every call."
_EXPECTATION = {"$ref": "#/$defs/Expectation"}
_SCALARS = frozenset({"integer", "number", "boolean"})
_ABOUT = frozenset({"title", "description", "default", "examples"})
_FORMS = frozenset({"const", "enum", "pattern"})


def plan_schema() -> dict[str, Any]:
    """The schema of plan files: every key with its description and examples, and the fields of each kind of check."""
    schema = _schema_of(PlanFields, "Test plan")
    defs: dict[str, Any] = schema["$defs"]
    properties: dict[str, Any] = schema["properties"]
    schema["required"] = ["version", "plan", "targets", "scenarios"]
    for names in (properties["scenarios"], *properties["targets"]["anyOf"][:1]):
        names["propertyNames"] = {"pattern": SLUG}
    for names in (properties["vars"], defs["MatrixFields"]["properties"]["axes"]):
        names["propertyNames"] = {"pattern": NAME}
    defs["MatrixFields"]["required"] = ["axes"]
    defs["ScenarioFields"]["oneOf"] = [{"required": ["prompt"]}, {"required": ["prompt_file"]}]
    use_fields = UseFields.model_json_schema(schema_generator=_Generator)
    defs["UseFields"] = use_fields
    _add_expectation(defs)
    use = use_fields["properties"]["use"]
    defs["Item"] = {
        "description": _EXPECTED,
        "type": "object",
        "if": {"type": "object", "required": ["use"]},
        "then": {"$ref": "#/$defs/UseFields"},
        "else": _EXPECTATION,
        # Without a `check`, editors offer `use` as well.
        "allOf": [{"if": {"not": {"type": "object", "required": ["check"]}}, "then": {"properties": {"use": use}}}],
    }
    for holder in ("ScenarioFields", "ScenarioDefaults"):
        defs[holder]["properties"]["expect"]["items"] = {"$ref": "#/$defs/Item"}
    _share_fields(defs)
    return {**schema, "$defs": dict(sorted(defs.items()))}  # their first order depends on which models were used before


def library_schema() -> dict[str, Any]:
    """The schema of libraries, which plans import."""
    schema = _schema_of(LibraryFields, "Library of test plans")
    defs: dict[str, Any] = schema.setdefault("$defs", {})
    properties: dict[str, Any] = schema["properties"]
    schema["required"] = ["version", "kind"]
    properties["expectations"]["propertyNames"] = {"pattern": SLUG}
    properties["vars"]["propertyNames"] = {"pattern": NAME}
    _add_expectation(defs)
    several = {"type": "array", "items": _EXPECTATION, "minItems": 1}
    properties["expectations"]["additionalProperties"] = {
        "if": {"type": "array"},
        "then": several,
        "else": _EXPECTATION,
    }
    _share_fields(defs)
    return {**schema, "$defs": dict(sorted(defs.items()))}  # their first order depends on which models were used before


def project_schema() -> dict[str, Any]:
    """The schema of `planner.yaml`."""
    schema = _schema_of(ProjectFields, "Project")
    properties: dict[str, Any] = schema["properties"]
    properties["environments"]["propertyNames"] = {"pattern": SLUG}
    properties["environments"]["additionalProperties"]["propertyNames"] = {"pattern": SLUG}
    return {**schema, "$defs": dict(sorted(schema["$defs"].items()))}


def check_schema(name: str) -> dict[str, Any]:
    """The schema of one kind of check as its model has it, definitions included."""
    return CHECKS[name].model_json_schema(schema_generator=_Generator)


class _Generator(GenerateJsonSchema):
    """A key that does not apply is left out, never null. Keys stay in the order of the models; they are their own
    titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        del parent_key
        return value

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        required = getattr(schema["cls"], "required", ())
        return super().model_schema(schema) | ({"required": list(required)} if required else {})

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def _schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of a kind of file: of this version, and with one way to name a target."""
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        **model.model_json_schema(schema_generator=_Generator),
        "title": title,
    }
    schema["properties"]["version"]["const"] = FORMAT_VERSION
    for target in ("TargetFields", "AllowedTargetFields"):
        if target in schema.get("$defs", {}):
            schema["$defs"][target]["oneOf"] = [{"required": [kind]} for kind in ("agent", "phone_number")]
    return schema


def _add_expectation(defs: dict[str, Any]) -> None:
    """Adds what one expectation may be, in a list of a plan, in a library or inside another.

    `if` and `then` rather than one alternative a check: so an editor offers the fields of the check that is written and
    no others, and an error in one of them is said as that and not as "is none of these".
    """
    for name, (pattern, description) in _TEMPLATES.items():
        defs[name] = {"type": "string", "pattern": pattern, "description": description}
    meanings: dict[str, str] = {}
    branches: list[dict[str, Any]] = []
    for name in CHECKS:
        own = check_schema(name)
        defs.update({key: _templated(value) for key, value in own.pop("$defs", {}).items()})
        branch = _templated(own)
        branch["properties"]["check"] = own["properties"]["check"]
        branch["properties"]["id"] = _or(own["properties"]["id"], _PARTLY)
        branch["title"] = name
        branch["required"] = sorted({"check", *branch.get("required", [])})
        defs[f"check-{name}"] = branch
        meanings[name] = branch["description"].split("\n", maxsplit=1)[0]
        chosen = {"type": "object", "required": ["check"], "properties": {"check": {"const": name}}}
        branches.append({"if": chosen, "then": {"$ref": f"#/$defs/check-{name}"}})
    defs["Expectation"] = {
        "description": _EXPECTED,
        "type": "object",
        "required": ["check"],
        "properties": {
            "check": {
                "description": "The kind of check.",
                "enum": list(meanings),
                "enumDescriptions": list(meanings.values()),  # VS Code shows them, others ignore them
            }
        },
        "allOf": branches,
    }
    defs["Part"] = {**_EXPECTATION, "properties": dict.fromkeys(OF_THE_WHOLE, False)}


def _templated(schema: Any) -> Any:
    """Wherever a number, a boolean, or a string of some form is taken, a string that is wholly one template is taken
    too."""
    if isinstance(schema, list):
        return [_templated(item) for item in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    if schema == PART_SCHEMA:
        return {"$ref": "#/$defs/Part"}
    known: dict[str, Any] = {key: value if key in _DATA else _templated(value) for key, value in schema.items()}  # pyright: ignore[reportUnknownVariableType]
    kind = known.get("type")
    if kind == "string":
        has_form = not _FORMS.isdisjoint(known) and known.get("pattern") != r"\S"
    else:
        has_form = isinstance(kind, str) and kind in _SCALARS and "const" not in known
    return _or(known, _TEMPLATE) if has_form else known


def _or(schema: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in schema.items() if key in _ABOUT}
    return {**about, "anyOf": [{key: value for key, value in schema.items() if key not in _ABOUT}, template]}


def _share_fields(defs: dict[str, Any]) -> None:
    """Give a field that several definitions have alike, such as `severity` of all checks, a definition of its own."""
    holders: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for definition in defs.values():
        properties = definition.get("properties", {})
        for key, value in properties.items():
            holders[key, json.dumps(value)].append(properties)
    for (key, value), found in holders.items():
        if len(found) > 1 and len(value) > _WORTH_SHARING:
            number = sum(name.split("-")[:2] == ["field", key] for name in defs)
            name = f"field-{key}-{number + 1}" if number else f"field-{key}"
            defs[name] = found[0][key]
            for properties in found:
                properties[key] = {"$ref": f"#/$defs/{name}"}
