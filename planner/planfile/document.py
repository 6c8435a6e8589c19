"""A parsed file: plain values, and the place of each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from planner.diagnostics import Related, Severity, Span
from planner.planfile.source import Source

Route = Sequence[str | int]
"""Keys and indexes from the root of a file to a value."""


class Problem(NamedTuple):
    """What is wrong with the text of a file: a code, one line that says what to do, and the place."""

    code: str
    message: str
    span: Span
    related: tuple[Related, ...] = ()
    severity: Severity = Severity.ERROR


class Mapping(dict[str, Any]):
    """A YAML mapping in the order written, with offsets of each key's start and end and its value's. Not to be changed."""

    __slots__ = ("_index", "spots")

    def __init__(self) -> None:
        super().__init__()
        self.spots = array("I")
        """Four for each key, in order."""
        self._index: dict[str, int] = {}

    def spot(self, key: str) -> tuple[int, int, int, int]:
        """Offsets of key start, key end, value start, value end."""
        if len(self._index) != len(self):
            self._index = {name: 4 * position for position, name in enumerate(self)}
        key_start, key_end, start, end = self.spots[self._index[key] : self._index[key] + 4]
        return key_start, key_end, start, end


class Items(list[Any]):
    """A YAML sequence, with the offsets where each item starts and ends. Not to be changed."""

    __slots__ = ("spots",)

    def __init__(self) -> None:
        super().__init__()
        self.spots = array("I")
        """Two for each item."""


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file. `root` is a mapping, `top` its offsets."""

    source: Source
    root: Mapping
    top: tuple[int, int]
    unreadable: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Offsets of what could not be read, which was reported: a placeholder is there, so a second diagnostic would mislead."""
    duplicates: dict[int, int] = field(default_factory=dict[int, int])
    """Identities of mappings with a duplicate key, and its offset: keys after it may belong to a mapping that lacks its start."""
    incomplete: set[int] = field(default_factory=set[int])
    """Identities of mappings that lack keys, because what was to be merged into them was refused."""

    def key(self, container: Mapping, key: str) -> Span:
        """Where the key is written."""
        start, end, *_ = container.spot(key)
        return self.source.span(start, end)

    def value(self, container: Mapping | Items, key: str | int) -> Span:
        """Where the value is written (an alias, not what it stands for), or its key if there is no value."""
        return self.source.span(*self.offsets(container, key))

    def offsets(self, container: Mapping | Items, key: str | int) -> tuple[int, int]:
        """As `value`, in characters from the start of the file."""
        if isinstance(container, Items):
            index = int(key)
            return container.spots[2 * index], container.spots[2 * index + 1]
        key_start, key_end, start, end = container.spot(str(key))
        return (start, end) if end > start else (key_start, key_end)

    def follow(self, route: Route, start: Mapping | Items | None = None) -> tuple[Mapping | Items, str | int] | None:
        """The last container on the route and the key in it; None if nothing on the route exists.

        Steps that no container has (a missing key, a tag of a pydantic union) are skipped.
        """
        found: tuple[Mapping | Items, str | int] | None = None
        current: Any = self.root if start is None else start
        for step in route:
            if isinstance(current, Mapping) and str(step) in current:
                found = (current, str(step))
                current = current[str(step)]
            elif isinstance(current, Items) and isinstance(step, int) and step < len(current):
                found = (current, step)
                current = current[step]
        return found

    def place(self, route: Route) -> Span:
        """Where the value at the end of the route is written, or as much of the route as exists."""
        found = self.follow(route)
        return self.source.span(*self.top) if found is None else self.value(*found)

    def text(self, container: Mapping | Items, key: str | int) -> str:
        """The characters of an unquoted number or boolean, which YAML may change: `007`, `1.10`, `+14155550199`, `yes`."""
        start, end = self.offsets(container, key)
        written = self.source.text[start:end].strip()
        if written.startswith(("&", "!")):
            written = written.partition(" ")[2].strip()
        return "" if written[:1] in {"*", '"', "'", "|", ">"} or "\n" in written else written
