"""Authored text and the places in it: offsets in, lines and columns out."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from planner.diagnostics import Span

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


_MAX_RETURNS = 16
"""So often may be asked for a place before the last one until a table of all lines is made."""


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str
    _line_starts: list[int] = field(default_factory=list[int], repr=False)
    _reached: tuple[int, int, int] = field(default=(0, 1, 0), repr=False)
    """An offset, the number of its line, and where that begins. Most places are asked for in the order they are written,
    so that counting on from the last one is enough."""
    _returns: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if "\r" in self.text:
            self._starts()

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` (offsets in characters), less white space at its end."""
        text = self.text
        while end > start + 1 and text[end - 1] in " \t\r\n":
            end -= 1
        line, begin = self._line_at(start)
        column = start - begin + 1
        # One character is on one line, be it the break at its end.
        end_line, begin = self._line_at(end) if end > start + 1 else (line, begin)
        return Span(self.file, line, column, end_line, end - begin + 1)

    def _line_at(self, offset: int) -> tuple[int, int]:
        """Number and beginning of the line with this offset."""
        reached, line, begin = self._reached
        if offset < reached:
            self._returns += 1
            reached, line, begin = 0, 1, 0
        if self._line_starts or self._returns > _MAX_RETURNS:
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
            starts.append(0)
            if "\r" in self.text:
                starts.extend(match.end() for match in _LINE_BREAK.finditer(self.text))
            else:
                starts.extend(accumulate(len(line) + 1 for line in self.text.split("\n")[:-1]))
        return starts

    def whole(self) -> Span:
        """The beginning of the file: the place of faults that concern all of it."""
        return Span(self.file, 1, 1, 1, 1)
