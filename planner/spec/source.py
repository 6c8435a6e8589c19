"""Authored text and the places in it: offsets in, lines and columns out."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from planner.diagnostics import Span

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str
    _line_starts: list[int] = field(default_factory=list[int], repr=False)

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` (offsets in characters), less white space at its end."""
        text = self.text
        while end > start + 1 and text[end - 1] in " \t\r\n":
            end -= 1
        starts = self._line_starts or self._starts()
        line = bisect_right(starts, start)
        end_line = line
        if line < len(starts) and end > starts[line]:
            end_line = bisect_right(starts, end)
        return Span(self.file, line, start - starts[line - 1] + 1, end_line, end - starts[end_line - 1] + 1)

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
