"""Compares the model named in an answer with the requested one: some endpoints substitute another model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_EDITION: Final = re.compile(r"[-@:](?:latest|[0-9]{3,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2})")
"""Suffixes that endpoints add: `-2024-08-06`, `-0613`, `@20240229`, `-002`, `:latest`."""
_ANY_EDITION: Final = re.compile(r"[-:]latest$")


def is_asked_model(answered: str, asked: str, also: Iterable[str] = ()) -> bool:
    """Whether `answered` names the model requested as `asked` or as one of `also`.

    The answer may add an edition (`gpt-4o-2024-08-06` for `gpt-4o`), and the provider may be missing on either side
    (`openai/gpt-4o`). A missing name is accepted.
    """
    return not answered.strip() or any(_is(_parts(answered), _parts(name)) for name in (asked, *also))


def _is(answered: tuple[str, str], asked: tuple[str, str]) -> bool:
    if answered[0] and asked[0] and answered[0] != asked[0]:
        return False
    stem = _ANY_EDITION.sub("", asked[1])
    return answered[1] in (asked[1], stem) or (
        answered[1].startswith(stem) and _EDITION.fullmatch(answered[1][len(stem) :]) is not None
    )


def _parts(name: str) -> tuple[str, str]:
    """(provider, name); Google's names start with `models/`."""
    whose, _, own = name.strip().lower().removeprefix("models/").rpartition("/")
    return whose, own
