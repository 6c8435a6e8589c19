"""`planner explain`: pages about diagnostics and checks. They are Markdown on a terminal too; docs/ has all of them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from ruamel.yaml import YAML

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.diagnostics import Diagnostics, Severity
from planner.planfile.examples import WITHOUT, Example
from planner.planfile.reporter import Rule, rules_by_area
from planner.planfile.schema import check_schema
from planner.reports.diagnostics import as_documents, render_text
from planner.reports.terminal import Colour, painter, wrapped
from planner.values import frozen

WIDTH = 120
"""Of the documents."""
_REPORT_WIDTH = 100
_MARKDOWN = re.compile(r"`[^`]*`|[*<\[\\]")
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_WORDS = {"string": "string", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
_LARGEST = 2**53
"""Larger bounds are not shown: they only reflect number types."""
_DIAGNOSTICS_HEAD = """\
# Diagnostics

The problems that `planner validate` can report, by the code it shows in brackets. Errors block all calls; warnings do
not. `planner explain CODE` also shows an example, the report for it, and the fixed files. This file is the output of
`planner explain --format markdown`.
"""
_CHECKS_HEAD = """\
# Checks

The checks that a plan can use. `planner explain check:NAME` prints one page. This file is the output of
`planner explain checks --format markdown`.

## Fields of every check
"""

_Escape = Callable[[str], str]


@frozen
class RulePage:
    """`diagnostics` are those of the example's broken files."""

    area: str
    rule: Rule
    example: Example | None
    diagnostics: Diagnostics


@frozen
class CheckField:
    """`type` is in words; `default` is None if there is none, or none that could be written."""

    name: str
    type: str
    required: bool
    default: Any
    description: str


@frozen
class CheckPage:
    """`fields` are its own, then those of every check. `examples` are items of `expect`."""

    name: str
    description: str
    fields: tuple[CheckField, ...]
    examples: tuple[dict[str, Any], ...]

    def own(self, *, shared: bool = False) -> list[CheckField]:
        return [field for field in self.fields if (field.name in Expectation.model_fields) is shared]


def check_page(name: str) -> CheckPage:
    schema = check_schema(name)
    fields = [field for field in fields_of(schema, schema.get("$defs", {})) if field.name != "check"]
    ordered = sorted(fields, key=lambda field: field.name in Expectation.model_fields)
    return CheckPage(name, schema.get("description", ""), tuple(ordered), tuple(schema.get("examples", ())))


def fields_of(schema: dict[str, Any], definitions: dict[str, Any]) -> list[CheckField]:
    """The keys of a mapping, by its JSON Schema."""
    required = schema.get("required", [])
    return [
        CheckField(
            name,
            _type(about, definitions),
            name in required,
            _written(about.get("default")),
            about.get("description", ""),
        )
        for name, about in schema["properties"].items()
    ]


def rule_text(page: RulePage, width: int) -> str:
    return "\n".join([f"# {page.rule.code}", "", *_rule(page, width)])


def check_text(page: CheckPage, width: int) -> str:
    lines = [f"# check: {page.name}", "", *_check(page, width, str)]
    return "\n".join([*lines, "", "Fields of every check:", "", *_listed(page.own(shared=True), width, str)])


def rules_document() -> str:
    """docs/diagnostics.md"""
    lines = [_DIAGNOSTICS_HEAD]
    for area, found in rules_by_area().items():
        lines += [f"## {area}", ""]
        for rule in found:
            lines += wrapped(f"`{rule.code}`: {escaped(rule.explanation)}", WIDTH, indent="* ", hanging="  ")
        lines.append("")
    return "\n".join(lines)


def checks_document(pages: Sequence[CheckPage]) -> str:
    """docs/checks.md"""
    lines = [_CHECKS_HEAD, *_listed(pages[0].own(shared=True), WIDTH, escaped)]
    first: dict[tuple[str, str], str] = {}  # by name and description: the check that has the field
    for page in pages:
        own = {(field.name, field.description): field for field in page.own()}
        known = [field for key, field in own.items() if key in first]
        lines += ["", f"## {page.name}", "", *_check(page, WIDTH, escaped, known)]
        if known:
            names = ", ".join(f"`{field.name}`" for field in known)
            source = first[known[0].name, known[0].description]
            lines += ["", f"Also {names}, as in [{source}](#{source})."]
        first = dict.fromkeys(own, page.name) | first
    return "\n".join(lines) + "\n"


def rule_json(page: RulePage) -> dict[str, Any]:
    """As JSON values."""
    example = page.example
    return {
        "code": page.rule.code,
        "area": page.area,
        "summary": page.rule.summary,
        "explanation": page.rule.explanation,
        "severity": None
        if example is None
        else (Severity.ERROR if page.diagnostics.has_errors else Severity.WARNING).value,
        "example": None
        if example is None
        else {
            "environment": example.environment,
            "beside": dict(example.beside),
            "broken": dict(example.broken),
            "fixed": dict(example.fixed),
            "diagnostics": as_documents(page.diagnostics),
        },
    }


