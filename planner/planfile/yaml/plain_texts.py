"""Texts without quotes that YAML takes otherwise than they look: cut at ` #`, or with the next line's `- ` in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Container, Document, Items, Mapping
from planner.planfile.yaml.scalars import NumberError, resolve

_HASH = re.compile(r" #(?=[0-9A-Za-z])(?P<rest>[^\n]*)")
_DASH = re.compile(r"\n(?<![:#]\n) +- ")  # a text of which this could be a part ends with neither
_JOINED = re.compile(
    r"""(?P<indent> *)(?:- +|(?:- +)*[A-Za-z_][\w-]*: +)(?P<text>[^\s"'\[{|>&*!?#:-][^\n:#]*)\n(?P=indent) +- """
)
_MOST = 20_000
"""Places of a file that are looked at: the rest of them would tell nobody more."""
_NOT_PLAIN = frozenset("\"'[{|>&*!?")


def warn_of_plain_texts(document: Document, reporter: Reporter) -> None:
    """Most files have none that could be meant, by the look of them: only others are searched."""
    source = document.source
    text = source.text
    hashes = islice(_HASH.finditer(text), _MOST) if "#" in text and " #" in text else ()  # one sign is found far sooner
    cut = {_end_before(text, found.start()): found for found in hashes}
    joined = {found.start("text"): found for found in islice(_joined(text), _MOST)}
    if not cut and not joined:
        return
    for start, end in _marks(document.root):
        if (found := cut.get(end)) is not None and _is_cut(text[start:end], found["rest"]):
            detail = f'the text ends before the #: put all of it in quotes, "{shorten(text[start : found.end()], 40)}"; for a comment, write a space after the #'
            reporter.warning("not-as-it-looks", detail, source.span(found.start("rest") - 1, found.end()))
        if (found := joined.get(start)) is not None and end >= found.end():
            detail = f'this is one text, "{shorten(" ".join(text[start:end].split()), 40)}": an item begins in the column of the one above; for a - in a text, put it in quotes'
            reporter.warning("not-as-it-looks", detail, source.span(found.end() - 2, found.end() - 1))


def _joined(text: str) -> Iterator[re.Match[str]]:
    """Lines with a text that goes on with an item, by its look: one that is indented more than the line above."""
    for dash in _DASH.finditer(text):
        end = dash.start()
        begin = text.rfind("\n", 0, end) + 1
        if not text.startswith(dash[0][1:-2], begin):
            found = _JOINED.match(text, begin)
            if found is not None:
                yield found


def _end_before(text: str, end: int) -> int:
    """Where what stands before these spaces ends."""
    while end > 0 and text[end - 1] == " ":
        end -= 1
    return end


def _is_cut(written: str, rest: str) -> bool:
    """Whether a text that ends before a # was hardly meant to: before a number, or amid a sentence."""
    if written[:1] in _NOT_PLAIN or "\n" in written:
        return False
    try:
        is_text = isinstance(resolve(written), str)
    except NumberError:
        return False
    return is_text and (rest[:1].isdigit() or (" " in written and ": " not in written))


def _marks(root: Mapping) -> Iterator[tuple[int, int]]:
    """Where each value begins and ends; what aliases stand for once."""
    seen: set[int] = set()
    containers: list[Container] = [root]
    while containers:
        container = containers.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        values: Any = container.values() if isinstance(container, Mapping) else container
        containers.extend(value for value in values if isinstance(value, Mapping | Items))
        if isinstance(container, Items):
            yield from zip(container.spots[::2], container.spots[1::2], strict=True)
        else:
            yield from (container.mark(key)[2:] for key in container)
