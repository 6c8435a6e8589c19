"""What an unquoted YAML scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

`yes`, `on`, `1_000`, `0b1` and `2027-01-31` are text; `010` is ten, `0o10` is eight.
"""

from __future__ import annotations

import math
import re

MAX_NUMBER_LENGTH = 100
"""Converting longer numbers takes quadratic time."""
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = frozenset(f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")) | frozenset(
    (".nan", ".NaN", ".NAN")
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("-+.0123456789")
NOT_TEXT_STARTS = _NUMBER_STARTS | frozenset("~nNtTfF")
"""An unquoted scalar that starts with another character is text."""


class NumberError(ValueError):
    """The scalar is a number that cannot be used. The message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises `NumberError` for infinity, not-a-number and endless digits."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if text in _NOT_FINITE:
        raise NumberError(f"{text} is not a finite number")
    integer, prefixed = _INTEGER.match(text), _PREFIXED.match(text)
    if not integer and not prefixed and not _FLOAT.match(text):
        return text
    if len(text) > MAX_NUMBER_LENGTH:
        raise NumberError(f"a number of {len(text):,} digits cannot be used; quote it if it is meant as text")
    if integer or prefixed:
        return int(text, 0 if prefixed else 10)
    value = float(text)
    if not math.isfinite(value):
        raise NumberError(f"{text} is too large for a number")
    return value
