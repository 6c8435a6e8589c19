"""Diagnostics as text, each with its source line and a caret, and as JSON. Control characters of source lines are
escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from planner import quantities
from planner.diagnostics import Diagnostic, Diagnostics, Severity, Span, without_secrets
from planner.reports.neutral import json_document
from planner.reports.terminal import NARROWEST, Colour, Paint, cells, chopped, painter, wrapped

ReadSource = Callable[[str], str | None]
"""The text of a file by its name in diagnostics; None if it cannot be read."""
_LineOf = Callable[[Span], str]

_SECRET_FIELD = "secret-field"  # noqa: S105 - a code
_GUTTER = 5
_MARGIN = " " * (_GUTTER + 3)
_LONGEST_KEY = 1_000
_MAX_OF_A_KIND = 20
"""Diagnostics of one code and file that are shown."""
_JOINERS = "\u200c\u200d"
"""Zero-width joiners: not printable, but part of letters and emoji."""


def render_text(diagnostics: Diagnostics, *, read_source: ReadSource, width: int, color: bool) -> str:
    """All diagnostics in order, and their number; empty if there are none. Fits `width` columns."""
    items = diagnostics.in_order()
    if not items:
        return ""

    @cache
    def lines_of(file: str) -> list[str]:
        text = (read_source(file) or "").removeprefix("\ufeff")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for item in items:
            if item.code == _SECRET_FIELD and item.span.file == file:
                _hide(lines, item.span)
        return lines

    def line_of(span: Span) -> str:
        lines = lines_of(span.file)
        return lines[span.line - 1].rstrip() if span.line <= len(lines) else ""

    paint, width = painter(color=color), max(width, NARROWEST)
    shown, others = limited(items)
    blocks = ["\n".join(_block(item, line_of, width, paint)) for item in shown]
    blocks += [
        f"and {number:,} more [{code}] in {visible(file)}; --format json lists all"
        for (file, code), number in others.items()
    ]
    return "\n\n".join([*blocks, count(diagnostics)]) + "\n"


def _hide(lines: list[str], span: Span) -> None:
    """Put stars in the place of a secret."""
    for number in range(span.line, min(span.end_line, len(lines)) + 1):
        line = lines[number - 1]
        start = span.column - 1 if number == span.line else 0
        end = span.end_column - 1 if number == span.end_line else len(line)
        lines[number - 1] = line[:start] + "*" * (min(end, len(line)) - start) + line[end:]


def count(diagnostics: Diagnostics) -> str:
    """`2 errors and 1 warning in 2 files`."""
    errors = sum(item.severity is Severity.ERROR for item in diagnostics.items)
    numbers = ((errors, "error"), (len(diagnostics) - errors, "warning"))
    files = len({item.span.file for item in diagnostics.items})
    parts = [quantities.count(number, noun) for number, noun in numbers if number]
    return f"{' and '.join(parts)} in {quantities.count(files, 'file')}" if parts else "no problems"


def advice(diagnostics: Diagnostics) -> str:
    """The command that explains the first error, or else the first warning."""
    first = min(diagnostics.in_order(), key=lambda item: item.severity is not Severity.ERROR)
    return f"Run `planner explain {first.code}` for details and a corrected example"


def visible(text: str) -> str:
    """Escapes characters that move the cursor, change the writing direction or end the line."""
    return "".join(
        character if character.isprintable() or character in _JOINERS else f"\\u{ord(character):04x}"
        for character in text
    )


def limited(items: Iterable[Diagnostic]) -> tuple[list[Diagnostic], Counter[tuple[str, str]]]:
    """The first of each code and file, in order, and the number of others by file and code."""
    shown: list[Diagnostic] = []
    seen: Counter[tuple[str, str]] = Counter()
    for item in items:
        kind = item.span.file, item.code
        seen[kind] += 1
        if seen[kind] <= _MAX_OF_A_KIND:
            shown.append(item)
    return shown, Counter({kind: number - _MAX_OF_A_KIND for kind, number in seen.items() if number > _MAX_OF_A_KIND})


def _block(item: Diagnostic, line_of: _LineOf, width: int, paint: Paint) -> Iterator[str]:
    colour = Colour.RED if item.severity is Severity.ERROR else Colour.YELLOW
    yield from _head(item, paint(item.severity.value, colour), width, paint)
    yield from _excerpt(item.span, line_of, width, paint, colour)
    yield from wrapped(visible(item.detail), width, indent=_MARGIN)
    for related in item.related:
        yield from wrapped(f"{related.message}: {_where(related.span)}", width, indent=_MARGIN)
        yield from _excerpt(related.span, line_of, width, paint, Colour.BLUE)


def _head(item: Diagnostic, severity: str, width: int, paint: Paint) -> list[str]:
    """One line, or two or three if it is too wide; the place is never broken, as terminals make it a link."""
    place, code = _where(item.span), f"[{item.code}]"
    painted = paint(place, Colour.BOLD) + ":"
    needed = cells(f"{item.severity.value}: {item.summary} {code}")
    if cells(place) + 2 + needed <= width:
        return [f"{painted} {severity}: {item.summary} {code}"]
    if needed + 2 <= width:
        return [painted, f"  {severity}: {item.summary} {code}"]
    return [painted, f"  {severity}: {item.summary}", f"  {code}"]


def _excerpt(span: Span, line_of: _LineOf, width: int, paint: Paint, colour: Colour) -> list[str]:
    """The line, or the part of it around the span, and the caret; empty if the line is missing or blank."""
    line = line_of(span)
    if not line:
        return []
    room, start = width - len(_MARGIN), span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    origin = max(0, start - room - _LONGEST_KEY)  # a line may have millions of characters
    part = without_secrets(line[origin : start + room + _LONGEST_KEY])
    at = start - origin
    before, after = _shown(part[max(0, at - room) : at]), _shown(part[at : at + room + 1])
    if cells(before) + cells(after) > room or start > room:
        keep = max(room // 3, room - cells(after) - 1)
        if cells(before) > keep:
            before = "…" + chopped(before[::-1], keep)[0][::-1]
        room -= cells(before)
        after = after if cells(after) <= room else chopped(after, room - 1)[0] + "…"
    marked = min(cells(_shown(part[at : at + end - start])), cells(after.removesuffix("…")))
    caret = " " * cells(before) + "^" * max(1, marked)
    bar = paint("|", Colour.BLUE)
    return [
        f"{paint(str(span.line).rjust(_GUTTER), Colour.BLUE)} {bar} {before}{after}",
        f"{' ' * _GUTTER} {bar} {paint(caret, colour)}",
    ]


def _shown(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _where(span: Span) -> str:
    return f"{visible(span.file)}:{span.line}:{span.column}"


def render_json(diagnostics: Diagnostics) -> str:
    """All diagnostics in order."""
    return json_document({}, exit_code=2 if diagnostics.has_errors else 0, diagnostics=as_documents(diagnostics))


def as_documents(diagnostics: Diagnostics) -> list[dict[str, Any]]:
    """In order, as JSON values."""
    return [
        {
            "severity": item.severity.value,
            "code": item.code,
            "summary": item.summary,
            "detail": item.detail,
            **item.span._asdict(),
            "related": [{"message": related.message, **related.span._asdict()} for related in item.related],
        }
        for item in diagnostics.in_order()
    ]
