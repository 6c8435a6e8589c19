"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) for code scanning, of results and of diagnostics.

One result per failed expectation of a case, on its line of the plan, and one per case that is unknown or failed
otherwise. The fingerprint covers case and expectation only, so that scanners recognise the problem if lines or messages
change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote as uri

from planner.checks import CHECKS
from planner.diagnostics import Diagnostics, Severity, Span
from planner.quantities import count
from planner.reports.case_phrasing import is_red, quote_place, reason
from planner.reports.neutral import one_line
from planner.results.model import CaseResult, Finding, RunResult

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LINK = re.compile(r"\]\(")  # a link in SARIF, even in plain text
_UNKNOWN = "unknown-outcome"
_FAILED = "failed-case"
_SUMMARIES = {
    _UNKNOWN: "Too few runs could be counted: the outcome is unknown, not passed.",
    _FAILED: "Too few runs passed, although no expectation failed: the platform failed, and such failures count.",
}


def sarif_log(driver: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The whole document."""
    from pydantic_core import to_json

    runs = [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]
    return to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=2).decode() + "\n"


def render(result: RunResult) -> str:
    """The log of a session."""
    results = [item for case in result.cases for item in _results(case, is_red(case, result))]
    rules = sorted({item["ruleId"] for item in results})
    for item in results:
        item["ruleIndex"] = rules.index(item["ruleId"])
    driver = {"name": "planner", "version": result.tool_version, "rules": list(map(_rule, rules))}
    return sarif_log(driver, results)


def _results(case: CaseResult, red: bool) -> Iterator[dict[str, Any]]:
    failed: dict[str, list[Finding]] = {}
    runs = [run for run in case.runs if run.had_call]  # the others are inconclusive
    for run in runs:
        for finding in run.findings:
            if finding.outcome == "failed":
                failed.setdefault(finding.expectation, []).append(finding)
    for expectation, (first, *others) in failed.items():
        quote = f" ({quote_place(first.quote)}: “{first.quote.text}”)" if first.quote else ""
        failures = f"{expectation} failed in {1 + len(others)} of {count(len(runs), 'run')}"
        level = "error" if red and first.severity != "warning" else "warning"
        yield _result(case, f"check/{first.check}", level, f"{failures}: {first.message}{quote}", expectation)
    if case.outcome == "unknown" and not case.quarantine:
        yield _result(case, _UNKNOWN, "error", f"outcome unknown: {reason(case)}")
    elif red and not any(first.severity != "warning" for first, *_ in failed.values()):
        yield _result(case, _FAILED, "error", reason(case))


def _result(case: CaseResult, rule: str, level: str, text: str, expectation: str = "") -> dict[str, Any]:
    line = case.finding_lines.get(expectation, case.line)
    region = {"region": {"startLine": line}} if line > 0 else {}
    place = {"artifactLocation": {"uri": uri(case.file)}, **region}
    identity = sha256(f"{case.case_id}\n{expectation}".encode()).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": 0,
        "level": level,
        "message": {"text": _LINK.sub("]\u200b(", one_line(f"{case.case_id}: {text}"))},
        "locations": [{"physicalLocation": place}] if case.file else [],
        "partialFingerprints": {"caseAndExpectation/v1": identity},
    }


def _rule(rule: str) -> dict[str, Any]:
    name = rule.removeprefix("check/")
    page = _SUMMARIES.get(rule) or (CHECKS[name].__doc__ if name in CHECKS else "")
    summary = one_line((page or "").strip().split("\n", maxsplit=1)[0])
    more = "" if rule in _SUMMARIES else f"\n\n`planner explain check:{name}` shows its fields and examples."
    return {"id": rule, "shortDescription": {"text": summary or name}, "help": {"text": summary + more}}


def render_diagnostics(diagnostics: Diagnostics, *, tool_version: str) -> str:
    """A SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) with the rules of the diagnostics."""
    from planner.planfile.reporter import rules  # imported late: a session has no diagnostics

    items = diagnostics.in_order()
    worst = {item.code: item.severity for item in sorted(items, key=lambda item: item.severity is Severity.ERROR)}
    codes = sorted(code for code in worst if code in rules())
    rules = [
        {
            "id": code,
            "shortDescription": {"text": rules()[code].summary},
            "fullDescription": {"text": rules()[code].explanation},
            "help": {"text": f"{rules()[code].explanation}\n\n`planner explain {code}` shows an example and its fix."},
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


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": uri(span.file)}, "region": region}}
