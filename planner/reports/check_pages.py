"""`planner explain check:NAME`: description, fields and examples of a check, from its model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.planfile.grammar.schema import check_schema
from planner.reports.rule_pages import MARKDOWN_WIDTH, escaped
from planner.reports.terminal import Colour, painter, wrapped

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
_EXAMPLE_WIDTH = 100
_LARGEST = 2**53
"""Larger bounds are not shown: they only reflect number types."""


@dataclass(frozen=True, slots=True)
class CheckField:
    """`kind` describes the type; `default` is None if there is none, or none that could be written."""

    name: str
    kind: str
    required: bool
    default: Any
    description: str


@dataclass(frozen=True, slots=True)
class CheckPage:
    """`shared` are the fields that every check has. `examples` are items of `expect`."""

    name: str
    description: str
    fields: tuple[CheckField, ...]
    shared: tuple[CheckField, ...]
    examples: tuple[dict[str, Any], ...]

    @property
    def summary(self) -> str:
        """The first sentence or line of the description."""
        return self.description.split("\n", maxsplit=1)[0].strip()


def check_page(name: str) -> CheckPage:
    schema = check_schema(name)
    fields = [field for field in fields_of(schema, schema.get("$defs", {})) if field.name != "check"]
    return CheckPage(
        name=name,
        description=schema.get("description", ""),
        fields=tuple(field for field in fields if field.name not in Expectation.model_fields),
        shared=tuple(field for field in fields if field.name in Expectation.model_fields),
        examples=tuple(schema.get("examples", ())),
    )


def fields_of(schema: dict[str, Any], definitions: dict[str, Any]) -> list[CheckField]:
    """The keys of a mapping, by its JSON Schema."""
    return [
        CheckField(
            name=name,
            kind=_kind(about, definitions),
            required=name in schema.get("required", []),
            default=_written(about.get("default")),
            description=about.get("description", ""),
        )
        for name, about in schema["properties"].items()
    ]


def render_check(page: CheckPage, *, width: int, color: bool) -> str:
    """For a terminal."""
    paint = painter(color=color)
    lines = [paint(f"check: {page.name}", Colour.BOLD), ""]
    for paragraph in page.description.split("\n\n"):
        lines += [*wrapped(" ".join(paragraph.split()), width, indent="  "), ""]
    for title, fields in (("Fields", page.fields), ("Fields of every check", page.shared)):
        lines += [paint(f"{title}:", Colour.BOLD)]
        for field in fields:
            lines += wrapped(f"{_noted(field)}", width, indent=f"  {paint(field.name, Colour.CYAN)}: ", hanging="    ")
            lines += wrapped(field.description, width, indent="    ")
        lines.append("")
    lines += [paint("Examples:", Colour.BOLD), *(f"  {line}" for line in _yaml(page.examples))]
    return "\n".join(lines)


def render_checks(*, width: int, color: bool) -> str:
    """All checks, one line each."""
    paint = painter(color=color)
    indent = max(map(len, CHECKS)) + len("check:") + 4
    lines = [paint("Checks", Colour.BOLD)]
    for name in CHECKS:
        lines += wrapped(
            check_page(name).summary, width, indent=f"  {f'check:{name}'.ljust(indent - 2)}", hanging=" " * indent
        )
    return "\n".join(lines)


def render_markdown(pages: Sequence[CheckPage]) -> str:
    """All pages as one document; shared fields are described once."""
    lines = [
        "# Checks",
        "",
        "The checks that a plan can use. `planner explain check:NAME` prints one page. This file is the output of",
        "`planner explain checks --format markdown`.",
        "",
        "## Fields of every check",
        "",
        *markdown_fields(pages[0].shared),
    ]
    for page in pages:
        lines += ["", f"## {page.name}", ""]
        for paragraph in page.description.split("\n\n"):
            lines += [*wrapped(escaped(" ".join(paragraph.split())), MARKDOWN_WIDTH), ""]
        lines += [*markdown_fields(page.fields), "", "```yaml", "expect:"]
        lines += [*(f"  {line}" for line in _yaml(page.examples)), "```"]
    return "\n".join(lines) + "\n"


def check_document(page: CheckPage) -> dict[str, Any]:
    """As JSON values."""
    return {
        "check": page.name,
        "description": page.description,
        "fields": [
            {
                "name": field.name,
                "type": field.kind,
                "required": field.required,
                "default": field.default,
                "description": field.description,
            }
            for field in (*page.fields, *page.shared)
        ],
        "examples": list(page.examples),
    }


def _noted(field: CheckField) -> str:
    if field.required:
        return f"{field.kind}; required"
    return field.kind if field.default is None else f"{field.kind}; default {_flow(field.default)}"


def markdown_fields(fields: Sequence[CheckField]) -> list[str]:
    return [
        line
        for field in fields
        for line in wrapped(
            escaped(f"`{field.name}` ({_noted(field)}): {field.description}"), MARKDOWN_WIDTH, indent="* ", hanging="  "
        )
    ]


def _written(default: Any) -> Any:
    """A default in the form an author would write."""
    if isinstance(default, dict):
        return {key: value for key, value in cast("dict[str, Any]", default).items() if value is not None}
    return None if default == "" else default


def _kind(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """The type of a schema, in words."""
    if "$ref" in schema:
        return _kind(definitions[schema["$ref"].rsplit("/", maxsplit=1)[-1]], definitions)
    if "const" in schema:
        return _flow(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(_flow, schema["enum"]))
    if "properties" in schema:
        return "{" + ", ".join(schema["properties"]) + "}"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_kind(one, definitions) for one in schema[union]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_kind({"type": one}, definitions) for one in cast("list[str]", kind))
    if kind == "array":
        return f"list of {_kind(schema['items'], definitions)}" if schema.get("items") else "list"
    if kind == "object":
        return "mapping"
    if kind not in _WORDS:
        return "any value"
    if "minimum" in schema and schema.get("maximum", _LARGEST) < _LARGEST:
        return f"{_WORDS[kind]} from {schema['minimum']:g} to {schema['maximum']:g}"
    return ", ".join(
        [_WORDS[kind], *(f"{words} {schema[bound]:g}" for bound, words in _BOUNDS.items() if _is_shown(schema, bound))]
    )


def _is_shown(schema: dict[str, Any], bound: str) -> bool:
    return abs(schema.get(bound, _LARGEST)) < _LARGEST


def _yaml(examples: Sequence[dict[str, Any]]) -> list[str]:
    """Items of a list, each on one line if it fits."""
    lines: list[str] = []
    for example in examples:
        flow = f"- {_flow(example)}"
        lines += [flow] if len(flow) <= _EXAMPLE_WIDTH else _dumped([example], flow=False).splitlines()
    return lines


def _flow(value: Any) -> str:
    return _dumped(value, flow=True).removesuffix("...\n").strip()


def _dumped(value: Any, *, flow: bool) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    yaml.width = 10_000
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue] - declared as always None
    stream = io.StringIO()
    yaml.dump(value, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()
