"""Pure functions `RunResult -> str`, one file per format.

Results are redacted first (`redaction.redact`). Each format then neutralises hostile text (`neutral`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from planner.reports.neutral import json_document

if TYPE_CHECKING:
    from planner.evidence import Evidence
    from planner.results.model import RunResult

Render: TypeAlias = "Callable[[RunResult], str]"
EvidenceOf: TypeAlias = "Callable[[str], Evidence | None]"
"""Redacted evidence by its digest; None if it is not stored."""


def _lazy(module: str) -> Render:
    """The format's `render`, imported when first used, so that `report --format json` loads no template engine."""

    def render(result: RunResult) -> str:
        found: Render = import_module(f"{__name__}.{module}").render
        return found(result)

    return render


def _json(result: RunResult) -> str:
    """`results.json`, safe to print; see `schemas/results.schema.json`."""
    return json_document(result.model_dump(mode="json"))


FORMATS: Mapping[str, Render] = MappingProxyType(
    {
        "markdown": _lazy("markdown"),
        "json": _json,
        "junit": _lazy("junit"),
        "html": _lazy("html"),
    }
)
"""By the names of `planner report --format`. The first is the default."""
