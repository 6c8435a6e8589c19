"""From an offset in a text to its place in the file the text is written in, whatever YAML style it is written in."""

from __future__ import annotations

import re
from itertools import islice

from planner.diagnostics import Span
from planner.planfile.templates.templates import TemplateFault
from planner.planfile.yaml.document import Container, Document, at, value_mark
from planner.planfile.yaml.source import Source

_WORDS = 20
"""So many words of a tag tell it from others."""


def place_in_text(document: Document, container: Container, key: str | int, fault: TemplateFault) -> Span:
    """Where a template's fault is written; the whole text if that cannot be told."""
    start, end = value_mark(container, key)
    value: str = at(container, key)
    if fault.start is None or fault.end is None:
        return document.value(container, key)
    raw = document.source.text[start:end]
    if raw.count(value) == 1:
        offset = start + raw.index(value) + fault.start
        return document.source.span(offset, offset + fault.end - fault.start)
    # Indented, folded or escaped: look for the same words, the same time they occur.
    words = value[fault.start : fault.end].split("\n", maxsplit=1)[0].rstrip()
    found = -1
    for _ in range(value.count(words, 0, fault.start) + 1 if words else 0):
        found = raw.find(words, found + 1)
        if found < 0:
            break
    if found < 0:
        return _place_in_folded(document, container, key, fault.start, words)
    return document.source.span(start + found, start + found + len(words))


def _place_in_folded(document: Document, container: Container, key: str | int, at_offset: int, words: str) -> Span:
    """Where words are written of which some stand on the next line: up to the end of the first."""
    start, end = value_mark(container, key)
    value: str = at(container, key)
    sought = re.compile(r"\s+".join(map(re.escape, words.split()[:_WORDS])))
    before = sum(1 for _ in sought.finditer(value, 0, at_offset))
    places = list(islice(sought.finditer(document.source.text, start, end), before + 1))
    if not words.strip() or len(places) <= before:
        return document.value(container, key)
    place = places[before]
    return document.source.span(place.start(), place.start() + len(place[0].partition("\n")[0].rstrip()))


def place_in_file(source: Source, fault: TemplateFault) -> Span:
    """The same for a file that is one template."""
    if fault.start is None or fault.end is None:
        return source.whole()
    return source.span(fault.start, fault.end)
