"""A parsed file: plain values, and the place of each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from pydantic_core import to_json

from planner.diagnostics import Related, Severity, Span
from planner.planfile.yaml.source import Place, Source

Route = Sequence[str | int]
"""Keys and indexes from the root of a file to a value."""


class Problem(NamedTuple):
    """What is wrong with the text of a file: a code, one line that says what to do, and the place."""

    code: str
    message: str
    span: Span
    related: tuple[Related, ...] = ()
    severity: Severity = Severity.ERROR


KeyMark = tuple[int, int, int, int]
"""Offsets of key start, key end, value start, value end."""


class Mapping(dict[str, Any]):
    """A YAML mapping in the order written, with the place of each key. Keys are taken out by `take_out` only."""

    __slots__ = ("_index", "_moved", "spots")

    def __init__(self) -> None:
        super().__init__()
        self.spots = array("I")
        """Four offsets for each key, in the order written."""
        self._index: dict[str, int] = {}
        self._moved: dict[str, KeyMark] | None = None
        """Places of keys that were put here from elsewhere."""

    def mark(self, key: str) -> KeyMark:
        if self._moved is not None and key in self._moved:
            return self._moved[key]
        position = self._indexed()[key]
        key_start, key_end, start, end = self.spots[position : position + 4]
        return key_start, key_end, start, end

    def put(self, key: str, value: Any, mark: KeyMark) -> None:
        """Add a key that is written elsewhere."""
        self._indexed()
        self[key] = value
        self._moved = {**(self._moved or {}), key: mark}

    def refill(self, entries: dict[str, tuple[Any, KeyMark]]) -> None:
        """Replace all keys by these, each with its value and place."""
        self.clear()
        self.update({key: value for key, (value, _) in entries.items()})
        self.spots = array("I", chain.from_iterable(mark for _, mark in entries.values()))
        self._index = {}

    def take_out(self, key: str) -> None:
        self._indexed()
        del self[key]

    def _indexed(self) -> dict[str, int]:
        if not self._index:
            self._index = dict(zip(self, range(0, len(self.spots), 4), strict=False))
        return self._index


class Items(list[Any]):
    """A YAML sequence, with the places of its items. Not to be changed."""

    __slots__ = ("spots",)

    def __init__(self) -> None:
        super().__init__()
        self.spots = array("I")
        """Two offsets for each item: start and end."""


Container = Mapping | Items


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file. `root` is a mapping, `top` its offsets."""

    source: Source
    root: Mapping
    top: tuple[int, int]
    unreadable: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Offsets of what could not be read, which was reported: a placeholder is there, so a second diagnostic would mislead."""
    duplicates: list[tuple[Mapping, int]] = field(default_factory=list[tuple[Mapping, int]])
    """Mappings with a duplicate key, and its offset: keys after it may belong to a mapping whose start is missing."""
    incomplete: set[int] = field(default_factory=set[int])
    """Identities of mappings that lack keys, because what was to be merged into them was refused."""

    def key(self, container: Mapping, key: str) -> Span:
        """Where the key is written."""
        start, end, *_ = container.mark(key)
        return self.source.span(start, end)

    def value(self, container: Container, key: str | int) -> Span:
        """Where the value is written (an alias, not what it stands for), or its key if there is no value."""
        return self.source.span(*self.offsets(container, key))

    def offsets(self, container: Container, key: str | int) -> tuple[int, int]:
        """As `value`, in characters from the start of the file."""
        if isinstance(container, Items):
            index = int(key)
            return container.spots[2 * index], container.spots[2 * index + 1]
        key_start, key_end, start, end = container.mark(str(key))
        return (start, end) if end > start else (key_start, key_end)

    def follow(self, route: Route, start: Container | None = None) -> tuple[Container, str | int] | None:
        """The last container on the route and the key in it; None if nothing on the route exists.

        Steps that no container has (a missing key, a tag of a pydantic union) are skipped.
        """
        found: tuple[Container, str | int] | None = None
        current: Any = self.root if start is None else start
        for step in route:
            if isinstance(current, Mapping) and str(step) in current:
                found = (current, str(step))
                current = current[str(step)]
            elif isinstance(current, Items) and isinstance(step, int) and step < len(current):
                found = (current, step)
                current = current[step]
        return found

    def place(self, container: Container, key: str | int) -> Place:
        """Where `value` is, for those who may never ask for the line."""
        return Place(self.source, *self.offsets(container, key))

    def place_of_key(self, container: Mapping, key: str) -> Place:
        start, end, *_ = container.mark(key)
        return Place(self.source, start, end)

    def span_at(self, route: Route) -> Span:
        """Where the value at the end of the route is written, or as much of the route as exists."""
        found = self.follow(route)
        return self.source.span(*self.top) if found is None else self.value(*found)

    def text(self, container: Container, key: str | int) -> str:
        """The characters of an unquoted number or boolean, which YAML may change: `007`, `1.10`, `+14155550199`, `yes`."""
        start, end = self.offsets(container, key)
        written = self.source.text[start:end].strip()
        if written.startswith(("&", "!")):
            written = written.partition(" ")[2].strip()
        return "" if written[:1] in {"*", '"', "'", "|", ">"} or "\n" in written else written


def at(container: Container, key: str | int) -> Any:
    """The value under a key of a mapping or an index of a sequence."""
    return container[str(key)] if isinstance(container, Mapping) else container[int(key)]


def value_mark(container: Container, key: str | int) -> tuple[int, int]:
    """Offsets of the value under `key`, empty if there is none."""
    if isinstance(container, Items):
        return container.spots[2 * int(key)], container.spots[2 * int(key) + 1]
    return container.mark(str(key))[2:]


def start_of(document: Document) -> Span:
    """The first key of the file: the place of a key that is missing."""
    for key in document.root:
        return document.key(document.root, key)
    return document.source.span(*document.top)


def as_json(value: Any) -> bytes:
    """A value as JSON. pydantic is several times faster with builtin containers than with their subclasses."""
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
