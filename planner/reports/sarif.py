"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) for code scanning.

One result per failed expectation of a case, on its line of the plan, and one per unknown case. The fingerprint covers case and
expectation only, so that scanners recognise the problem if lines or messages change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from planner.checks import CHECKS
from planner.reports import case_phrasing
from planner.reports.neutral import one_line
from planner.reports.quantities import count
from planner.results.model import CaseDocument, FindingDocument, RunResult

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LINK = re.compile(r"\]\(")  # a link in SARIF, even in plain text
_UNKNOWN = "unknown-outcome"
_UNKNOWN_SUMMARY = "Too few runs could be counted: the outcome is unknown, not passed."


def sarif_log(driver: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The whole document."""
    from pydantic_core import to_json

    runs = [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]
    return to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=2).decode() + "\n"


def render(result: RunResult) -> str:
    """The log of a session."""
    found = [item for case in result.cases for item in _of_case(case)]
    rules = sorted({item.rule for item in found})
    driver = {"name": "planner", "version": result.tool_version, "rules": [_rule(rule) for rule in rules]}
    return sarif_log(driver, [_result(item, rules.index(item.rule)) for item in found])


@dataclass(frozen=True, slots=True)
class _Found:
    rule: str
    case: CaseDocument
    expectation: str
    """Empty for the case as a whole."""
    line: int
    level: str
    text: str


def _of_case(case: CaseDocument) -> Iterator[_Found]:
    failed: dict[str, list[FindingDocument]] = {}
    runs = [run for run in case.runs if run.fault not in ("platform", "caller")]  # the others are inconclusive
    for run in runs:
        for finding in run.findings:
            if finding.outcome == "failed":
                failed.setdefault(finding.expectation, []).append(finding)
    for expectation, findings in failed.items():
        first = findings[0]
        quoted = first.quote
        quote_of_it = f" ({case_phrasing.quote_place(quoted)}: “{quoted.text}”)" if quoted else ""
        counts = case.outcome == "failed" and not case.quarantine and first.severity != "warning"
        yield _Found(
            f"check/{first.check}",
            case,
            expectation,
            case.finding_lines.get(expectation, case.line),
            "error" if counts else "warning",
            f"{expectation} failed in {len(findings)} of {count(len(runs), 'run')}: {first.message}{quote_of_it}",
        )
    if case.outcome == "unknown" and not case.quarantine:
        yield _Found(_UNKNOWN, case, "", case.line, "error", f"outcome unknown: {case_phrasing.reason(case)}")


def _rule(rule: str) -> dict[str, Any]:
    name = rule.removeprefix("check/")
    page = CHECKS[name].__doc__ if rule != _UNKNOWN and name in CHECKS else _UNKNOWN_SUMMARY
    summary = one_line((page or "").strip().split("\n", maxsplit=1)[0])
    help_text = (
        summary if rule == _UNKNOWN else f"{summary}\n\n`planner explain check:{name}` shows its fields and examples."
    )
    return {"id": rule, "shortDescription": {"text": summary or name}, "help": {"text": help_text}}


def _result(item: _Found, rule_index: int) -> dict[str, Any]:
    case = item.case
    identity = sha256(f"{case.case_id}\n{item.expectation}".encode()).hexdigest()
    place = {
        "artifactLocation": {"uri": quote(case.file)},
        **({"region": {"startLine": item.line}} if item.line > 0 else {}),
    }
    return {
        "ruleId": item.rule,
        "ruleIndex": rule_index,
        "level": item.level,
        "message": {"text": _LINK.sub("]\u200b(", one_line(f"{case.case_id}: {item.text}"))},
        "locations": [{"physicalLocation": place}] if case.file else [],
        "partialFingerprints": {"caseAndExpectation/v1": identity},
    }
