"""`results.json`: the document itself, every field present, safe to print."""

from __future__ import annotations

from planner.reports.neutral import for_json_text
from planner.results.model import RunResult


def render(result: RunResult) -> str:
    """The document of `schemas/results.schema.json`, indented, in the order of the model's fields."""
    return for_json_text(result.model_dump_json(indent=2)) + "\n"
