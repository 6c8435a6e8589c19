"""What somebody probably meant who named something that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LISTED = 8


def meant(name: str | int, known: Iterable[str | int]) -> str:
    """The end of a sentence that says what is not there: the nearest name there is, or the few there are; "" when there is none."""
    names = sorted(map(str, known))
    near = get_close_matches(str(name), names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(names)}" if 0 < len(names) <= _LISTED else ""
