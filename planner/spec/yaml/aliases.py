"""Aliases that stand for nothing, or are not written as aliases: what to write, so that they are what was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping as Named
from typing import Any

from planner.diagnostics import Related
from planner.spec.document import Items, KeyMark, Mapping
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import describe, shorten
from planner.spec.source import Source

_AHEAD = 100_000
"""Characters in which the anchor of an alias is looked for: more would take seconds, of a file with a thousand such aliases."""
_FEW = 10
_AROUND = frozenset(" \t\r\n,[]{}")
_LINE = 1_000
"""Characters of a line that is to be no more than an alias."""
_NAME = re.compile(r"\*?\s*([\w-]{1,60})")
_ANCHOR = re.compile(r"&([\w-]{1,60})")
_MERGE_OF = re.compile(r"[ ]*<<[ ]*:?[ ]*\*[ ]*([\w-]{1,60})")
_ITEM = re.compile(r"[ ]*-[ ]+\*([\w-]{1,60})[ ]*")
_ALONE = re.compile(r"[ ]*\*([\w-]{1,60})[ ]*")
_WORD = re.compile(r"[ ]*([A-Za-z_][\w-]{0,40})[ ]*")


def no_anchor(source: Source, name: str, end: int, meant: str | None) -> tuple[str, list[Related]]:
    """What to say of an alias of which there is no anchor above; its text ends at `end`."""
    told = f"there is no anchor &{shorten(name)} above"
    if meant is not None:
        return f"{told}; did you mean *{meant}?", []
    anchor = _place_of(f"&{name}", source.text, end, end + _AHEAD)
    if anchor is not None:
        below = Related("it is written here", source.span(anchor, anchor + 1 + len(name)))
        return f"{told}, only below: what an alias stands for is written first, so exchange the two", [below]
    return (
        f"{told}: write &{name} before what it is to stand for, further up; or if this is a text, put it in quotes",
        [],
    )


def _place_of(word: str, text: str, start: int, end: int) -> int | None:
    """Where the word stands by itself, among the first few places at which it is a part of something."""
    for _ in range(_FEW):
        found = text.find(word, start, end)
        if found < 0:
            return None
        behind = text[found + len(word) : found + len(word) + 1]
        if (not found or text[found - 1] in _AROUND) and (not behind or behind in _AROUND):
            return found
        start = found + 1
    return None


def merge(
    container: Mapping,
    merged: list[tuple[Any, int, int]],
    anchors: Named[str, Any],
    source: Source,
    reporter: Reporter,
) -> None:
    """`<<`: keys that are not written in the container come from the merged mappings; of two that have a key, the first."""
    entries: dict[str, tuple[Any, KeyMark]] = {}
    for value, start, end in merged:
        several = isinstance(value, Items)
        for index, mapping in enumerate(value if several else [value]):
            if not isinstance(mapping, Mapping):
                place = (value.marks[2 * index], value.marks[2 * index + 1]) if several else (start, end)
                mapping = _meant(mapping, place, anchors, source, reporter)  # noqa: PLW2901 - read as it is meant
            if mapping is None:
                reporter.incomplete[id(container)] = container
                continue
            for key in mapping:
                entries.setdefault(key, (mapping[key], mapping.marks[key]))
    entries.update({key: (container[key], container.marks[key]) for key in container})
    container.clear()
    container.update({key: value for key, (value, _) in entries.items()})
    container.asked = {key: mark for key, (_, mark) in entries.items()}
    container.spots = []


def _meant(
    value: Any, place: tuple[int, int], anchors: Named[str, Any], source: Source, reporter: Reporter
) -> Mapping | None:
    """What was to be merged where a mapping is wanted and this is there, which is reported."""
    start, end = place
    span = source.span(start, end)
    name = _NAME.fullmatch(value) if isinstance(value, str) else None
    if value is None and source.text.startswith("*", start):
        return None  # an alias of nothing, which was reported
    if value is None and (anchor := _ANCHOR.match(source.text, start, end)):
        reporter.error("bad-alias", f"& gives a name to what follows it, here nothing: write *{anchor[1]}", span)
        return None
    if name is None:
        detail = f"<< takes a mapping, or a list of mappings, but it is {describe(value)}; write <<: *NAME"
        reporter.error("bad-alias", detail, span)
        return None
    meant = name[1] if name[1] in anchors else reporter.searches.nearest(name[1], anchors)
    found = anchors.get(meant) if meant is not None else None
    if isinstance(found, Mapping):
        reporter.error("bad-alias", f"this is a text, and an alias begins with *: write *{meant}", span)
        return found
    detail = (
        f"this is a text, and an alias begins with *: write *{name[1]} here, and &{name[1]} before what it is to stand for, "
        "further up"
    )
    key = _place_of(f"{name[1]}:", source.text, max(0, start - _AHEAD), start)
    related = [] if key is None else [Related("this may be meant", source.span(key, key + len(name[1])))]
    reporter.error("bad-alias", detail, span, *related)
    return None


def alias_amid_keys(problem: str, text: str, start: int) -> str:
    """What to say where the parser stumbles at `start` over a line that was to take over the keys of an anchor; or nothing."""
    begin = text.rfind("\n", 0, start) + 1
    here = text[begin : begin + _LINE].partition("\n")[0]
    above = text[max(0, begin - _LINE) : begin].rstrip().rpartition("\n")[2]
    keys = "did not find expected key" in problem or "mapping values" in problem
    if found := _MERGE_OF.match(here) or _ALONE.fullmatch(here) or (_ALONE.fullmatch(above) if keys else None):
        return f"to take over the keys of an anchor, write <<: *{found[1]}"
    if "expected '-' indicator" in problem and (found := _ITEM.fullmatch(above)):
        return f"to take over the keys of an anchor, write <<: *{found[1]} in place of `- *{found[1]}`"
    if "mapping values" in problem and (found := _WORD.fullmatch(above)):
        return f"`{found[1]}` above is no key: a colon is missing, as in {found[1]}: …; or to take over the keys of an anchor, write <<: *{found[1]}"
    return ""
