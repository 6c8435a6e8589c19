"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) for code scanning."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote as uri

from pydantic_core import to_json

from planner.diagnostics import Diagnostics, Severity, Span
from planner.planfile.reporter import rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(driver: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The whole document."""
    runs = [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]
    return to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=2).decode() + "\n"


def render_diagnostics(diagnostics: Diagnostics, *, tool_version: str) -> str:
    """A SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) with the rules of the diagnostics."""
    items = diagnostics.in_order()
    worst = {item.code: item.severity for item in sorted(items, key=lambda item: item.severity is Severity.ERROR)}
    known = rules()
    codes = sorted(worst.keys() & known.keys())
    shown = [
        {
            "id": code,
            "shortDescription": {"text": known[code].summary},
            "fullDescription": {"text": known[code].explanation},
            "help": {"text": f"{known[code].explanation}\n\n`planner explain {code}` shows an example and its fix."},
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
    return sarif_log({"name": "planner", "version": tool_version, "rules": shown}, results)


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": uri(span.file)}, "region": region}}
