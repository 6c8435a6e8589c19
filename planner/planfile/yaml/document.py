"""A parsed file: its text, plain values, and the place of each."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import to_json

from planner.diagnostics import Related, Severity, Span


@dataclass(slots=True)
class Source:
    """The text of one file. `file` is the name that diagnostics show: relative to the working directory, with `/`."""

    file: str
    text: str = field(repr=False)
    _starts: array[int] = field(default_factory=lambda: array("I"), repr=False, compare=False)
    """Offsets of lines. Empty until a place is needed."""
    top: tuple[int, int] = field(default=(0, 1), repr=False, compare=False)
    """Offsets of the outermost value."""

    def __hash__(self) -> int:
        return hash((self.file, self.text))

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` (offsets in characters), without white space at its end."""
        while end > start + 1 and self.text[end - 1] in " \t\r\n":
            end -= 1
        line, column = self._position(start)
        last = self._position(end) if end > start + 1 else (line, column + end - start)
        return Span(self.file, line, column, *last)

    def whole(self) -> Span:
        """The start of the file: the place of a diagnostic about all of it."""
        return Span(self.file, 1, 1, 1, 1)

    def line(self, number: int) -> Span:
        """The line with this number, or the last one if the file is shorter."""
        self._position(0)
        start = self._starts[min(number, len(self._starts)) - 1]
        end = self.text.find("\n", start)
        return self.span(start, max(start, end if end >= 0 else len(self.text)))

    def _position(self, offset: int) -> tuple[int, int]:
        if not self._starts:
            self._starts.append(0)
            self._starts.extend(found.end() for found in re.finditer(r"\r\n?|\n", self.text))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class YamlPlace(NamedTuple):
    """A stretch of a file's text. Its line and column are computed only when needed: there are many places."""

    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)


Route = Sequence[str | int]
"""Keys and indexes from the root of a file to a value."""

KeyMark = tuple[int, int, int, int]
"""Offsets of key start, key end, value start, value end."""

_NUMBER_STARTS = frozenset("+-.0123456789tTfF")
_NOWHERE = Source("", "")


class Problem(NamedTuple):
    """A problem with the text of a file: a code, a message that says what to do, and the place."""

    code: str
    message: str
    span: Span
    related: tuple[Related, ...] = ()
    severity: Severity = Severity.ERROR


class YamlMapping(dict[str, Any]):
    """A YAML mapping in the order written, with the place of each key. Remove keys with `take_out` only."""

    __slots__ = ("_positions", "incomplete", "source", "spots")

    def __init__(self, source: Source = _NOWHERE) -> None:
        super().__init__()
        self.source = source
        self.spots = array("I")
        """Four offsets for each key."""
        self.incomplete = False
        """Whether the keys are uncertain: one is a duplicate, or a merge was refused. An unknown or missing key may
        follow from that."""
        self._positions: dict[str, int] | None = None

    def mark(self, key: str) -> KeyMark:
        position = self._indexed()[key]
        key_start, key_end, start, end = self.spots[position : position + 4]
        return key_start, key_end, start, end

    def value_mark(self, key: str | int) -> tuple[int, int]:
        """Offsets of the value, empty if there is none."""
        return self.mark(str(key))[2:]

    def place(self, key: str | int) -> YamlPlace:
        """Where the value is written (an alias, not what it stands for), or its key if there is no value."""
        key_start, key_end, start, end = self.mark(str(key))
        return YamlPlace(self.source, start, end) if end > start else YamlPlace(self.source, key_start, key_end)

    def span(self, key: str | int) -> Span:
        return self.place(key).span

    def key_place(self, key: str | int) -> YamlPlace:
        return YamlPlace(self.source, *self.mark(str(key))[:2])

    def key_span(self, key: str | int) -> Span:
        return self.key_place(key).span

    def put(self, key: str, value: Any, mark: KeyMark) -> None:
        """Set a key that is written elsewhere."""
        self._indexed()[key] = len(self.spots)
        self.spots.extend(mark)
        self[key] = value

    def take_out(self, key: str) -> None:
        self._indexed()
        del self[key]

    def _indexed(self) -> dict[str, int]:
        if self._positions is None:
            self._positions = dict(zip(self, range(0, len(self.spots), 4), strict=False))
        return self._positions


class Items(list[Any]):
    """A YAML sequence, with the places of its items. Not to be changed."""

    __slots__ = ("source", "spots")
    incomplete = False

    def __init__(self, source: Source = _NOWHERE) -> None:
        super().__init__()
        self.source = source
        self.spots = array("I")
        """Two offsets for each item: start and end."""

    def value_mark(self, index: str | int) -> tuple[int, int]:
        start = 2 * int(index)
        return self.spots[start], self.spots[start + 1]

    def place(self, index: str | int) -> YamlPlace:
        return YamlPlace(self.source, *self.value_mark(index))

    def span(self, index: str | int) -> Span:
        return self.place(index).span

    key_span = span
    """An item has no key."""


Container = YamlMapping | Items


def follow(start: Container, route: Route) -> tuple[Container, str | int] | None:
    """The last container on the route and the key in it; None if nothing on the route exists.

    Steps that no container has (a missing key, a tag of a pydantic union) are skipped.
    """
    found: tuple[Container, str | int] | None = None
    current: Any = start
    for step in route:
        if isinstance(current, YamlMapping) and str(step) in current:
            found = (current, str(step))
            current = current[str(step)]
        elif isinstance(current, Items) and isinstance(step, int) and step < len(current):
            found = (current, step)
            current = current[step]
    return found


def at(container: Container, key: str | int) -> Any:
    """The value under a key of a mapping or an index of a sequence."""
    return container[str(key)] if isinstance(container, YamlMapping) else container[int(key)]


def as_written(container: Container, key: str | int) -> str:
    """The characters of an unquoted number or boolean, which YAML may change: `007`, `1.10`, `+14155550199`.

    Empty for another value, and for one that an alias stands for.
    """
    if not isinstance(at(container, key), (int, float)):
        return ""
    start, end = container.value_mark(key)
    written = container.source.text[start:end].strip()
    if written.startswith("&"):
        written = written.partition(" ")[2].strip()
    return written if written[:1] in _NUMBER_STARTS and " " not in written else ""


def start_of(root: YamlMapping) -> Span:
    """The first key of the file: the place of a key that is missing."""
    for key in root:
        return root.key_span(key)
    return root.source.span(*root.source.top)


def as_json(value: Any) -> bytes:
    """A value as JSON. pydantic is several times faster with builtin containers than with their subclasses."""
    return to_json(_builtin(value))


def _builtin(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if item.__class__ is str else _builtin(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [_builtin(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


MAX_VALUES = 50_000
"""Of one world or agent, aliases expanded."""


def is_too_large(value: Any) -> bool:
    """Whether a value holds more than `MAX_VALUES` values, aliases expanded."""
    pending = [value]
    count = 0
    while pending and count <= MAX_VALUES:
        current = pending.pop()
        count += 1
        if isinstance(current, dict):
            pending.extend(current.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(current, list):
            pending.extend(current)  # pyright: ignore[reportUnknownArgumentType]
    return count > MAX_VALUES
