"""Digests of JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, cast

import rfc8785

# RFC 8785 writes numbers as IEEE doubles, but ids of the service are 64-bit.
_LARGEST_EXACT: Final = 2**53 - 1


def digest_of(document: Any) -> str:
    """`sha256:` and 64 hex digits over a JSON value in canonical form (RFC 8785)."""
    return f"sha256:{sha256(rfc8785.dumps(_canonical(document))).hexdigest()}"


def _canonical(value: Any) -> Any:
    """The value, with replacements for what RFC 8785 cannot write: large integers, NaN, infinities and lone surrogates."""
    match value:
        case bool() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="backslashreplace").decode()
        case int():
            return value if -_LARGEST_EXACT <= value <= _LARGEST_EXACT else {"integer": str(value)}
        case float():
            return value if abs(value) < float("inf") else {"float": str(value)}
        case Mapping():
            return {_canonical(str(key)): _canonical(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case Sequence():
            return [_canonical(item) for item in cast("Sequence[Any]", value)]
        case _:
            raise TypeError(f"not a JSON value: {value!r}")
