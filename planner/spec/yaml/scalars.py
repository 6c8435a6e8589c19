"""What an unquoted YAML scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

`yes`, `on`, `1_000`, `0b1` and `2027-01-31` are text; `010` is ten, `0o10` is eight.
"""

from __future__ import annotations

import math
import re

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOAT = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("-+.0123456789")
MAX_NUMBER_LENGTH = 100
"""Longer numbers are nobody's number, and converting them takes quadratic time."""

NOT_TEXT_STARTS = frozenset("-+.0123456789~nNtTfF")
"""An unquoted scalar that starts with anything else is text: this spares most scalars the closer look."""


class NumberError(ValueError):
    """The scalar is a number that cannot be used. The message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises `NumberError` for infinity, not-a-number and endless digits."""
    if text.isdigit() and text.isascii() and len(text) <= MAX_NUMBER_LENGTH:
        return int(text)  # there may be a million
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.match(text):
        return int(_short(text))
    if _FLOAT.match(text):
        value = float(_short(text))
        if not math.isfinite(value):
            raise NumberError(f"{text} is too large for a number")
        return value
    if _OCTAL.match(text):
        return int(_short(text).removeprefix("0o"), 8)
    if _HEXADECIMAL.match(text):
        return int(_short(text), 16)
    if _SPECIAL_FLOAT.match(text):
        raise NumberError(f"{text} is not a finite number")
    return text


def _short(text: str) -> str:
    if len(text) > MAX_NUMBER_LENGTH:
        raise NumberError(f"a number of {len(text):,} digits cannot be used; quote it if it is meant as text")
    return text
