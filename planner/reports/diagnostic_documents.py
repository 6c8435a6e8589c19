"""Diagnostics as JSON, as annotations of a pull request, and as SARIF."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from planner.diagnostics import Diagnostic, Diagnostics, Severity, Span
from planner.reports.neutral import for_workflow_command

MAX_ANNOTATIONS = 9
"""GitHub shows ten annotations per step; the tenth gives the number of the others."""


def render_json(diagnostics: Diagnostics) -> str:
    """All diagnostics in order."""
    from pydantic_core import to_json

    found = {"schema_version": "1.0", "diagnostics": as_documents(diagnostics)}
    return to_json(found, indent=2).decode() + "\n"


def as_documents(diagnostics: Diagnostics) -> list[dict[str, Any]]:
    """In order, as JSON values."""
    return [
        {
            "severity": item.severity.value,
            "code": item.code,
            "summary": item.summary,
            "detail": item.detail,
            **item.span._asdict(),
            "related": [{"message": related.message, **related.span._asdict()} for related in item.related],
        }
        for item in diagnostics.in_order()
    ]


def render_github(diagnostics: Diagnostics) -> str:
    """Workflow commands that annotate the diff: the first nine, errors first, and the number of the others."""
    items = sorted(diagnostics.in_order(), key=lambda item: item.severity is not Severity.ERROR)
    lines = [_annotation(item) for item in items[:MAX_ANNOTATIONS]]
    if len(items) > MAX_ANNOTATIONS:
        lines.append(f"::notice::{len(items) - MAX_ANNOTATIONS} more problems; `planner validate` lists all")
    return "".join(f"{line}\n" for line in lines)


def render_sarif(diagnostics: Diagnostics, *, tool_version: str) -> str:
    """A SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) with the rules of the diagnostics."""
    from planner.planfile.rules import RULES
    from planner.reports.sarif import sarif_log  # imported late: the other formats do not need it

    items = diagnostics.in_order()
    worst = {item.code: item.severity for item in sorted(items, key=lambda item: item.severity is Severity.ERROR)}
    codes = sorted(code for code in worst if code in RULES)
    rules = [
        {
            "id": code,
            "shortDescription": {"text": RULES[code].summary},
            "fullDescription": {"text": RULES[code].explanation},
            "help": {"text": f"{RULES[code].explanation}\n\n`planner explain {code}` shows an example and its fix."},
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
    return sarif_log({"name": "planner", "version": tool_version, "rules": rules}, results)


def _annotation(item: Diagnostic) -> str:
    """Related places are lines of the message, as annotations cannot link to them."""
    span = item.span
    properties: dict[str, object] = {
        "file": span.file,
        "line": span.line,
        "endLine": span.end_line,
        "title": f"{item.summary} [{item.code}]",
    }
    if span.line == span.end_line:  # GitHub rejects columns of several lines
        properties |= {"col": span.column, "endColumn": span.end_column}
    places = [
        f"{related.message}: {related.span.file}:{related.span.line}:{related.span.column}" for related in item.related
    ]
    shown = ",".join(
        f"{name}={for_workflow_command(str(value), is_property=True)}" for name, value in properties.items()
    )
    message = "\n".join([item.detail, *places])
    return f"::{item.severity.value} {shown}::{for_workflow_command(message)}"


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": quote(span.file)}, "region": region}}
