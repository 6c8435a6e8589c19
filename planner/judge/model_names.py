"""Compares the name of a configured model with the one in an endpoint's answer."""

from __future__ import annotations

import re
from collections.abc import Iterable


def is_asked_model(answered: str, asked: str, also: Iterable[str] = ()) -> bool:
    """Whether `answered` names the model requested as `asked` or as one of `also`.

    The answer may add an edition (`gpt-4o-2024-08-06` for `gpt-4o`), and the provider may be missing on either side
    (`openai/gpt-4o`). A missing name is accepted.
    """
    return not answered.strip() or any(_is_same(_parts(answered), _parts(name)) for name in (asked, *also))


def is_exactly(answered: str, names: Iterable[str]) -> bool:
    """Whether an answer's model has one of these names, regardless of case and of a missing provider."""
    own = _parts(answered)
    return any(own[1] == name[1] and (not own[0] or not name[0] or own[0] == name[0]) for name in map(_parts, names))


def _is_same(answered: tuple[str, str], asked: tuple[str, str]) -> bool:
    if answered[0] and asked[0] and answered[0] != asked[0]:
        return False
    stem = re.sub(r"[-:]latest$", "", asked[1])
    # Endpoints add `-2024-08-06`, `-0613`, `@20240229`, `-002` or `:latest`.
    edition = r"[-@:](?:latest|[0-9]{3,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2})"
    return answered[1] == asked[1] or re.fullmatch(f"{re.escape(stem)}(?:{edition})?", answered[1]) is not None


def _parts(name: str) -> tuple[str, str]:
    """(provider, name); Google's names start with `models/`."""
    provider, _, own = name.strip().lower().removeprefix("models/").rpartition("/")
    return provider, own