def check_json(page: CheckPage) -> dict[str, Any]:
    """As JSON values."""
    return {
        "check": page.name,
        "description": page.description,
        "fields": [asdict(field) for field in page.fields],
        "examples": list(page.examples),
    }


def overview(*, rules: bool, width: int, color: bool) -> str:
    """All rules by area, if wanted, and all checks, one line each."""
    areas = (
        {area: [(rule.code, rule.summary) for rule in found] for area, found in rules_by_area().items()}
        if rules
        else {}
    )
    areas["Checks"] = [(f"check:{name}", check_page(name).description.split("\n")[0]) for name in CHECKS]
    paint = painter(color=color)
    indent = max(len(name) for items in areas.values() for name, _ in items) + 4
    blocks: list[str] = []
    for area, items in areas.items():
        lines = [paint(area, Colour.BOLD)]
        for name, summary in items:
            lines += wrapped(summary, width, indent=f"  {name.ljust(indent - 2)}", hanging=" " * indent)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def markdown_fields(fields: Sequence[CheckField]) -> list[str]:
    return _listed(fields, WIDTH, escaped)


def escaped(text: str) -> str:
    """Escape a string for Markdown, except its code spans in backticks."""
    return _MARKDOWN.sub(lambda found: found.group() if found.group().startswith("`") else f"\\{found.group()}", text)


def _rule(page: RulePage, width: int) -> Iterator[str]:
    rule, example = page.rule, page.example
    yield from [f"{rule.summary[:1].upper()}{rule.summary[1:]}.", "", *wrapped(rule.explanation, width)]
    if example is None:
        if without := WITHOUT.get(rule.code):
            yield from ["", *wrapped(f"No example: {without}.", width)]
        return
    files = {**example.beside, **example.broken}
    report = render_text(page.diagnostics, read_source=files.get, width=min(width, _REPORT_WIDTH), color=False)
    chosen = f", with `--environment {example.environment}`" if example.environment else ""
    yield from ["", f"{'Error' if page.diagnostics.has_errors else 'Warning'}{chosen}:", *_files(files)]
    yield from ["", "```text", report.rstrip(), "```", "", "Fixed:", *_files(example.fixed)]


def _files(files: Mapping[str, str]) -> Iterator[str]:
    for name, text in files.items():
        language = "yaml" if name.endswith(".yaml") else "text"
        yield from ["", f"`{name}`", "", f"```{language}", *text.splitlines(), "```"]


def _check(page: CheckPage, width: int, escape: _Escape, known: Sequence[CheckField] = ()) -> Iterator[str]:
    """Without the `known` fields."""
    for paragraph in page.description.split("\n\n"):
        yield from [*wrapped(escape(" ".join(paragraph.split())), width), ""]
    if fields := [field for field in page.own() if field not in known]:
        yield from [*_listed(fields, width, escape), ""]
    yield from ["```yaml", "expect:"]
    for example in page.examples:
        flow = f"- {_flow(example)}"
        lines = [flow] if len(flow) <= _REPORT_WIDTH else _dumped([example], flow=False).splitlines()
        yield from (f"  {line}" for line in lines)
    yield "```"


def _listed(fields: Sequence[CheckField], width: int, escape: _Escape) -> list[str]:
    lines: list[str] = []
    for field in fields:
        default = "" if field.default is None else f"; default {_flow(field.default)}"
        about = f"`{field.name}` ({field.type}{'; required' if field.required else default}): {field.description}"
        lines += wrapped(escape(about), width, indent="* ", hanging="  ")
    return lines


def _written(default: Any) -> Any:
    """A default in the form an author would write."""
    if isinstance(default, dict):
        return {key: value for key, value in cast("dict[str, Any]", default).items() if value is not None}
    return None if default == "" else default


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """The type of a schema, in words."""
    if "$ref" in schema:
        return _type(definitions[schema["$ref"].rsplit("/", maxsplit=1)[-1]], definitions)
    if "const" in schema:
        return _flow(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(_flow, schema["enum"]))
    if "properties" in schema:
        return "{" + ", ".join(schema["properties"]) + "}"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_type(one, definitions) for one in schema[union]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_type({"type": one}, definitions) for one in cast("list[str]", kind))
    if kind == "array":
        return f"list of {_type(schema['items'], definitions)}" if schema.get("items") else "list"
    if kind == "object":
        return "mapping"
    if kind not in _WORDS:
        return "any value"
    bounds = {words: schema[bound] for bound, words in _BOUNDS.items() if abs(schema.get(bound, _LARGEST)) < _LARGEST}
    if "minimum" in schema and "at most" in bounds:
        return f"{_WORDS[kind]} from {schema['minimum']:g} to {schema['maximum']:g}"
    return ", ".join([_WORDS[kind], *(f"{words} {bound:g}" for words, bound in bounds.items())])


def _flow(value: Any) -> str:
    return _dumped(value, flow=True).removesuffix("...\n").strip()


def _dumped(value: Any, *, flow: bool) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    yaml.width = 10_000
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue] - declared as always None
    stream = io.StringIO()
    yaml.dump(value, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()
