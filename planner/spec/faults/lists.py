"""Lists that were written as a text, and texts that were written as a list: what to type instead, so that it is what was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_WORDS = frozenset({"end_reason", "imports", "kinds", "owners", "tags", "targets"})
"""Keys whose items have no commas."""
_COMMA = re.compile(r"\s*,\s*")
_CLASS = re.compile(r"[-\\^]")
_MAX_PARTS = 10
_MAX_TEXT = 60


def in_brackets(text: str, key: str = "") -> str:
    """A text as the list that is wanted: its parts, where commas stand between them, or all of it where it may be one."""
    line = " ".join(text.split())
    shown = line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"
    whole = f"[{json.dumps(shown, ensure_ascii=False)}]"
    parts = [part for part in _COMMA.split(line) if part]
    if not 1 < len(parts) <= _MAX_PARTS or shown != line:
        return whole
    several = f"[{', '.join(json.dumps(part, ensure_ascii=False) for part in parts)}]"
    return several if key in _WORDS else f"{several}, or {whole} if it is one text"


def as_text(items: Sequence[Any], key: str) -> str:
    """What to write where a text is wanted and a list is there."""
    if key == "use":
        return "a `use` names one; write an item for each: - use: NAME"
    if key.isdigit():
        return "it stands in a list: write its items there, each by itself"
    if key in _PROSE:
        return "write several lines below a |, or put it in quotes"
    texts = [item for item in items if isinstance(item, str)]
    if key == "matches" and texts and len(texts) == len(items):
        if len(texts) > 1:
            joined = json.dumps("|".join(texts), ensure_ascii=False)
            return (
                f"one pattern finds any of several with | between them: {joined}" if len(joined) <= _MAX_TEXT else _JOIN
            )
        return f"put it in quotes: '[{texts[0]}]'" if _CLASS.search(texts[0]) else f"write {json.dumps(texts[0])}"
    if len(items) > 1 and key in _OF_CHECKS:
        return _EACH
    if len(items) > 1 and key == "tool":
        return "a step is one tool: write a step for each"
    if len(texts) == len(items) == 1 and key in _SHOWN and len(texts[0]) <= _MAX_TEXT:
        return f"write it without brackets: {json.dumps(texts[0], ensure_ascii=False)}"
    return "one stands here, without brackets"


def of_a_choice(items: Sequence[Any], choices: Sequence[str], key: str) -> str:
    """What to write where one of a few words is wanted and a list is there."""
    known = [item for item in items if item in choices]
    if len(known) == len(items) == 1:
        return f"write {known[0]}, without brackets"
    if len(known) == len(items) > 1 and set(choices) - set(known) == {"any"}:
        return "write any"
    if len(known) == len(items) > 1 and key in _OF_CHECKS:
        return _EACH
    return "one stands here, without brackets"


def of_one_part(items: Sequence[Any]) -> str:
    """The same for the one expectation that `not` takes."""
    if len(items) == 1:
        return "; write it without the brackets"
    return "; `not` is of one: write {check: any_of, of: […]} there, of which no part may hold" if items else ""


_PROSE = frozenset({"description", "prompt", "reason", "rubric"})
_OF_CHECKS = frozenset({"after", "before", "cel", "goal", "is", "name", "outcome", "path", "transferred_to"})
_SHOWN = _OF_CHECKS | {"column", "file", "max_age", "prompt_file", "target_number", "tool"}
"""Keys whose values are nothing that a diagnostic should not repeat."""
_EACH = "one stands here: write an expectation for each, below {check: any_of, of: […]} where one of them is enough"
_JOIN = "one pattern finds any of several with | between them"


def of_a_range(written: str) -> str:
    """A range of whole numbers as the list that an axis wants, the first of a long one; nothing where it is none."""
    found = _RANGE.fullmatch(written.strip())
    if found is None:
        return ""
    first, end = (int(found[1]), int(found[2]) + 1) if found[1] else (int(found[3]), int(found[4]))
    if first >= end:
        return ""
    shown = ", ".join(map(str, range(first, min(end, first + _MAX_RANGE))))
    return f"write [{shown}]" if end - first <= _MAX_RANGE else f"write its values out: [{shown}, …]"


_MAX_RANGE = 10
_RANGE = re.compile(r"([0-9]{1,6}) ?(?:\.\.\.?|-|–|to) ?([0-9]{1,6})|range\(([0-9]{1,6}), ?([0-9]{1,6})\)")


def of_a_step(value: Any) -> str:
    """How a step of a sequence is written that is there as something else than a mapping."""
    return f"; write {{tool: {value}}}" if isinstance(value, str) and re.fullmatch(r"[\w.-]{1,40}", value) else ""


def of_what_is_said(value: Any) -> str:
    """The same for what a step says."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):  # pyright: ignore[reportUnknownVariableType]
        return ""
    shown = json.dumps(texts, ensure_ascii=False)
    return f"; write {{any_of: {shown if len(shown) <= _MAX_TEXT else '[…]'}}}"
