"""JSON that holds half a character, as a text does that was cut in the middle of one: JSON can write it, and no file could hold it."""

from __future__ import annotations

import json
import re
from typing import Final

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def with_whole_characters(body: bytes) -> bytes | None:
    """The same with a question mark for each half; None where that is not what is wrong with it."""
    if _SURROGATE.search(body) is None:
        return None
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    whole = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return None if whole == body else whole


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON
