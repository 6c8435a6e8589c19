"""`results.json`: the results document, safe to print."""

from __future__ import annotations

from planner.reports.neutral import for_json_text
from planner.results.model import RunResult


def render(result: RunResult) -> str:
    """See `schemas/results.schema.json`."""
    return for_json_text(result.model_dump_json(indent=2)) + "\n"
