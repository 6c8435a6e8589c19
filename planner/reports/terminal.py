"""Terminal text: widths in cells, wrapping, columns and colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from planner.values import frozen

NARROWEST = 40
"""On narrower terminals, lines overflow."""
_INDENT = 4
_GUTTER = 3
_LAST_COLUMN = 24
"""Columns are used if this many cells are left for the last one."""


class Colour(Enum):
    """SGR codes."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    CYAN = "36"


SIGNS = {
    "passed": ("✓", Colour.GREEN),
    "flaky": ("~", Colour.YELLOW),
    "failed": ("✗", Colour.RED),
    "unknown": ("?", Colour.YELLOW),
    "undecided": ("?", Colour.YELLOW),
    "quarantined": ("∎", Colour.DIM),
    "refused": ("!", Colour.YELLOW),
    "interrupted": ("!", Colour.YELLOW),
}
"""Of outcomes of sessions, cases, runs and findings."""

Paint = Callable[[str, Colour], str]


def painter(*, color: bool) -> Paint:
    """A function that colours text without escape sequences, or returns it unchanged."""

    def paint(text: str, colour: Colour) -> str:
        return f"\x1b[{colour.value}m{text}\x1b[0m" if color and text else text

    return paint


_NARROW = frozenset("–—‘’“”•…→✓✗")


def cells(text: str) -> int:
    """The width of a string without control characters."""
    if text.isascii() or all(char < "\u0300" or char in _NARROW for char in text):
        return len(text)
    from wcwidth import wcswidth  # late: its tables take 16 ms, and few texts need them

    return max(wcswidth(text), 0)


def chopped(text: str, width: int) -> list[str]:
    """`text` in pieces of at most `width` cells."""
    if cells(text) <= width:
        return [text]
    pieces = [""]
    for char in text:
        if pieces[-1] and cells(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def wrapped(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """`text` in lines of at most `width` cells; the first starts with `indent`, the others with `hanging` (default: the
    same).

    A word wider than a line is broken. `text` is one line without escape sequences."""
    following = indent if hanging is None else hanging
    width = max(width, NARROWEST)
    room = width - max(cells(indent), cells(following))
    lines: list[str] = []
    line, is_empty = indent, True
    for word in [part for piece in text.split() for part in chopped(piece, room)]:
        if not is_empty and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line, is_empty = following, True
        line += word if is_empty else f" {word}"
        is_empty = False
    return [*lines, line]


def labelled(label: str, texts: Sequence[str], margin: int, width: int, paint: Paint) -> list[str]:
    """Wrapped strings with a dim label in the margin of the first one."""
    lines = [line for text in texts for line in wrapped(text, width, indent=" " * margin)]
    return [paint(label, Colour.DIM) + lines[0][len(label) :], *lines[1:]] if lines else []


@frozen
class Row:
    """A row of a list: a sign, a name that is never cut, and columns; `below` are lines under it."""

    sign: str
    name: str
    columns: tuple[str, ...]
    colour: Colour
    below: tuple[str, ...] = ()


def rows(items: Sequence[Row], width: int, paint: Paint) -> Iterator[str]:
    """Aligned rows: `  + name      5 calls   new`. The last column is wrapped. If the terminal is too narrow, the
    columns are prose below the names."""
    width = max(width, NARROWEST)
    middles = [max(map(cells, column)) for column in zip(*(row.columns[:-1] for row in items), strict=True)]
    name_width = max((cells(row.name) for row in items), default=0)
    start = _INDENT + name_width + _GUTTER
    is_wide = start + sum(middle + _GUTTER for middle in middles) + _LAST_COLUMN <= width
    for row in items:
        head = f"  {paint(row.sign, row.colour)} {row.name}"
        if is_wide:
            padded = [text + " " * (column - cells(text)) for text, column in zip(row.columns, middles, strict=False)]
            margin = " " * start + "".join(text + " " * _GUTTER for text in padded)
            first, *more = wrapped(row.columns[-1], width, indent=margin, hanging=" " * cells(margin))
            yield from (head + first[_INDENT + cells(row.name) :], *more)
        else:
            yield from (head, *wrapped(" · ".join(filter(None, row.columns)), width, indent=" " * (_INDENT + 2)))
        yield from row.below
