"""Where the tags of a text are, in time that grows no faster than the text: also where nothing closes what is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"(?=(\{[{%]))")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_CLOSING = {"{{": "}}", "{%": "%}"}


def tags_of(text: str) -> Iterator[re.Match[str]]:
    """The {{ tags }} and {% blocks %}, in their order; none begins in another."""
    last = {opening: text.rfind(closing) for opening, closing in _CLOSING.items()}
    end = 0
    for opening in _OPENING.finditer(text):
        start = opening.start()
        if start < end or last[opening[1]] < start + 2:
            continue
        tag = _TAG.match(text, start)
        if tag is not None:
            end = tag.end()
            yield tag
