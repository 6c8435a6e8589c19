"""What an unquoted YAML scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

`yes`, `on`, `1_000`, `0b1` and `2027-01-31` are text; `010` is ten, `0o10` is eight.
"""

from __future__ import annotations

import math
import re

from planner.planfile.text import shorten

MAX_NUMBER_LENGTH = 100
"""Converting longer numbers takes quadratic time."""
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NOT_TEXT_STARTS = frozenset("-+.0123456789~nNtTfF")
"""An unquoted scalar that starts with another character is text."""

STANDARD_TAG = "tag:yaml.org,2002:"
TAGGED_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "null": type(None),
}


class NumberError(ValueError):
    """The scalar is a number that cannot be used. The message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises `NumberError` for infinity, not-a-number and endless digits."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _NOT_FINITE.match(text):
        raise NumberError(f"{text} is not a finite number")
    integer, prefixed = _INTEGER.match(text), _PREFIXED.match(text)
    if not integer and not prefixed and not _FLOAT.match(text):
        return text
    if len(text) > MAX_NUMBER_LENGTH:
        raise NumberError(f"a number of {len(text):,} digits cannot be used; quote it if it is meant as text")
    if integer:
        return int(text)
    if prefixed:
        return int(text, 0)
    value = float(text)
    if not math.isfinite(value):
        raise NumberError(f"{text} is too large for a number")
    return value


def tag_name(tag: str) -> str:
    """A tag as it is written, for messages."""
    return shorten(f"!!{tag.removeprefix(STANDARD_TAG)}" if tag.startswith(STANDARD_TAG) else tag)
