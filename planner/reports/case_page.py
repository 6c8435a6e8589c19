"""`planner show`: the final form of one case, and where each part of it is defined. Only shows plan files, so nothing
is redacted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.model import Case, Quarantine
from planner.planfile.origins import SETTINGS, CaseOrigins, Origin, Source
from planner.reports.neutral import for_json_text, for_terminal, for_terminal_block, picked
from planner.reports.terminal import Colour, cells, painter, wrapped
from planner.values import frozen

_LABEL = 12
_GAP = 3


@frozen
class CasePage:
    """`environment` is the selected one, if any."""

    case: Case
    origins: CaseOrigins
    environment: str | None

    @property
    def settings(self) -> list[tuple[str, Any, Origin]]:
        """(name, JSON value, origin) of each setting with a value."""
        values = ((name, _value(getattr(self.case, name)), self.origins.settings[name]) for name in SETTINGS)
        return [setting for setting in values if setting[1] is not None]


def render_page(page: CasePage, *, width: int, color: bool) -> str:
    """The page as text. The prompt is never wrapped, so that it can be copied."""
    paint = painter(color=color)
    case, origins = page.case, page.origins
    target = f"{case.target.alias}: {case.target.kind.replace('_', ' ')} {case.target.id}"
    parts = (
        ("Target", [(target, origins.target)]),
        ("Tags", [(tag, origin) for tag, origin in origins.tags.items()]),
        ("Axes", [(f"{name} = {shown}", origins.axes[name]) for name, shown in case.point]),
        ("Variables", [(f"{found.name} = {_json(found.value)}", found.origin) for found in origins.variables]),
        ("Settings", [(f"{name} = {_shown(value)}", origin) for name, value, origin in page.settings]),
    )
    lines = [paint(for_terminal(case.case_id), Colour.BOLD)]
    lines += wrapped(for_terminal(case.description), width) if case.description else []
    lines.append("")
    entries = [(label, for_terminal(text), origin) for label, items in parts for text, origin in items]
    room = max((cells(text) for _, text, _ in entries if cells(text) <= max(width // 2 - _LABEL, 28)), default=0)
    previous = ""
    for label, text, origin in entries:
        head = f"{'' if label == previous else label:{_LABEL}}{text}"
        place, previous = paint(_place(origin, page.environment), Colour.DIM), label
        is_wide = cells(text) > room
        lines += (
            [head, f"{'':{_LABEL + _GAP}}{place}"] if is_wide else [f"{head}{' ' * (room - cells(text) + _GAP)}{place}"]
        )
    lines += ["", f"{'Prompt':{_LABEL}}{paint(_place(origins.prompt, page.environment), Colour.DIM)}"]
    lines += for_terminal_block(case.prompt, "  | ")
    lines += ["", "Expected"]
    for expectation, origin in zip(case.expectations, origins.expectations, strict=True):
        lines.append(f"  {expectation.id}{' ' * _GAP}{paint(_place(origin, page.environment), Colour.DIM)}")
        lines += [f"    {name}: {_shown(value)}" for name, value in _fields(expectation).items()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def page_document(page: CasePage) -> dict[str, Any]:
    """The page as JSON values; `from` is the place where a part is defined."""
    case, origins = page.case, page.origins
    target = picked(case.target, "alias", "kind", "id")
    return {
        **picked(case, "case_id", "plan", "scenario", "description"),
        **_span(case.span),
        "target": target | {"from": _from(origins.target)},
        "tags": [{"tag": tag, "from": _from(origin)} for tag, origin in origins.tags.items()],
        "axes": [{"axis": name, "value": shown, "from": _from(origins.axes[name])} for name, shown in case.point],
        "variables": [picked(found, "name", "value") | {"from": _from(found.origin)} for found in origins.variables],
        "settings": [{"name": name, "value": value, "from": _from(origin)} for name, value, origin in page.settings],
        "prompt": {"text": case.prompt, "from": _from(origins.prompt)},
        "expectations": [
            {"id": expectation.id, **_fields(expectation), "from": _from(origin)}
            for expectation, origin in zip(case.expectations, origins.expectations, strict=True)
        ],
    }


def _fields(expectation: Expectation) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    fields = expectation.model_dump(mode="json", exclude={"id"}, exclude_defaults=True, by_alias=True)
    return _whole({"check": expectation.check, **fields})


def _place(origin: Origin, environment: str | None) -> str:
    """`plans/refunds.yaml:12 (defaults)`, `environment staging`, `default`."""
    named = {Source.ENVIRONMENT: f"environment {environment}", Source.FORMAT: "default"}
    written = f"{origin.span.file}:{origin.span.line}" if origin.span is not None else ""
    place = named.get(origin.source, f"{written}{' (defaults)' if origin.source is Source.DEFAULTS else ''}")
    used = f", used at {origin.used.file}:{origin.used.line}" if origin.used is not None else ""
    return for_terminal(place + used)


def _from(origin: Origin) -> dict[str, Any]:
    return {
        "source": origin.source.value,
        **(_span(origin.span) if origin.span is not None else {}),
        **({"used": _span(origin.used)} if origin.used is not None else {}),
    }


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
