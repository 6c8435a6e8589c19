"""The text of an authored file, and the line and column of every offset in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from planner.diagnostics import Span

_BLOCK = 1 << 16
"""Characters. Line breaks are counted once per block, so that a place costs at most one block."""


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name that diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str = field(repr=False)
    _lines: str = field(default="", repr=False, compare=False)
    """The text with every line break as one `\\n`, at the same offsets."""
    _breaks: list[int] = field(default_factory=list[int], repr=False, compare=False)
    """Line breaks before each block. Empty until someone asks for a place."""

    def __hash__(self) -> int:
        return hash((self.file, self.text))

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` (offsets in characters), without white space at its end."""
        while end > start + 1 and self.text[end - 1] in " \t\r\n":
            end -= 1
        line, column = self._position(start)
        last = self._position(end) if end > start + 1 else (line, column + end - start)
        return Span(self.file, line, column, *last)

    def whole(self) -> Span:
        """The start of the file: the place of a diagnostic about all of it."""
        return Span(self.file, 1, 1, 1, 1)

    def line(self, number: int) -> Span:
        """The line with this number, or the last one if the file is shorter."""
        start = 0
        for _ in range(number - 1):
            found = self.text.find("\n", start)
            if found < 0:
                break
            start = found + 1
        end = self.text.find("\n", start)
        return self.span(start, max(start, end if end >= 0 else len(self.text)))

    def _position(self, offset: int) -> tuple[int, int]:
        if not self._breaks:
            self._lines = self.text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in self.text else self.text
            counts = (self._lines.count("\n", start, start + _BLOCK) for start in range(0, len(self._lines), _BLOCK))
            self._breaks = list(accumulate(counts, initial=0))
        block = offset // _BLOCK
        line = self._breaks[min(block, len(self._breaks) - 1)] + self._lines.count("\n", block * _BLOCK, offset)
        return line + 1, offset - self._lines.rfind("\n", 0, offset)


class Place(NamedTuple):
    """A stretch of a file's text. Its line and column are computed only when someone asks: there are many places."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)
