"""Texts in quotes that end at a quote inside them: how to write them."""

from __future__ import annotations

import re

from planner.spec.faults.wording import shorten

_PROBLEMS = ("did not find expected key", "did not find expected ',' or", "expected '-' indicator", "<document start>")
_BEHIND = re.compile(r"[ \t]*(?:[,\]}]|#|\Z)")
"""What may follow a text in quotes; the text is one line."""
_QUOTED = re.compile(r"""'(?:[^'\n]|'')*'|"(?:[^"\\\n]|\\.)*\"""")
_MAX = 60
_LONGEST = 2_000
"""Characters of a line, before the fault and behind it, that are looked at."""


def quote_inside(problem: str, text: str, start: int) -> str:
    """What to say where the parser stumbles at `start` over what follows a closing quote; empty where none is there."""
    begin = text.rfind("\n", 0, start) + 1
    if start - begin > _LONGEST:
        return ""
    before = text[begin:start].rstrip(" ")
    quote = before[-1:]
    if (
        quote not in {'"', "'"}
        or text[start : start + 1] in {":", "#", ",", "]", "}"}
        or not any(it in problem for it in _PROBLEMS)
    ):
        return ""
    if text[start : start + 1] == quote and len(before) < start - begin:
        return ""  # another text
    opened = next((found.start() for found in _QUOTED.finditer(before) if found.end() == len(before)), -1)
    if opened < 0:
        return ""
    line = text[start : start + _LONGEST].partition("\n")[0].rstrip("\r")
    ends = [
        place
        for place, sign in enumerate(line)
        if sign == quote and _BEHIND.match(line, place + 1) and line.count(quote, place + 1) % 2 == 0
    ]
    if not ends:
        return "text cannot go on after a closing quote: put all of it in quotes of the other kind, or leave these out"
    whole = text[begin + opened + 1 : start + ends[0]]
    inside = '" inside it is written \\"' if quote == '"' else "' inside it is written ''"
    return f"this quote ends the text: a {inside}, or put it in the other quotes{_written(whole, quote)}"


def _written(whole: str, quote: str) -> str:
    """The text as it can be written; nothing where it is long, or both kinds of quotes or a backslash are in it."""
    whole = whole if quote == '"' else whole.replace("''", "'")
    other = "'" if quote == '"' else '"'
    if len(whole) > _MAX or other in whole or "\\" in whole:
        return ""
    return f": {other}{shorten(whole, _MAX)}{other}"
