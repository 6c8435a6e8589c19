"""Faults of authored files as documents: JSON for programs, annotations for a pull request and SARIF for scanners."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from planner.diagnostics import Diagnostic, Diagnostics, Severity, Span
from planner.reports.diagnostics import visible

MAX_ANNOTATIONS = 9
"""GitHub shows ten annotations of one step; the tenth says how many more there are."""


def render_json(diagnostics: Diagnostics) -> str:
    """One document, one fault an item, in order; `cli.md` lists the fields."""
    from pydantic_core import to_json

    found = {"schema_version": "1.0", "diagnostics": as_documents(diagnostics)}
    return to_json(found, indent=2).decode() + "\n"


def as_documents(diagnostics: Diagnostics) -> list[dict[str, Any]]:
    """One an item, in order, as JSON values."""
    return [
        {
            "severity": item.severity.value,
            "code": item.code,
            "summary": item.summary,
            "detail": item.detail,
            **_place(item.span),
            "related": [{"message": related.message, **_place(related.span)} for related in item.related],
        }
        for item in diagnostics.in_order()
    ]


def render_github(diagnostics: Diagnostics) -> str:
    """Workflow commands that annotate the diff: the first nine faults, errors first, and how many more there are."""
    items = sorted(diagnostics.in_order(), key=lambda item: item.severity is not Severity.ERROR)
    lines = [_annotation(item) for item in items[:MAX_ANNOTATIONS]]
    if len(items) > MAX_ANNOTATIONS:
        lines.append(f"::notice::{len(items) - MAX_ANNOTATIONS} more faults; `planner validate` lists all")
    return "".join(f"{line}\n" for line in lines)


def render_sarif(diagnostics: Diagnostics, *, tool_version: str) -> str:
    """A SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) with the rules that were broken."""
    from planner.planfile.rules import RULES

    items = diagnostics.in_order()
    worst = {item.code: item.severity for item in sorted(items, key=lambda item: item.severity is Severity.ERROR)}
    codes = sorted(code for code in worst if code in RULES)
    rules = [
        {
            "id": code,
            "shortDescription": {"text": RULES[code].summary},
            "fullDescription": {"text": RULES[code].explanation},
            "help": {"text": f"{RULES[code].explanation}\n\n`planner explain {code}` shows an example, and its cure."},
            "defaultConfiguration": {"level": worst[code].value},
        }
        for code in codes
    ]
    results = [
        {
            "ruleId": item.code,
            "ruleIndex": codes.index(item.code) if item.code in codes else -1,
            "level": item.severity.value,
            "message": {"text": item.detail},
            "locations": [_sarif_location(item.span)],
            "relatedLocations": [
                {**_sarif_location(related.span), "message": {"text": related.message}} for related in item.related
            ],
        }
        for item in items
    ]
    driver = {"name": "planner", "version": tool_version, "rules": rules}
    from planner.reports.sarif import sarif_log  # late: of no use to the other documents

    return sarif_log(driver, results)


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _annotation(item: Diagnostic) -> str:
    span = item.span
    properties = {
        "file": span.file,
        "line": span.line,
        "endLine": span.end_line,
        "title": f"{item.summary} [{item.code}]",
    }
    if span.line == span.end_line:  # columns of a longer stretch are refused
        properties |= {"col": span.column, "endColumn": span.end_column}
    return f"::{item.severity.value} {_joined(properties.items())}::{_escaped(_with_places(item))}"


def _with_places(item: Diagnostic) -> str:
    """The detail, and each related place on a line of its own: an annotation has no links to them."""
    places = [
        f"{related.message}: {related.span.file}:{related.span.line}:{related.span.column}" for related in item.related
    ]
    return "\n".join(map(visible, [item.detail, *places]))


def _joined(properties: Iterable[tuple[str, object]]) -> str:
    return ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}" for name, value in properties
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": quote(span.file)}, "region": region}}
