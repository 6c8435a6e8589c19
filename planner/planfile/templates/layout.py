"""Where the tags of a template are, and the names in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jinja2 import TemplateSyntaxError

_BLOCK_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
Place = tuple[int, int]
"""Offsets of the first character and behind the last one."""


class Layout:
    """Filled by `tokens` up to the first error."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tags: list[Place] = []
        self._words: list[tuple[str, int, bool]] = []
        """Each with its offset, and whether it follows a dot."""

    def tokens(self, raw: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
        """Jinja's tokens with their offset, plus 1, in the place of the line number."""
        position = 0
        after_dot = False
        try:
            for _, kind, value in raw:
                start = self.text.find(value, position)  # white space and \r may be left out between tokens
                start = start if start >= 0 else position
                position = start + len(value)
                if kind.endswith("_begin"):
                    self._tags.append((start, self._line_end(start)))
                elif kind.endswith("_end") and self._tags:
                    self._tags[-1] = self._tags[-1][0], position
                elif kind == "name":
                    self._words.append((value, start, after_dot))
                if kind != "whitespace":
                    after_dot = value == "."
                yield start + 1, kind, value
        except TemplateSyntaxError as error:
            error.lineno = position + 1
            raise

    def first_uses(self) -> dict[str, int]:
        """Names with their offsets, without those after a dot."""
        uses: dict[str, int] = {}
        for word, start, after_dot in self._words:
            if not after_dot:
                uses.setdefault(word, start)
        return uses

    def place(self, line: int, word: str = "") -> Place:
        """The word in the tag at this offset plus 1, or the tag, or the rest of the line if there is none."""
        tags = [tag for tag in self._tags if tag[0] < line]
        start, end = tags[-1] if tags else (line - 1, self._line_end(line - 1))
        places = (at for name, at, _ in self._words if name == word and start <= at < end)
        found = next(places, None)
        return (start, end) if found is None else (found, found + len(word))

    def unclosed_block(self) -> Place | None:
        """The innermost {% for %} or {% if %} without its end."""
        open_blocks: list[Place] = []
        for start, end in self._tags:
            match = _BLOCK_WORD.match(self.text, start, end)
            if match is not None and match[1] in {"for", "if"}:
                open_blocks.append((start, end))
            elif match is not None and match[1] in {"endfor", "endif"} and open_blocks:
                open_blocks.pop()
        return open_blocks[-1] if open_blocks else None

    def _line_end(self, start: int) -> int:
        end = self.text.find("\n", start)
        return max(min(start + 1, len(self.text)), end if end >= 0 else len(self.text))
