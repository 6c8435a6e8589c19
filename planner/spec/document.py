"""YAML text to values that know where they are written, in one pass over the C parser's events.

Values are plain `str`, `int`, `float`, `bool`, `None`, and two containers that also carry marks. A place is named by a
container and a key (or index), or by a route of keys from a container; `Document` turns it into a `Span`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from pydantic_core import to_json

from planner.diagnostics import Span
from planner.spec.source import Place, Source

_new: Callable[[type[Place], tuple[Source, int, int]], Place] = cast(Any, tuple).__new__  # half the class's own time

KeyMark = tuple[int, int, int, int]
"""Offsets of a mapping's entry: key start, key end, value start, value end."""
ItemMark = tuple[int, int]


_AT_LEAST = 1_000


class Mapping(dict[str, Any]):
    """A YAML mapping in the order written. `marks` has an entry for each key.

    They are kept as `spots`, four offsets for each key in the order written, until somebody asks: there may be a million, and
    nobody asks about most. So keys are taken out of a mapping by `take_out`, and in no other way: not by `del`, and with a
    `__delitem__` of its own setting a key would take four times as long.
    """

    __slots__ = ("asked", "spots")

    def __init__(self) -> None:
        super().__init__()
        self.spots: list[int] = []
        self.asked: dict[str, KeyMark] | None = None

    @property
    def marks(self) -> dict[str, KeyMark]:
        if self.asked is None:
            self.asked = dict(zip(self, _in_fours(self.spots), strict=False))
        elif (new := len(self.spots) // 4 - len(self.asked)) > 0:  # it is still being read
            keys = list(islice(reversed(self), new))
            self.asked.update(zip(reversed(keys), _in_fours(self.spots[-4 * new :]), strict=True))
        return self.asked

    def mark(self, key: str) -> KeyMark:
        """Of one key. Of a mapping with very many keys, as far as they were asked for: mostly that is the first faults'."""
        asked = self.asked
        if asked is None:
            if len(self) <= _AT_LEAST:
                return self.marks[key]
            asked = self.asked = {}
        while key not in asked:
            done = len(asked)
            step = max(_AT_LEAST, done)
            if 4 * done >= len(self.spots):
                return self.marks[key]
            asked.update(
                zip(islice(self, done, done + step), _in_fours(self.spots[4 * done : 4 * (done + step)]), strict=False)
            )
        return asked[key]

    def take_out(self, key: str) -> None:
        _ = self.marks
        del self[key]


class Items(list[Any]):
    """A YAML sequence. `marks` has two offsets for each item, where it starts and where it ends: there may be a million."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[int] = []


Container = Mapping | Items


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file. `root` is a mapping; `top` is the mark of the mapping itself."""

    source: Source
    root: Mapping
    top: ItemMark

    def key(self, container: Mapping, key: str) -> Span:
        """Where the key itself is written."""
        mark = container.mark(key)
        return self.source.span(mark[0], mark[1])

    def value(self, container: Container, key: str | int) -> Span:
        """Where the value under `key` is written (an alias, not what it stands for); the key where there is no value."""
        start, end = value_mark(container, key)
        if start == end and isinstance(container, Mapping):
            return self.key(container, str(key))
        return self.source.span(start, end)

    def place(self, container: Container, key: str | int) -> Place:
        """Where `value` is, for those who may never ask for the line."""
        if isinstance(container, Items) and isinstance(key, int):
            marks, mark = container.marks, 2 * key
            return _new(Place, (self.source, marks[mark], marks[mark + 1]))
        start, end = value_mark(container, key)
        if start == end and isinstance(container, Mapping):
            return self.place_of_key(container, str(key))
        return _new(Place, (self.source, start, end))

    def place_of_key(self, container: Mapping, key: str) -> Place:
        mark = container.mark(key)
        return _new(Place, (self.source, mark[0], mark[1]))

    def item(self, container: Items, index: int) -> Span:
        return self.source.span(*value_mark(container, index))

    def follow(self, container: Container, route: Sequence[str | int]) -> tuple[Container, str | int] | None:
        """The deepest container on the route, and the key in it that the route means; None for an empty route.

        Steps that no container has (a missing key, the tag of a union) are passed over.
        """
        found: tuple[Container, str | int] | None = None
        current: Any = container
        for step in route:
            if isinstance(current, Mapping) and step in current:
                found = (current, str(step))
                current = current[str(step)]
            elif isinstance(current, Items) and isinstance(step, int) and step < len(current):
                found = (current, step)
                current = current[step]
        return found


def _in_fours(spots: list[int]) -> Iterator[KeyMark]:
    offsets = iter(spots)
    return zip(offsets, offsets, offsets, offsets, strict=True)


def at(container: Container, key: str | int) -> Any:
    """The value under a key of a mapping or an index of a sequence."""
    return container[str(key)] if isinstance(container, Mapping) else container[int(key)]


def value_mark(container: Container, key: str | int) -> ItemMark:
    """Offsets of the value under `key`."""
    if isinstance(container, Items):
        marks, start = container.marks, 2 * int(key)
        return marks[start], marks[start + 1]
    mark = container.mark(str(key))
    return mark[2], mark[3]


def as_json(value: Any) -> bytes:
    """A value as JSON. Of builtin containers pydantic makes it several times faster than of their subclasses."""
    return to_json(_builtin(value))


def _builtin(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if item.__class__ is str else _builtin(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [_builtin(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def larger_than(value: Any, limit: int) -> bool:
    """Whether a value holds more than `limit` values, aliases expanded; looks no further than that."""
    pending = [value]
    count = 0
    while pending and count <= limit:
        current = pending.pop()
        count += 1
        if isinstance(current, dict):
            pending.extend(current.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(current, list):
            pending.extend(current)  # pyright: ignore[reportUnknownArgumentType]
    return count > limit


def start_of(document: Document) -> Span:
    """The first key of the file: the place of a key that is missing."""
    for key in document.root:
        return document.key(document.root, key)
    return document.source.span(*document.top)
