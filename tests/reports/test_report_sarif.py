"""`planner report --format sarif`: failures for code scanning."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft4Validator, FormatChecker

from planner.reports import FORMATS
from planner.reports.redaction import redact
from planner.results.model import RunResult
from tests.support.samples import changed

SCHEMA = Path(
    os.environ.get("PLANNER_NODE_MODULES", "node_modules"), "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
)


def test_failed_expectations_have_their_line(canonical: RunResult) -> None:
    """One result per case and expectation; a warning if it fails no case; unknown cases are errors."""
    log = json.loads(FORMATS["sarif"](redact(canonical)))
    shown = [
        (
            result["ruleId"],
            result["level"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"]["startLine"],
            result["message"]["text"].partition(":")[0],
        )
        for result in log["runs"][0]["results"]
    ]
    window = "refunds/refund-window[mood=furious]@support"
    assert shown == [
        ("check/says", "error", "plans/refunds.yaml", 22, window),
        ("check/never_says", "error", "plans/refunds.yaml", 25, window),
        ("check/latency", "warning", "plans/hours.yaml", 12, "hours/opening@hotline"),
        ("check/tool_called", "warning", "plans/hours.yaml", 12, "hours/opening@hotline"),
        ("unknown-outcome", "error", "plans/hours.yaml", 12, 'hours/late[day="New Year\'s Eve | 31"]@hotline'),
        ("unknown-outcome", "error", "plans/orders.yaml", 12, "orders/status@support"),
        ("check/says", "warning", "plans/hours.yaml", 12, "hours/parking@support"),
    ]
    message = log["runs"][0]["results"][1]["message"]["text"]
    assert (
        "no-guarantee failed in 2 of 3 runs: the agent said what it must never say (turn 6, agent, 0:42: “" in message
    )
    assert "[a](" not in message


def test_what_makes_a_session_red_is_an_error(canonical: RunResult) -> None:
    """Also a flaky case that regressed, and a case that the platform failed."""
    cases = {case.case_id: case for case in canonical.cases}
    flaky = changed(cases["hours/opening@hotline"], compared="regressed")
    silent = changed(cases['hours/late[day="New Year\'s Eve | 31"]@hotline'], outcome="failed")
    log = json.loads(FORMATS["sarif"](changed(canonical, cases=[flaky, silent])))
    assert [(found["ruleId"], found["level"]) for found in log["runs"][0]["results"]] == [
        ("check/latency", "warning"),
        ("check/tool_called", "error"),
        ("failed-case", "error"),
    ]


def test_fingerprints_are_stable(canonical: RunResult) -> None:
    """Fingerprints do not depend on lines, messages or counts, and are unique."""

    def fingerprints(result: RunResult) -> list[str]:
        log = json.loads(FORMATS["sarif"](result))
        return [item["partialFingerprints"]["caseAndExpectation/v1"] for item in log["runs"][0]["results"]]

    moved = changed(
        canonical,
        cases=[
            changed(case, line=99, finding_lines={}, runs=case.runs[1:] + case.runs[1:]) for case in canonical.cases[:1]
        ],
    )
    assert fingerprints(moved) == fingerprints(canonical)[:2]
    assert len(set(fingerprints(canonical))) == len(fingerprints(canonical))


@pytest.mark.skipif(not SCHEMA.is_file(), reason="needs PLANNER_NODE_MODULES with @microsoft/jest-sarif in it")
def test_the_log_follows_the_standard(canonical: RunResult, all_passed: RunResult) -> None:
    """Valid by the official schema of SARIF 2.1.0, also without results."""
    validator = Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")), format_checker=FormatChecker())
    for result in (canonical, all_passed):
        assert [error.message for error in validator.iter_errors(json.loads(FORMATS["sarif"](result)))] == []
