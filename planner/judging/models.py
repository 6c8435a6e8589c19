"""Whether an answer is of the model that was asked: some endpoints choose another, of which nobody would know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_EDITION: Final = re.compile(r"[-@:](?:latest|[0-9]{3,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2})")
"""What endpoints add of their own accord: `-2024-08-06`, `-0613`, `@20240229`, `-002`, `:latest`."""
_ANY_EDITION: Final = re.compile(r"[-:]latest$")


def is_asked_model(told: str, asked: str, also: Iterable[str] = ()) -> bool:
    """Whether `told` is how a model calls itself that is asked for as `asked`, or as one of `also`.

    It may tell its edition where none was asked for (`gpt-4o` is `gpt-4o-2024-08-06`, and no other edition is another's), and
    who offers it where that was left out, or the other way round (`openai/gpt-4o`). An endpoint that does not tell it is believed.
    """
    return not told.strip() or any(_is(_parts(told), _parts(name)) for name in (asked, *also))


def _is(told: tuple[str, str], asked: tuple[str, str]) -> bool:
    if told[0] and asked[0] and told[0] != asked[0]:
        return False
    stem = _ANY_EDITION.sub("", asked[1])
    return told[1] in (asked[1], stem) or (
        told[1].startswith(stem) and _EDITION.fullmatch(told[1][len(stem) :]) is not None
    )


def _parts(name: str) -> tuple[str, str]:
    """(whose it is, its name); Google's are all `models/…`."""
    whose, _, own = name.strip().lower().removeprefix("models/").rpartition("/")
    return whose, own
