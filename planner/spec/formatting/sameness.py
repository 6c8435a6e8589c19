"""Whether a formatted file still says the same: what is compared is what plans are made of, not how they are written."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from planner.spec.document import Items, Mapping


class _Place(Enum):
    """Whose the keys of a mapping are, so whether their order may mean something."""

    GRAMMAR = auto()
    NAMED = auto()
    """The author's names for things of the grammar."""
    AXES = auto()
    """As NAMED, but a list below holds the author's own values."""
    FREE = auto()
    """The author's, and so is everything below."""


_BELOW = {
    "axes": _Place.AXES,
    "expectations": _Place.NAMED,
    "scenarios": _Place.NAMED,
    **dict.fromkeys(
        ("arguments", "environments", "exclude", "include", "rates", "result", "targets", "vars"), _Place.FREE
    ),
}


def same(one: Any, other: Any) -> bool:
    """Whether two documents have equal values of equal types, in the same order wherever that may mean something."""
    return _same(one, other, _Place.GRAMMAR)


def _same(one: Any, other: Any, place: _Place) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        if one.keys() != other.keys() or (place is not _Place.GRAMMAR and list(one) != list(other)):
            return False
        return all(_same(value, other[key], _below(place, key, value)) for key, value in one.items())
    if isinstance(one, Items):
        return len(one) == len(other) and all(_same(left, right, place) for left, right in zip(one, other, strict=True))
    return bool(one == other)


def _below(place: _Place, key: str, value: Any) -> _Place:
    match place:
        case _Place.FREE:
            return _Place.FREE
        case _Place.AXES:
            return _Place.FREE if isinstance(value, Items) else _Place.GRAMMAR
        case _Place.NAMED:
            return _Place.GRAMMAR
        case _Place.GRAMMAR:
            return _BELOW.get(key, _Place.GRAMMAR)
