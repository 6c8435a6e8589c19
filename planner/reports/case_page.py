"""One case as it would be called and judged, and where each part of it is written: text for people, values for programs.

It shows what plan files say, to somebody who has them: nothing of it comes from a call, and nothing is left out or masked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import Any, cast

from rich.cells import cell_len

from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.model import Case, Quarantine, Target
from planner.planfile.origins import SETTINGS, CaseOrigins, Origin, Source
from planner.reports.neutral import for_json_text, for_terminal, for_terminal_block
from planner.reports.terminal import Colour, Paint, painter, wrapped

_LABEL = 12
_GAP = 3


@dataclass(frozen=True, slots=True)
class CasePage:
    """`environment` is the chosen one, if any."""

    case: Case
    origins: CaseOrigins
    environment: str | None

    @property
    def settings(self) -> list[tuple[str, Any, Origin]]:
        """Those that are set, or that the format sets: by its names, the values as JSON has them."""
        values = ((name, _value(getattr(self.case, name)), self.origins.settings[name]) for name in SETTINGS)
        return [setting for setting in values if setting[1] is not None]


def render_page(page: CasePage, *, width: int, color: bool) -> str:
    """The page as text. What is to be copied, such as the prompt, is never broken."""
    paint = painter(color=color)
    case, origins = page.case, page.origins
    parts = (
        ("Target", [(_target(case.target), origins.target)]),
        ("Tags", [(tag, origin) for tag, origin in origins.tags.items()]),
        ("Axes", [(f"{name} = {shown}", origins.axes[name]) for name, shown in case.point]),
        ("Variables", [(f"{found.name} = {_json(found.value)}", found.origin) for found in origins.variables]),
        (
            "Settings",
            [(f"{name} = {_shown(value)}{_in_runs(case, name)}", origin) for name, value, origin in page.settings],
        ),
    )
    lines = [paint(for_terminal(case.case_id), Colour.BOLD)]
    if case.description:
        lines += wrapped(for_terminal(case.description), width)
    lines.append("")
    lines += _listed(parts, page.environment, width, paint)
    lines += ["", f"{'Prompt':{_LABEL}}{paint(_told(origins.prompt, page.environment), Colour.DIM)}"]
    lines += for_terminal_block(case.prompt, "  | ")
    lines += ["", "Expected"]
    for expectation, origin in zip(case.expectations, origins.expectations, strict=True):
        lines.append(f"  {expectation.id}{' ' * _GAP}{paint(_told(origin, page.environment), Colour.DIM)}")
        lines += [f"    {name}: {_shown(value)}" for name, value in _fields(expectation).items()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _in_runs(case: Case, name: str) -> str:
    """How many of the runs a rate below 1 asks for; with `confidence` it depends on what is found."""
    if name != "min_pass_rate" or case.min_pass_rate >= 1 or case.confidence is not None:
        return ""
    return f" ({ceil(Fraction(repr(case.min_pass_rate)) * case.runs)} of {case.runs})"


def page_document(page: CasePage) -> dict[str, Any]:
    """The page as JSON values; `from` tells where each part is written."""
    case, origins = page.case, page.origins
    return {
        "case_id": case.case_id,
        "plan": case.plan,
        "scenario": case.scenario,
        "description": case.description,
        **_place(case.span),
        "target": {
            "alias": case.target.alias,
            "kind": case.target.kind,
            "id": case.target.id,
            "from": _from(origins.target),
        },
        "tags": [{"tag": tag, "from": _from(origin)} for tag, origin in origins.tags.items()],
        "axes": [{"axis": name, "value": shown, "from": _from(origins.axes[name])} for name, shown in case.point],
        "variables": [
            {"name": found.name, "value": found.value, "from": _from(found.origin)} for found in origins.variables
        ],
        "settings": [{"name": name, "value": value, "from": _from(origin)} for name, value, origin in page.settings],
        "prompt": {"text": case.prompt, "from": _from(origins.prompt)},
        "expectations": [
            {"id": expectation.id, **_fields(expectation), "from": _from(origin)}
            for expectation, origin in zip(case.expectations, origins.expectations, strict=True)
        ],
    }


def _listed(
    parts: Iterable[tuple[str, Sequence[tuple[str, Origin]]]], environment: str | None, width: int, paint: Paint
) -> list[str]:
    """Labelled lists: what is said, and right of it its place; below it where it is wide."""
    entries = [
        (label if first else "", for_terminal(text), _told(origin, environment))
        for label, said in parts
        for first, (text, origin) in zip([True, *[False] * len(said)], said, strict=False)
    ]
    room = max((cell_len(text) for _, text, _ in entries if cell_len(text) <= max(width // 2 - _LABEL, 28)), default=0)
    lines: list[str] = []
    for label, text, told in entries:
        head = f"{label:{_LABEL}}{text}"
        if cell_len(text) <= room:
            lines.append(f"{head}{' ' * (room - cell_len(text) + _GAP)}{paint(told, Colour.DIM)}")
        else:
            lines += [head, f"{'':{_LABEL}}{' ' * _GAP}{paint(told, Colour.DIM)}"]
    return lines


def _fields(expectation: Expectation) -> dict[str, Any]:
    """What an author could have written, without what is as it is by default."""
    fields = expectation.model_dump(mode="json", exclude={"id"}, exclude_defaults=True, by_alias=True)
    return _whole({"check": expectation.check, **fields})


def _told(origin: Origin, environment: str | None) -> str:
    """`plans/refunds.yaml:12`, and who it is where that is not the scenario."""
    place = f"{origin.span.file}:{origin.span.line}" if origin.span is not None else ""
    if origin.source is Source.DEFAULTS:
        place += " (defaults)"
    elif origin.source is Source.ENVIRONMENT:
        place = f"environment {environment}"
    elif origin.source is Source.FORMAT:
        place = "default"
    used = f", used at {origin.used.file}:{origin.used.line}" if origin.used is not None else ""
    return for_terminal(place + used)


def _from(origin: Origin) -> dict[str, Any]:
    return {
        "source": origin.source.value,
        **(_place(origin.span) if origin.span is not None else {}),
        **({"used": _place(origin.used)} if origin.used is not None else {}),
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column}


def _target(target: Target) -> str:
    return f"{target.alias}: {target.kind.replace('_', ' ')} {target.id}"


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
    """180.0 as 180: where a number is asked for they are one."""
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
    """A word of the format's as it is written, all else as JSON."""
    return value if isinstance(value, str) and value.isidentifier() else _json(value)


def _json(value: Any) -> str:
    """On one line, and no command of a CI log: what would be one is an escape, as JSON allows."""
    return for_json_text(json.dumps(value, ensure_ascii=False)).replace("::", ":\\u003a")
