"""Diagnostics as text: each with its source line and a caret. Control characters of source lines are escaped."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

from planner.diagnostics import Diagnostic, Diagnostics, Severity, Span, without_secrets

ReadSource = Callable[[str], str | None]
"""The text of a file by its name in diagnostics; None if it cannot be read."""

_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[1m", "\x1b[0m"
_GUTTER = 5
_NARROWEST = 40
_LONGEST_SEARCHED = 100_000
"""Longer lines are not searched for keys: a file may be one line of megabytes."""
_JOINERS = "\u200c\u200d"
"""Zero-width joiners: not printable, but part of letters and emoji."""


def render_text(diagnostics: Diagnostics, *, read_source: ReadSource, width: int, color: bool) -> str:
    """All diagnostics in order, and their number; empty if there are none. Fits `width` columns."""
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

    blocks = [_block(item, line_of, max(width, _NARROWEST), color=color) for item in items]
    return "\n\n".join([*blocks, count(diagnostics)]) + "\n"


def count(diagnostics: Diagnostics) -> str:
    """`2 errors and 1 warning in 2 files`."""
    errors = sum(item.severity is Severity.ERROR for item in diagnostics.items)
    warnings = len(diagnostics) - errors
    files = len({item.span.file for item in diagnostics.items})
    parts = [_counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return f"{' and '.join(parts)} in {_counted(files, 'file')}" if parts else "no problems"


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


def _block(item: Diagnostic, line_of: Callable[[Span], str | None], width: int, *, color: bool) -> str:
    tint = _RED if item.severity is Severity.ERROR else _YELLOW
    severity = _painted(item.severity.value, tint + _BOLD, color)
    lines = [*_head(item, severity, width, color=color), *_excerpt(item.span, line_of, width, tint, color=color)]
    lines.extend(_wrapped(item.detail, width))
    for related in item.related:
        lines.extend(_wrapped(f"{related.message}: {_where(related.span)}", width))
        lines.extend(_excerpt(related.span, line_of, width, _BLUE, color=color))
    return "\n".join(lines)


def _head(item: Diagnostic, severity: str, width: int, *, color: bool) -> list[str]:
    """One line, or two or three if it is too wide; the place is never broken, as terminals make it a link."""
    from rich.cells import cell_len

    place, what = f"{_where(item.span)}:", f"{item.summary} [{item.code}]"
    painted = _painted(place[:-1], _BOLD, color) + ":"
    if cell_len(f"{place} {item.severity.value}: {what}") <= width:
        return [f"{painted} {severity}: {what}"]
    if cell_len(f"  {item.severity.value}: {what}") <= width:
        return [painted, f"  {severity}: {what}"]
    return [painted, f"  {severity}: {item.summary}", f"  [{item.code}]"]


def _excerpt(span: Span, line_of: Callable[[Span], str | None], width: int, tint: str, *, color: bool) -> list[str]:
    """The line and the caret; empty if the line is missing or blank."""
    line = line_of(span)
    if line is None or not line.strip():
        return []
    from rich.cells import cell_len

    line = line.rstrip()
    if len(line) <= _LONGEST_SEARCHED:
        line = _without_secrets(line)
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    before, marked, after = _window(line, span.column - 1, end, width - _GUTTER - 3)
    caret = " " * cell_len(before) + "^" * max(1, cell_len(marked))
    bar = _painted("|", _BLUE, color)
    return [
        f"{_painted(str(span.line).rjust(_GUTTER), _BLUE, color)} {bar} {before}{marked}{after}",
        f"{' ' * _GUTTER} {bar} {_painted(caret, tint, color)}",
    ]


@lru_cache(maxsize=8)
def _without_secrets(line: str) -> str:
    """Cached, as a long line may have a thousand diagnostics."""
    return without_secrets(line)


def _window(line: str, start: int, end: int, room: int) -> tuple[str, str, str]:
    """(before, marked, after): the line, or the `room` cells around the start of the marked part."""
    from rich.cells import cell_len

    origin = max(0, start - room)  # a line may have millions of characters
    parts = [_shown(character) for character in line[origin : start + room]]
    widths = [cell_len(part) for part in parts]
    at = min(start, len(line)) - origin
    left, right = 0, len(parts)
    if len(parts) < len(line) or sum(widths) > room:
        room -= 2  # for an ellipsis at both ends
        left = at - _fitting(widths[:at][::-1], max(room // 3, room - sum(widths[at:])))
        right = at + _fitting(widths[at:], room - sum(widths[left:at]))
    until = max(at, min(end - origin, right))
    lead, trail = "…" if origin + left else "", "…" if origin + right < len(line) else ""
    return lead + "".join(parts[left:at]), "".join(parts[at:until]), "".join(parts[until:right]) + trail


def _fitting(widths: list[int], room: int) -> int:
    """How many of the first widths fit into `room`."""
    return bisect_right(list(accumulate(widths)), room)


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    return character if character.isprintable() or character in _JOINERS else "\ufffd"


def _wrapped(text: str, width: int) -> list[str]:
    from planner.reports.terminal import wrapped

    return wrapped(visible(text), width, indent=" " * (_GUTTER + 3))


def _painted(text: str, codes: str, color: bool) -> str:
    return f"{codes}{text}{_RESET}" if color else text


def _where(span: Span) -> str:
    return f"{visible(span.file)}:{span.line}:{span.column}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
