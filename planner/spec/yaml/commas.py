"""Texts with a comma, written without quotes between braces: YAML ends them there, and takes what follows for a key."""

from __future__ import annotations

from planner.spec.document import Container, Document, Mapping
from planner.spec.faults.wording import shorten


def text_cut_off(document: Document, container: Container, key: str | int) -> str:
    """What to say of a key that is the rest of a text; empty where it is none."""
    if not isinstance(container, Mapping) or not isinstance(key, str) or container.get(key, "") is not None:
        return ""
    keys, text = list(container), document.source.text
    position = keys.index(key)
    start, end, *_ = container.marks[key]
    if position == 0 or not text[end:].lstrip().startswith((",", "}")) or not text[:start].rstrip().endswith(","):
        return ""
    before = keys[position - 1]
    begins = container.marks[before][2]
    if not isinstance(container[before], str) or text[begins] in "\"'" or begins > start:
        return ""
    whole = shorten(text[begins:end], 40)
    quoted = f"'{whole}'" if "'" not in whole else f'"{whole}"'
    return f"`{shorten(key, 40)}` is not a key here; a text with a comma is in quotes: {shorten(before, 40)}: {quoted}"
