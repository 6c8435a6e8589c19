"""`RunResult -> str`, one file per format; nothing here decides anything, reads a clock or does I/O.

What is rendered is redacted first (`redaction.redact`); each format neutralises hostile text for its place (`neutral`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from planner.evidence import Evidence
    from planner.results.model import RunResult

Render: TypeAlias = "Callable[[RunResult], str]"
EvidenceOf: TypeAlias = "Callable[[str], Evidence | None]"
"""A run's evidence by its digest, redacted; None where it is not stored."""


def _late(module: str) -> Render:
    """The format's `render`, imported when first used: `report --format json` does not wait for an XML library."""

    def render(result: RunResult) -> str:
        found: Render = import_module(f"{__name__}.{module}").render
        return found(result)

    return render


FORMATS: Mapping[str, Render] = MappingProxyType(
    {
        "markdown": _late("markdown"),
        "json": _late("json"),
        "junit": _late("junit"),
        "html": _late("html"),
        "sarif": _late("sarif"),
    }
)
"""By the name that `planner report --format` takes."""
