"""`results.json`."""

from __future__ import annotations

import json
import re

from inline_snapshot import external_file

from planner.reports import FORMATS
from planner.reports.redaction import redact
from planner.results.model import RunResult


def test_the_whole_document(canonical: RunResult) -> None:
    """Every field is there, in the model's order, also where its value is null."""
    assert FORMATS["json"](redact(canonical)) == external_file("golden/canonical.json", format=".txt")


def test_the_json_report_reads_back_equal(canonical: RunResult) -> None:
    """Read back, it is equal to what was written, hostile text included."""
    assert RunResult.model_validate_json(FORMATS["json"](canonical)) == canonical


def test_the_promised_fields(canonical: RunResult) -> None:
    """Documented fields are present, even if null."""
    document = json.loads(FORMATS["json"](canonical))
    assert {
        "schema_version", "outcome", "exit_code", "invocation_id", "change_set_digest", "consent", "cases", "cost", "stats"
    } <= document.keys()  # fmt: skip
    assert {
        "case_id", "outcome", "runs_passed", "runs_total", "pass_rate", "interval", "compared", "runs", "action", "carried_from",
        "before", "latest", "not_comparable",
    } <= set.intersection(*(set(case) for case in document["cases"]))  # fmt: skip
    runs = [run for case in document["cases"] for run in case["runs"]]
    assert {
        "run_id", "batch_id", "call_id", "outcome", "fault", "cost_cents", "duration_seconds", "adopted", "findings", "pooled"
    } <= set.intersection(*map(set, runs))  # fmt: skip
    findings = [finding for run in runs for finding in run["findings"]]
    assert {"expectation", "check", "outcome", "severity", "message", "quote"} == set.union(*map(set, findings))
    quotes = [finding["quote"] for finding in findings if finding["quote"]]
    assert {"turn", "role", "start_ms", "text"} == set.intersection(*map(set, quotes))
    assert {"estimated_cents", "actual_cents", "this_invocation_cents", "ambiguous_cents"} <= document["cost"].keys()
    assert {"requests", "launches", "refused", "wall_seconds"} <= document["stats"].keys()


def test_the_report_is_safe_to_print(canonical: RunResult) -> None:
    """No control or reordering character and no workflow command is in the text itself."""
    text = FORMATS["json"](canonical)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "##[" not in text
    assert not re.search(r"^\s*::", text, re.MULTILINE)
