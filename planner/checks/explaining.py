"""What a kind of check is, for `planner explain check:says`: read off the check itself, so that it cannot be out of date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc
from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML

from planner.checks.base import Expectation
from planner.checks.wording import listed, shown

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
_PLURALS = {"text": "texts", "mapping": "expectations"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """One field. `takes` says which values, `default` is JSON; None where there is none, `required` or not."""

    name: str
    takes: str
    required: bool
    default: str | None
    description: str
    examples: tuple[str, ...]
    """Values as JSON."""


@dataclass(frozen=True, slots=True)
class CheckDoc:
    """One kind of check. `fields` are its own, in the order of its file; `shared` are those of every kind."""

    kind: str
    summary: str
    """One sentence."""
    details: str
    """Paragraphs; may be empty."""
    fields: tuple[FieldDoc, ...]
    shared: tuple[FieldDoc, ...]
    examples: tuple[str, ...]
    """As a plan writes them: YAML items of `expect`."""


def check_doc(name: str, kind: type[Expectation]) -> CheckDoc:
    """The documentation of the kind of check that goes by this name."""
    schema = kind.model_json_schema()
    defs: dict[str, Any] = schema.get("$defs", {})
    required: list[str] = schema.get("required", [])
    summary, _, details = cleandoc(schema["description"]).partition("\n\n")
    docs = [
        _field_doc(field, content, defs, required=field in required)
        for field, content in schema["properties"].items()
        if field != "check"
    ]
    return CheckDoc(
        name,
        " ".join(summary.split()),
        details,
        tuple(doc for doc in docs if doc.name not in Expectation.model_fields),
        tuple(doc for doc in docs if doc.name in Expectation.model_fields),
        tuple(map(_yaml, examples_of(kind))),
    )


def examples_of(kind: type[Expectation]) -> list[dict[str, Any]]:
    """The examples of the kind's schema, their keys in the order written."""
    extra = cast("dict[str, Any]", kind.model_config.get("json_schema_extra"))
    return extra["examples"]


def check_text(doc: CheckDoc) -> str:
    """The documentation as plain text that is Markdown as well; ends with a line break."""
    parts = [f"# check: {doc.kind}", doc.summary]
    if doc.details:
        parts.append(doc.details)
    if doc.fields:
        parts.append("## Fields\n\n" + "\n".join(map(_field_text, doc.fields)))
    parts += [
        "## Fields of every check\n\n" + "\n".join(map(_field_text, doc.shared)),
        "## Examples\n\n```yaml\nexpect:\n" + "\n".join(doc.examples) + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _field_doc(name: str, field: Mapping[str, Any], defs: Mapping[str, Any], *, required: bool) -> FieldDoc:
    default = field.get("default")
    return FieldDoc(
        name,
        _takes(field, defs),
        required,
        None if default is None else shown(default),
        field["description"],
        tuple(map(shown, field.get("examples", ()))),
    )


def _takes(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """`text`, `list of whole numbers`, `agent, caller or any`, `number, at least 0, at most 1`."""
    if "$ref" in schema:
        return _takes(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return listed([str(choice) for choice in schema["enum"]], "or")
    if "anyOf" in schema:
        ways = [_takes(way, defs) for way in schema["anyOf"] if way.get("type") != "null"]
        return listed(list(dict.fromkeys(ways)), "or")
    kind = schema.get("type")
    if kind == "array":
        items = _takes(schema.get("items", {}), defs)
        return f"list of {_several(items)}"
    if isinstance(kind, list):
        return "value"
    if kind == "object" and "properties" in schema:
        return "{" + ", ".join(f"{key}: …" for key in cast("dict[str, Any]", schema["properties"])) + "}"
    bounds = [f"{words} {schema[key]:g}" for key, words in _BOUNDS.items() if key in schema]
    return ", ".join([_TYPES.get(str(kind), "value"), *bounds])


def _several(item: str) -> str:
    return _PLURALS.get(item, item)


def _field_text(doc: FieldDoc) -> str:
    about = [doc.takes]
    if doc.required:
        about.append("required")
    if doc.default is not None:
        about.append(f"default {doc.default}")
    examples = f" Such as {listed([f'`{example}`' for example in doc.examples], 'or')}." if doc.examples else ""
    return f"* `{doc.name}` ({'; '.join(about)}): {doc.description}{examples}"


def _yaml(example: Mapping[str, Any]) -> str:
    """An item of `expect`, indented as it stands there."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 110
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue] - declared as None
    text = StringIO()
    yaml.dump([dict(example)], text)  # pyright: ignore[reportUnknownMemberType]
    return "\n".join(f"  {line}" for line in text.getvalue().splitlines())
