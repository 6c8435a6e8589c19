"""Documents for programs."""

from __future__ import annotations

from typing import Any

from planner.reports.neutral import for_json_text


def picked(value: object, *names: str) -> dict[str, Any]:
    """Attributes of an object, by name."""
    return {name: getattr(value, name) for name in names}


def json_document(document: object) -> str:
    """JSON that is safe to print."""
    from pydantic_core import to_json  # imported late: most commands print text

    return for_json_text(to_json(document, indent=2).decode()) + "\n"
