"""`planner show`: the final form of one case, and where its expectations are written. Only shows plan files, so
nothing is redacted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.grammar import ScenarioDefaults
from planner.planfile.model import Case, Quarantine
from planner.reports.neutral import for_json_text, for_terminal, for_terminal_block, picked
from planner.reports.terminal import Colour, painter, wrapped

_LABEL = 12
_SETTINGS = tuple(
    name for name in ScenarioDefaults.model_fields if name not in {"description", "tags", "targets", "expect"}
)


def render_page(case: Case, *, width: int, color: bool) -> str:
    """The page as text. The prompt is never wrapped, so that it can be copied."""
    paint = painter(color=color)
    parts = {
        "Scenario": [f"{case.span.file}:{case.span.line}"],
        "Target": [f"{case.target.alias}: {case.target.kind.replace('_', ' ')} {case.target.id}"],
        "Tags": sorted(case.tags),
        "Axes": [f"{name} = {shown}" for name, shown in case.point],
        "Settings": [f"{name} = {_shown(value)}" for name, value in _settings(case).items()],
    }
    lines = [paint(for_terminal(case.case_id), Colour.BOLD)]
    lines += wrapped(for_terminal(case.description), width) if case.description else []
    lines.append("")
    for label, items in parts.items():
        for number, text in enumerate(items):
            lines.append(f"{'' if number else label:{_LABEL}}{for_terminal(text)}")
    lines += ["", "Prompt", *for_terminal_block(case.prompt, "  | ")]
    lines += ["", "Expected"]
    for expectation, span in zip(case.expectations, case.expectation_spans, strict=True):
        lines.append(f"  {expectation.id}   {paint(_place(span), Colour.DIM)}")
        lines += [f"    {name}: {_shown(value)}" for name, value in _fields(expectation).items()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def page_document(case: Case) -> dict[str, Any]:
    """The page as JSON values."""
    return {
        **picked(case, "case_id", "plan", "scenario", "description"),
        **_span(case.span),
        "target": picked(case.target, "alias", "kind", "id"),
        "tags": sorted(case.tags),
        "axes": dict(case.point),
        "settings": _settings(case),
        "prompt": case.prompt,
        "expectations": [
            {"id": expectation.id, **_fields(expectation), **_span(span)}
            for expectation, span in zip(case.expectations, case.expectation_spans, strict=True)
        ],
    }


def _settings(case: Case) -> dict[str, Any]:
    """The settings with a value, as JSON values."""
    values = {name: _value(getattr(case, name)) for name in _SETTINGS}
    return {name: value for name, value in values.items() if value is not None}


def _place(span: Span) -> str:
    return for_terminal(f"{span.file}:{span.line}")


def _fields(expectation: Expectation) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    fields = expectation.model_dump(mode="json", exclude={"id"}, exclude_defaults=True, by_alias=True)
    return _whole({"check": expectation.check, **fields})


def _span(span: Span) -> dict[str, Any]:
    return picked(span, "file", "line", "column")


def _value(value: Any) -> Any:
    match value:
        case timedelta():
            hours = value // timedelta(hours=1)
            return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
        case Quarantine():
            return {"until": value.until.isoformat(), "reason": value.reason}
        case _:
            return _whole(value)


def _whole(value: Any) -> Any:
    """180.0 as 180."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case dict():
            return {key: _whole(item) for key, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_whole(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _shown(value: Any) -> str:
    """Identifiers as written, everything else as JSON."""
    return value if isinstance(value, str) and value.isidentifier() else _json(value)


def _json(value: Any) -> str:
    """On one line; `::` is escaped, as it may start a workflow command."""
    return for_json_text(json.dumps(value, ensure_ascii=False)).replace("::", ":\\u003a")
