"""Describe how an agent's fields differ, for the person who agrees to calls or to a deployment.

Nested values are compared by path, so that no change hides behind an unchanged text: `tools[refund].url: none →
https://…`. Addresses, numbers and names are never cut. Of a long text, the changed lines are shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, cast

from planner.changes.configuration import agree, is_assigned
from planner.quantities import count

_SHORT: Final = 80
"""Longer strings are compared by line."""
_MAX_CHARACTERS: Final = 4_000
"""Of the changed lines of one text. Beyond them, addresses are listed."""
_CONTEXT: Final = 40
"""Unchanged characters around a change in a long line."""
_NAMES: Final = ("name", "id", "key")
"""What identifies an item of a list: the first field that all items have, each with a value of its own."""
_PLAIN_NAME: Final = re.compile(r"[\w-]+")
_ADDRESS: Final = re.compile(r"://|www\.|@|\d{5}")


def value_lines(path: str, before: Any, after: Any) -> Iterator[str]:
    """The lines for one field; none if both mean the same. None: the field is not set."""
    if not agree(before, after):
        yield from list(_lines(path, before, after)) or [f"{path}: {_shown(before)} → {_shown(after)}"]


def _lines(path: str, before: Any, after: Any) -> Iterator[str]:
    """None if the difference is not in an item or a field of both."""
    if not before and not after:
        return
    if _are(Mapping, before, after):
        yield from _mapping_lines(path, before or {}, after or {})
    elif _are(list, before, after):
        yield from _item_lines(path, before or [], after or [])
    elif isinstance(before, Mapping | list) or isinstance(after, Mapping | list):
        yield from value_lines(path, before, None)
        yield from value_lines(path, None, after)
    elif _are(str, before, after) and not (_is_short(before) and _is_short(after)):
        yield f"{path}:"
        yield from text_lines((before or "").strip(), (after or "").strip())


def text_lines(before: str, after: str) -> list[str]:
    """The changed lines, `- ` before `+ `."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return ["only line ends or a last empty line changed"]
    lines: list[str] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        removed, added = old[i:j], new[k:m]
        if len(removed) == len(added):  # lines that changed in place
            pairs = [_around_change(*pair) for pair in zip(removed, added, strict=True)]
            removed, added = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        lines += [*(f"- {line}" for line in removed), *(f"+ {line}" for line in added)]
    return _within_limit(lines)


def _mapping_lines(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*after, *before]):
        if not is_assigned(key):
            yield from value_lines(f"{path}.{_name(key)}", before.get(key), after.get(key))


def _item_lines(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    names = _item_names(before, after)
    if names is None:
        for place in range(max(len(before), len(after))):
            pair = (items[place] if place < len(items) else None for items in (before, after))
            yield from value_lines(f"{path}[{place}]", *pair)
        return
    old, new = (dict(zip(each, items, strict=True)) for each, items in zip(names, (before, after), strict=True))
    for name in dict.fromkeys([*names[1], *names[0]]):
        yield from value_lines(f"{path}[{_name(name)}]", old.get(name), new.get(name))
    if [name for name in names[0] if name in new] != [name for name in names[1] if name in old]:
        order = (", ".join(map(_name, each)) for each in names)
        yield f"{path}: order {' → '.join(order)}"


def _item_names(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[str], list[str]] | None:
    """What identifies the items of both lists; None if nothing does."""
    for key in _NAMES:
        found = tuple([_field(item, key) for item in items] for items in (before, after))
        if all(None not in names and len({*names}) == len(names) for names in found):
            return cast("tuple[list[str], list[str]]", found)
    return None


def _field(item: Any, key: str) -> str | None:
    value = cast("Mapping[str, Any]", item).get(key) if isinstance(item, Mapping) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _are(kind: type, before: Any, after: Any) -> bool:
    """Whether both are of this type, or one is not set."""
    return all(isinstance(value, kind) for value in (before, after) if value is not None)


def _is_short(value: Any) -> bool:
    return not isinstance(value, str) or (len(value.strip()) <= _SHORT and "\n" not in value.strip())


def _name(name: str) -> str:
    """Quoted if it could be taken for more than a name."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _shown(value: Any) -> str:
    """Strings without quotes, unless they look like another value."""
    if value is None:
        return "none"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = value.strip()
    try:
        json.loads(text)
    except ValueError:
        return text if text not in ("", "none") else json.dumps(text)
    return json.dumps(text)


def _around_change(before: str, after: str) -> tuple[str, str]:
    """Both lines without what is equal far from the change."""
    longest = max(len(before), len(after))
    if longest <= 2 * _SHORT:
        return before, after
    shortest = min(len(before), len(after))
    start = next((place for place in range(shortest) if before[place] != after[place]), shortest)
    same = range(shortest - start)
    end = next((place for place in same if before[-1 - place] != after[-1 - place]), len(same))
    first, last = max(0, start - _CONTEXT), max(0, end - _CONTEXT)

    def part(line: str) -> str:
        stop = len(line) - last
        return ("…" if first else "") + line[first:stop] + ("…" if last else "")

    return part(before), part(after)


def _within_limit(lines: Sequence[str]) -> list[str]:
    """The lines up to the limit. Of the others, their number and the addresses in them."""
    shown: list[str] = []
    room = _MAX_CHARACTERS
    for line in lines:
        if len(line) > room:
            break
        shown.append(line)
        room -= len(line)
    left_out = lines[len(shown) :]
    if not left_out:
        return shown
    words = dict.fromkeys(
        f"{line[0]} {word}" for line in left_out for word in line[2:].split() if _ADDRESS.search(word)
    )
    rest = left_out[0][: max(0, room)]
    more = f"… {count(len(left_out), 'more changed line')}"
    return [*shown, *([f"{rest}…"] if len(rest) > 2 else []), f"{more}, with:" if words else more, *words]
