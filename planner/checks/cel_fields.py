"""What an expression in CEL can ask of, in the names of `planner.evidence`."""

from __future__ import annotations

from collections.abc import Mapping

FIELDS: Mapping[str, Mapping[str, str]] = {
    "Run": {
        "run_id": "int",
        "status": "string",
        "error_message": "string",
        "cost_cents": "int",
        "cost_basis": "string",
    },
    "Call": {
        "call_id": "int",
        "status": "string",
        "end_reason": "string",
        "duration_seconds": "double",
        "product": "string",
        "transferred_to": "string",
        "variant_id": "any",
        "variant_label": "string",
        "document": "map",
    },
    "Turn": {"number": "int", "role": "string", "text": "string", "start_ms": "int", "end_ms": "int", "ttfa_ms": "int"},
    "Tool": {
        "name": "string",
        "arguments": "map",
        "arguments_told": "bool",
        "has_result": "bool",
        "result": "any",
        "turn": "int",
        "start_ms": "int",
    },
    "Grade": {
        "status": "string",
        "score": "double",
        "outcome": "string",
        "goal": "string",
        "issues": "int",
        "critical_issues": "int",
        "summary": "string",
        "grader_model": "string",
        "grader_version": "string",
    },
}
"""What an expression can ask of, by type, in the names of `planner.evidence`."""

VARIABLES: Mapping[str, str] = {"run": "Run", "call": "Call", "turns": "Turn", "tools": "Tool", "grade": "Grade"}
