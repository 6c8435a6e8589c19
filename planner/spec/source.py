"""Authored text and the places in it: offsets in, lines and columns out."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, count
from operator import add
from typing import NamedTuple

from planner.diagnostics import Span

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


_MANY_LINES = 500_000
"""A table of so many takes memory, and making it takes time, that no fault of the file is worth."""
_MAX_RETURNS = 16
"""So often may be asked for a place before the last one until such a table is made after all."""


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str = field(repr=False)
    _line_starts: list[int] | None = field(default=None, repr=False, compare=False)
    """None until somebody asks for a place, which of most files nobody does; empty where there is no table."""
    _reached: tuple[int, int, int] = field(default=(0, 1, 0), repr=False, compare=False)
    """Without a table: an offset, the number of its line, and where that begins. Most places are asked for in the order they
    are written, so that counting on from the last one is enough."""
    _returns: int = field(default=0, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.file, self.text))

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` (offsets in characters), less white space at its end."""
        text, starts = self.text, self._line_starts
        if starts is None:
            few = "\r" in text or text.count("\n") < _MANY_LINES
            starts = self._line_starts = self._starts() if few else []
        while end > start + 1 and text[end - 1] in " \t\r\n":
            end -= 1
        last = end if end > start + 1 else start  # one character is on one line, be it the break at its end
        if starts:
            line = bisect_right(starts, start)
            begin = starts[line - 1]
            end_line = line if line == len(starts) or last < starts[line] else bisect_right(starts, last)
            end_begin = starts[end_line - 1]
        else:
            line, begin = self._line_at(start)
            end_line, end_begin = self._line_at(last)
        return Span._make((self.file, line, start - begin + 1, end_line, end - end_begin + 1))  # there are many

    def _line_at(self, offset: int) -> tuple[int, int]:
        """Number and beginning of the line with this offset."""
        reached, line, begin = self._reached
        if offset < reached:
            self._returns += 1
            reached, line, begin = 0, 1, 0
        if self._returns > _MAX_RETURNS:
            starts = self._starts()
            line = bisect_right(starts, offset)
            return line, starts[line - 1]
        count = self.text.count("\n", reached, offset)
        if count:
            line += count
            begin = self.text.rindex("\n", reached, offset) + 1
        self._reached = (offset, line, begin)
        return line, begin

    def line(self, number: int) -> Span:
        """A whole line; `number` counts from 1."""
        starts = self._starts()
        start = starts[min(number, len(starts)) - 1]
        end = starts[number] if number < len(starts) else len(self.text)
        return self.span(start, max(end, start))

    def _starts(self) -> list[int]:
        """Offsets at which lines start."""
        starts = self._line_starts
        if not starts:
            starts = self._line_starts = []
            if "\r" in self.text:
                starts.append(0)
                starts.extend(match.end() for match in _LINE_BREAK.finditer(self.text))
            else:
                lengths = map(len, self.text.split("\n")[:-1])
                starts.extend(map(add, accumulate(lengths, initial=0), count()))
        return starts

    def whole(self) -> Span:
        """The beginning of the file: the place of faults that concern all of it."""
        return Span(self.file, 1, 1, 1, 1)


class Place(NamedTuple):
    """A stretch of a file's text. Lines and columns are found out when somebody asks: there are many, and of most nobody does."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)
