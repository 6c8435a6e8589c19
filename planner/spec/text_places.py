"""From an offset in a text to its place in the file the text is written in, whatever YAML style it is written in."""

from __future__ import annotations

from planner.diagnostics import Span
from planner.spec.document import Container, Document, at, value_mark
from planner.spec.source import Source
from planner.spec.templates import TemplateFault


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
        return document.value(container, key)
    return document.source.span(start + found, start + found + len(words))


def place_in_file(source: Source, fault: TemplateFault) -> Span:
    """The same for a file that is one template."""
    if fault.start is None or fault.end is None:
        return source.whole()
    return source.span(fault.start, fault.end)
