"""One line of JSON: what is wrong with it, in words that tell an author what to change, and keys that it has twice."""

from __future__ import annotations

import json
import re
from typing import Any, cast

_SAID = {
    "key must be a string": 'a key is in double quotes: {"id": …}',
    "EOF while parsing an object": "a } is missing at its end",
    "EOF while parsing a list": "a ] is missing at its end",
    "EOF while parsing a string": "a double quote is not closed",
    "expected `:`": "a colon is missing after a key",
    "expected `,` or `}`": "a comma or a } is missing",
    "expected `,` or `]`": "a comma or a ] is missing",
    "trailing characters": "one line is one value, and something follows this one",
    "trailing comma": "nothing follows the last comma; remove it",
    "invalid escape": "a backslash begins no escape that JSON knows; write \\\\ for the character itself",
    "invalid number": "a number is written as 17 or 0.5; put it in double quotes if it is meant as text",
}
_NO_VALUE = 'a value is a number, true, false, null, or text in double quotes: "calm"'
_PLACE = re.compile(r" at line \d+ column \d+\Z")


def explained(error: ValueError) -> str:
    """What to say of a line that the parser refuses."""
    said = _PLACE.sub("", str(error))
    if said.startswith("control character"):
        return "a text has a control character; write it as an escape, such as \\t"
    if said.startswith("expected") or said == "EOF while parsing a value":
        return _SAID.get(said, _NO_VALUE)
    return _SAID.get(said, said)


def written_twice(line: str, value: Any) -> str | None:
    """A key that an object of the line has twice, of which the value has the last only; `value` is what the line says."""
    if line.count(":") == _keys(value):
        return None  # and so it is with nearly all lines
    twice: list[str] = []

    def remember(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                twice.append(key)
            seen.add(key)

    json.loads(line, object_pairs_hook=remember, parse_int=str, parse_float=str)
    return twice[0] if twice else None


def _keys(value: Any) -> int:
    """How many keys there are in a value, those inside it included."""
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value)
        return len(inside) + sum(map(_keys, inside.values()))
    return sum(map(_keys, cast("list[Any]", value))) if isinstance(value, list) else 0
