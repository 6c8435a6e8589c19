"""Keys that one mapping has twice, told once for each mapping: what is missing is mostly what begins a second one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.checks.wording import listed
from planner.diagnostics import Related
from planner.spec.document import Mapping
from planner.spec.faults.reporting import MAX_FAULTS_PER_FILE, Reporter, first_few
from planner.spec.faults.wording import shorten
from planner.spec.source import Source

_Again = tuple[str, int, int, int, int]
"""A key, where it is written again, and where it was first; offsets."""


@dataclass(slots=True)
class Duplicates:
    """Of one file."""

    source: Source
    reporter: Reporter
    _found: dict[int, tuple[Mapping, list[_Again]]] = field(default_factory=dict[int, tuple[Mapping, list[_Again]]])
    """By the identity of the mapping, which is kept for that."""
    _count: int = 0

    def add(self, container: Mapping, key: str, start: int, end: int) -> None:
        """The mapping has the key already, and it is written here again; more than are shown of a file are not kept."""
        self._count += 1
        if self._count <= MAX_FAULTS_PER_FILE:
            first_start, first_end, _, _ = container.marks[key]
            found = self._found.setdefault(id(container), (container, []))[1]
            found.append((key, start, end, first_start, first_end))

    def merged(self, places: Sequence[Sequence[int]]) -> None:
        """Where the values of all `<<` of one mapping are: the specification of merge keys knows one."""
        if len(places) > 1:
            (start, end), (again, again_end) = places[:2]
            detail = "`<<` is written twice in this mapping; write one, with a list, such as <<: [*one, *other]"
            first = Related("the first one", self.source.span(start, end))
            self.reporter.error("duplicate-key", detail, self.source.span(again, again_end), first)

    def report(self) -> None:
        """When as much of the file is read as can be."""
        for container, found in self._found.values():
            keys = list(dict.fromkeys(again[0] for again in found))
            if len(keys) > 1:
                told = listed([f"`{shorten(key, 40)}`" for key in keys[:3]])
                detail = f"{told} are written twice in this mapping; look for a name or a `- ` that is missing above"
            else:
                or_else = ", or begin another item with `- `" if keys == ["check"] else ""
                detail = f"`{shorten(keys[0])}` is written twice in this mapping; keep one{or_else}"
            _, start, end, first_start, first_end = found[0]
            first = Related("the first one", self.source.span(first_start, first_end))
            others = [Related("written again", self.source.span(again[1], again[2])) for again in found[1:]]
            after = [mark for mark in container.marks.values() if mark[0] > start]
            self.reporter.doubted_keys.update(self.source.span(mark[0], mark[1]) for mark in after)
            self.reporter.error("duplicate-key", detail, self.source.span(start, end), first, *first_few(others))
