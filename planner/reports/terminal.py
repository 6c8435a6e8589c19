"""Terminal text: widths in cells, wrapping, columns and colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from rich.cells import cell_len, chop_cells

NARROWEST = 40
"""On narrower terminals, lines overflow."""


class Colour(Enum):
    """SGR codes."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


Paint = Callable[[str, Colour], str]


def painter(*, color: bool) -> Paint:
    """A function that colours text without escape sequences, or returns it unchanged."""

    def paint(text: str, colour: Colour) -> str:
        return f"\x1b[{colour.value}m{text}\x1b[0m" if color and text else text

    return paint


def wrapped(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """`text` in lines of at most `width` cells; the first starts with `indent`, the others with `hanging` (default: the same).

    A word wider than a line is broken. `text` is one line without escape sequences."""
    following = indent if hanging is None else hanging
    lines: list[str] = []
    line, used, start = indent, cell_len(indent), True
    for word in _words(text, max(width, NARROWEST) - max(cell_len(indent), cell_len(following))):
        needed = cell_len(word)
        if not start and used + 1 + needed > max(width, NARROWEST):
            lines.append(line)
            line, used, start = following, cell_len(following), True
        line, used = (line + word, used + needed) if start else (f"{line} {word}", used + 1 + needed)
        start = False
    return lines if start and lines else [*lines, line]


def _words(text: str, width: int) -> list[str]:
    return [part for word in text.split(" ") if word for part in chop_cells(word, max(width, 1))]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list: a sign, a name that is never cut, and columns; `below` are lines under it."""

    sign: str
    name: str
    columns: tuple[str, ...]
    colour: Colour | None = None
    below: tuple[str, ...] = ()


def rows(items: Sequence[Row], width: int, paint: Paint) -> list[str]:
    """Aligned rows: `  + name      5 calls   new`.

    A name that leaves no room for the columns has its own line, with the columns below. The last column is wrapped."""
    width = max(width, NARROWEST)
    middles = [
        max((cell_len(row.columns[i]) for row in items if len(row.columns) > i + 1), default=0) for i in range(3)
    ]
    last = max((min(cell_len(row.columns[-1]), _LAST_COLUMN) for row in items if row.columns), default=0)
    room = width - _INDENT - sum(middle + _GUTTER for middle in middles if middle) - last - _GUTTER
    fitting = [cell_len(row.name) for row in items if cell_len(row.name) <= room]
    # If most names are too wide, all rows have two lines: mixed shapes are harder to read.
    name_width = max(fitting, default=0) if 2 * len(fitting) >= len(items) else 0
    lines: list[str] = []
    for row in items:
        lines += _row(row, name_width, middles, width, paint)
    return lines


_INDENT = 4
_GUTTER = 3
_LAST_COLUMN = 24
"""A wider last column does not narrow the column of names."""


def _row(row: Row, name_width: int, middles: Sequence[int], width: int, paint: Paint) -> list[str]:
    head = f"  {paint(row.sign, row.colour) if row.colour else row.sign} {row.name}"
    if not row.columns:
        return [head, *row.below]
    *middle, last = row.columns
    name_cells = cell_len(row.name)
    cells = "".join(text + " " * (middles[index] - cell_len(text) + _GUTTER) for index, text in enumerate(middle))
    if name_cells > name_width and any(middle):
        start = _INDENT + 2
        text = wrapped(last, width, indent=" " * start + cells, hanging=" " * (start + cell_len(cells)))
        return [head, *text, *row.below]
    if name_cells > name_width:
        cells = ""
    cells = " " * (max(name_width - name_cells, 0) + _GUTTER) + cells
    start = _INDENT + name_cells + cell_len(cells)
    first, *more = wrapped(last, width, indent=" " * start)
    return [head + cells + first[start:], *more, *row.below]
