"""Objects that were hardly meant as such: their one key looks like a matcher's, of this language or of another one.

As an object it would be compared literally, which an agent never fulfils, or, in what must not be called, always does.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from planner.checks.wording import shown

if TYPE_CHECKING:
    from pydantic import JsonValue

_TAKES = {"matches": str, "any_of": list, "exists": bool}
_ALIKE = 0.85
"""difflib's ratio: of `matchs` and `matches` 0.92, of `mathces` 0.86, of `maximum` 0.43."""
_LONGEST = 12
_OTHERWISE = {
    "match": "matches",
    "matching": "matches",
    "regex": "matches",
    "regexp": "matches",
    "contains": "matches",
    "includes": "matches",
    "in": "any_of",
    "one_of": "any_of",
    "oneof": "any_of",
    "present": "exists",
    "given": "exists",
}
_EQUAL = frozenset({"equals", "equal", "eq"})
_RANGE = frozenset({"min", "max", "minimum", "maximum", "gt", "gte", "ge", "lt", "lte", "le"})


def check_no_near_matcher(written: JsonValue) -> None:
    """Raises `ValueError` with a sentence for the author. What stands alone in an `any_of` is meant as it is written."""
    if isinstance(written, list):
        for item in written:
            check_no_near_matcher(item)
    elif isinstance(written, dict):
        options = written.get("any_of") if len(written) == 1 else None
        if isinstance(options, list) and len(options) == 1:
            return
        if (meant := _meant(written)) is not None:
            raise ValueError(f"{meant}; if it is an object with this key that is meant, {_as_object(written)}")
        for value in written.values():
            check_no_near_matcher(value)


def _as_object(written: dict[str, JsonValue]) -> str:
    return f"write {{any_of: [{{{next(iter(written))}: …}}]}}"


def _meant(written: dict[str, JsonValue]) -> str | None:
    """What was probably meant by an object, in words; None where it is an object like any other."""
    if not written:
        return None
    if _RANGE.issuperset(map(str.lower, written)) and all(map(_is_number, written.values())):
        return f"`{next(iter(written))}` is no matcher, and there is none for a range; write a pattern, such as {{matches: '^[3-9]$'}}"
    if len(written) > 1:
        return None
    ((key, value),) = written.items()
    if key.lower() in _EQUAL and not isinstance(value, dict):
        return f"`{key}` is no matcher: a value that is equal is written as it is, {shown(value)}"
    if key == "not":
        return "`not` is no matcher; write the opposite, or `tool_not_called`, or the check `not` around all of it"
    if (matcher := _near(key)) is not None and isinstance(value, _TAKES[matcher]):
        return f"`{key}` is no matcher; write `{matcher}`"
    return None


def _near(key: str) -> str | None:
    if key in _TAKES or len(key) > _LONGEST:
        return None
    plain = key.lower().replace("-", "_").replace(" ", "_")
    if (known := _OTHERWISE.get(plain)) is not None:
        return known
    found = get_close_matches(plain, _TAKES, n=1, cutoff=_ALIKE)
    return found[0] if found else None


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
