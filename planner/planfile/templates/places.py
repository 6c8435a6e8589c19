"""From an offset in a text to its place in the file, in every YAML style."""

from __future__ import annotations

import re
from itertools import islice

from planner.diagnostics import Span
from planner.planfile.templates.templates import TemplateFault
from planner.planfile.yaml.document import Container, Document, at, value_mark
from planner.planfile.yaml.source import Source

_WORDS = 20
"""Words of a tag to look for."""


def place_in_text(document: Document, container: Container, key: str | int, fault: TemplateFault) -> Span:
    """Where a template's fault is written; the whole text if it cannot be found."""
    if fault.start is None or fault.end is None:
        return document.value(container, key)
    start, end = value_mark(container, key)
    value: str = at(container, key)
    raw = document.source.text[start:end]
    if raw.count(value) == 1:
        offset = start + raw.index(value) + fault.start
        return document.source.span(offset, offset + fault.end - fault.start)
    # Indented, folded or escaped: find the same words, at the same occurrence.
    words = value[fault.start : fault.end].split("\n", maxsplit=1)[0].split()[:_WORDS]
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    before = sum(1 for _ in pattern.finditer(value, 0, fault.start))
    places = list(islice(pattern.finditer(raw), before + 1))
    if not words or len(places) <= before:
        return document.value(container, key)
    found = start + places[before].start()
    return document.source.span(found, found + len(places[before][0].partition("\n")[0].rstrip()))


def place_in_file(source: Source, fault: TemplateFault) -> Span:
    """The same for a file that is one template."""
    if fault.start is None or fault.end is None:
        return source.whole()
    return source.span(fault.start, fault.end)
