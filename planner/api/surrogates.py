"""Replaces lone surrogates in JSON: text cut in the middle of a character, which no file can hold."""

from __future__ import annotations

import json
import re
from typing import Final

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def without_surrogates(body: bytes) -> bytes | None:
    """The JSON with `?` for each lone surrogate; None if there are none or the JSON is invalid otherwise."""
    if _SURROGATE.search(body) is None:
        return None
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    whole = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return None if whole == body else whole


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON
