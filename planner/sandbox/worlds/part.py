"""What every part of a world file has in common."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ConfigDict

Route = tuple[str | int, ...]
"""From the root of the file to a value."""
UnknownName = tuple[Route, str]
"""Where something is named that does not exist, and what is wrong."""
_LISTED = 8


class Part(BaseModel):
    """Unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def meant(name: str | int, known: Iterable[str | int]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, or the few there are."""
    names = sorted(map(str, known))
    near = get_close_matches(str(name), names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(names)}" if 0 < len(names) <= _LISTED else ""
