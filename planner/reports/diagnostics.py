"""Faults of authored files as text for people, JSON for programs, annotations for a pull request and SARIF for scanners.

Authored text is shown, never obeyed: what a terminal or a workflow runner would act on is written as an escape.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from planner.diagnostics import Diagnostic, Diagnostics, Severity, Span

ReadSource = Callable[[str], str | None]
"""The text of a file by the name diagnostics give it; None where it cannot be read (any more)."""

MAX_ANNOTATIONS = 9
"""GitHub shows ten annotations of one step; the tenth says how many more there are."""

_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[1m", "\x1b[0m"
_GUTTER = 5


def render_text(diagnostics: Diagnostics, *, read_source: ReadSource, width: int, color: bool) -> str:
    """All faults in order, each with the line it is on and a caret under it, and a count at the end. Empty without faults.

    `width` is the terminal's in columns; explanations are wrapped and long source lines cut to it.
    """
    items = diagnostics.in_order()
    if not items:
        return ""
    sources: dict[str, list[str] | None] = {}

    def line_of(span: Span) -> str | None:
        if span.file not in sources:
            text = read_source(span.file)
            sources[span.file] = (
                None
                if text is None
                else text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
            )
        lines = sources[span.file]
        return lines[span.line - 1] if lines is not None and span.line <= len(lines) else None

    blocks = [_block(item, line_of, max(width, 40), color=color) for item in items]
    return "\n\n".join([*blocks, count(diagnostics)]) + "\n"


def count(diagnostics: Diagnostics) -> str:
    """Such as "2 errors and 1 warning in 2 files"."""
    errors = sum(item.severity is Severity.ERROR for item in diagnostics.items)
    warnings = len(diagnostics) - errors
    files = len({item.span.file for item in diagnostics.items})
    parts = [_counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return f"{' and '.join(parts)} in {_counted(files, 'file')}" if parts else "no faults"


def render_json(diagnostics: Diagnostics) -> str:
    """One document, one fault an item, in order; `cli.md` lists the fields."""
    from pydantic_core import to_json

    items = [
        {
            "severity": item.severity.value,
            "code": item.code,
            "summary": item.summary,
            "detail": item.detail,
            **_place(item.span),
            "related": [{"message": related.message, **_place(related.span)} for related in item.related],
        }
        for item in diagnostics.in_order()
    ]
    return to_json({"schema_version": "1.0", "diagnostics": items}, indent=2).decode() + "\n"


def render_github(diagnostics: Diagnostics) -> str:
    """Workflow commands that annotate the diff: the first nine faults, errors first, and how many more there are."""
    items = sorted(diagnostics.in_order(), key=lambda item: item.severity is not Severity.ERROR)
    lines = [_annotation(item) for item in items[:MAX_ANNOTATIONS]]
    if len(items) > MAX_ANNOTATIONS:
        lines.append(f"::notice::{len(items) - MAX_ANNOTATIONS} more faults; `planner validate` lists all")
    return "".join(f"{line}\n" for line in lines)


def render_sarif(diagnostics: Diagnostics, *, tool_version: str) -> str:
    """A SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) with the rules that were broken."""
    from pydantic_core import to_json

    from planner.spec.faults import RULES

    items = diagnostics.in_order()
    codes = sorted({item.code for item in items})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": RULES[code].summary},
            "fullDescription": {"text": RULES[code].explanation},
        }
        for code in codes
        if code in RULES
    ]
    results = [
        {
            "ruleId": item.code,
            "level": item.severity.value,
            "message": {"text": item.detail},
            "locations": [_sarif_location(item.span)],
            "relatedLocations": [
                {**_sarif_location(related.span), "message": {"text": related.message}} for related in item.related
            ],
        }
        for item in items
    ]
    driver = {"name": "planner", "version": tool_version, "rules": rules}
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return to_json(log, indent=2).decode() + "\n"


# Text


def _block(item: Diagnostic, line_of: Callable[[Span], str | None], width: int, *, color: bool) -> str:
    tint = _RED if item.severity is Severity.ERROR else _YELLOW
    head = f"{_painted(_where(item.span), _BOLD, color)}: {_painted(item.severity.value, tint + _BOLD, color)}: {item.summary} [{item.code}]"
    lines = [head, *_excerpt(item.span, line_of(item.span), width, tint, color=color)]
    lines.extend(_wrapped(item.detail, width))
    for related in item.related:
        lines.extend(_wrapped(f"{related.message}: {_where(related.span)}", width))
        lines.extend(_excerpt(related.span, line_of(related.span), width, _BLUE, color=color))
    return "\n".join(lines)


def _excerpt(span: Span, line: str | None, width: int, tint: str, *, color: bool) -> list[str]:
    if line is None or not line.strip():
        return []
    from rich.cells import cell_len

    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    shown = "".join(
        character if character.isprintable() else " " if character == "\t" else "\ufffd" for character in line.rstrip()
    )
    room = width - _GUTTER - 4
    if len(shown) > room:
        first = max(0, min(start - room // 3, len(shown) - room))
        more = first + room < len(shown)
        shown = ("…" if first else "") + shown[first + bool(first) : first + room - more] + ("…" if more else "")
        start, end = start - first, end - first
    end = max(start + 1, min(end, len(shown)))
    caret = " " * cell_len(shown[:start]) + "^" * max(1, cell_len(shown[start:end]))
    bar = _painted("|", _BLUE, color)
    return [
        f"{_painted(str(span.line).rjust(_GUTTER), _BLUE, color)} {bar} {shown}",
        f"{' ' * _GUTTER} {bar} {_painted(caret, tint, color)}",
    ]


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * (_GUTTER + 3)
    return textwrap.wrap(
        _visible(text),
        width=width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(text: str, codes: str, color: bool) -> str:
    return f"{codes}{text}{_RESET}" if color else text


def _visible(text: str) -> str:
    """No character that moves a cursor, changes a direction or ends a line."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _where(span: Span) -> str:
    return f"{_visible(span.file)}:{span.line}:{span.column}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# Documents


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _annotation(item: Diagnostic) -> str:
    span = item.span
    properties = {
        "file": span.file,
        "line": span.line,
        "endLine": span.end_line,
        "title": f"{item.summary} [{item.code}]",
    }
    if span.line == span.end_line:  # columns of a longer stretch are refused
        properties |= {"col": span.column, "endColumn": span.end_column}
    return f"::{item.severity.value} {_joined(properties.items())}::{_escaped(_visible(item.detail))}"


def _joined(properties: Iterable[tuple[str, object]]) -> str:
    return ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}" for name, value in properties
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": quote(span.file)}, "region": region}}
