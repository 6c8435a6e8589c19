"""The text of an authored file, and the line and column of every offset in it."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from planner.diagnostics import Span


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name that diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str = field(repr=False)
    _starts: array[int] = field(default_factory=lambda: array("I"), repr=False, compare=False)
    """Offsets of lines. Empty until a place is needed."""

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
        self._position(0)
        start = self._starts[min(number, len(self._starts)) - 1]
        end = self.text.find("\n", start)
        return self.span(start, max(start, end if end >= 0 else len(self.text)))

    def _position(self, offset: int) -> tuple[int, int]:
        if not self._starts:
            self._starts.append(0)
            self._starts.extend(found.end() for found in re.finditer(r"\r\n?|\n", self.text))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class Place(NamedTuple):
    """A stretch of a file's text. Its line and column are computed only when needed: there are many places."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)
