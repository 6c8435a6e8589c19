"""JSON values in one canonical form, for digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import rfc8785

_LARGEST_EXACT: Final = 2**53 - 1
"""RFC 8785 writes numbers as IEEE doubles, but ids of the service are 64-bit."""
_PLAIN: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
"""Writes strings, ASCII keys and plain numbers like RFC 8785, in a fifth of the time."""
_PLAIN_FLOATS: Final = (1e-4, 1e15)
"""Python writes numbers between these like RFC 8785; others have another exponent."""


def canonical_json(document: Any) -> bytes:
    """The value in canonical form (RFC 8785). What that cannot write is replaced: large integers, NaN, infinities and
    lone surrogates."""
    unusual: list[object] = []
    value = _canonical(document, unusual)
    return rfc8785.dumps(value) if unusual else _PLAIN.encode(value).encode()


def _canonical(value: Any, unusual: list[object]) -> Any:
    """`unusual` receives what only `rfc8785` writes in canonical form."""
    match value:
        case str():
            return value if value.isascii() else value.encode(errors="backslashreplace").decode()
        case bool() | None:
            return value
        case int():
            return (
                value
                if -_LARGEST_EXACT <= value <= _LARGEST_EXACT
                else {"integer": str(value) if value.bit_length() <= 64 else f"{value:x}"}
            )
        case float():
            return _canonical_float(value, unusual)
        case Mapping():
            items = cast("Mapping[Any, Any]", value).items()
            found = {_canonical(str(key), unusual): _canonical(item, unusual) for key, item in items}
            unusual += [key for key in found if not key.isascii()]  # sorted otherwise
            return found
        case Sequence():
            return [_canonical(item, unusual) for item in cast("Sequence[Any]", value)]
        case _:
            raise TypeError(f"not a JSON value: {value!r}")


def _canonical_float(value: float, unusual: list[object]) -> Any:
    if not abs(value) < float("inf"):
        return {"float": str(value)}
    smallest, largest = _PLAIN_FLOATS
    if value.is_integer() and abs(value) < largest:
        return int(value)
    if not smallest <= abs(value) < largest:
        unusual.append(value)
    return value
