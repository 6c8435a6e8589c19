"""JSON values in one canonical form, for digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import rfc8785

_LARGEST_EXACT: Final = 2**53 - 1
"""RFC 8785 writes numbers as IEEE doubles, but ids of the service are 64-bit."""


def canonical_json(document: Any) -> bytes:
    """The value in canonical form (RFC 8785). What that cannot write is replaced: large integers, NaN, infinities and
    lone surrogates."""
    return rfc8785.dumps(_canonical(document))


def _canonical(value: Any) -> Any:
    match value:
        case bool() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="backslashreplace").decode()
        case int():
            return (
                value
                if -_LARGEST_EXACT <= value <= _LARGEST_EXACT
                else {"integer": str(value) if value.bit_length() <= 64 else f"{value:x}"}
            )
        case float():
            return value if abs(value) < float("inf") else {"float": str(value)}
        case Mapping():
            return {_canonical(str(key)): _canonical(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case Sequence():
            return [_canonical(item) for item in cast("Sequence[Any]", value)]
        case _:
            raise TypeError(f"not a JSON value: {value!r}")
