"""One expectation as written: where it stands, what it is, and who uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.checks.base import Doubt, Expectation
from planner.diagnostics import Span
from planner.planfile.reporter import Said
from planner.planfile.templates.contents import Content, Text
from planner.planfile.yaml.document import Container, Document, Items
from planner.planfile.yaml.document import Mapping as Written
from planner.planfile.yaml.source import Place


@dataclass(slots=True)
class Rendered:
    """An expectation with the values of its templates, and what it is by the ids it has in different cases."""

    content: Mapping[str, Any]
    named: dict[str, Expectation] = field(default_factory=lambda: {})  # noqa: PIE807 - typed, as dict[…] is, which takes longer


@dataclass(slots=True)
class Shape:
    """What an expectation is, wherever it is written: plans repeat themselves, so that one is read once."""

    json: bytes
    written: Written
    """One place where it is written."""
    kind: type[Expectation]
    check: str
    id: str | None
    """As written."""
    content: Content
    texts: Sequence[Text] = ()
    names: frozenset[str] = frozenset()
    """What its templates use."""
    fixed: Rendered | None = None
    """Without templates: what it is in every case."""
    doubts: Sequence[Doubt] = ()
    """Without templates: what was hardly meant."""
    may_warn: bool = True
    """Whether there is anything in it that can be written in a way that deserves a warning."""


@dataclass(frozen=True, slots=True)
class Used:
    """Where a plan uses an expectation of a library: the whole `use`, and the part of it that an id would be changed in."""

    place: Place
    id_place: Place


@dataclass(slots=True)
class Draft:
    """One expectation as written, in a plan or, under `key` of `container`, in the library that it `used` from."""

    document: Document
    container: Container
    key: str | int
    written: Written
    shape: Shape
    place: Place
    """Where the plan says it: the `use` of one from a library."""
    used: Used | None = None
    _said: Said | None = None

    @property
    def said(self) -> Said:
        """Faults of it that were reported; all that use one of a library share them."""
        if self._said is None:
            self._said = Said()
        return self._said

    @property
    def id(self) -> str | None:
        """The id as written."""
        return self.shape.id

    @property
    def span(self) -> Span:
        return self.place.span

    def part(self, route: Sequence[str | int]) -> Span:
        """Where a part of it is written."""
        found = self.document.follow((self.key, *route), self.container)
        return self.document.value(*found) if found is not None else self.span

    @property
    def id_span(self) -> Span:
        """Where the plan gives it its id, if it has one, or could."""
        if self.used is not None:
            return self.used.id_place.span
        return self.document.value(self.written, "id")

    @property
    def user(self) -> Span | None:
        """What to tell besides the place of a fault."""
        return self.used.place.span if self.used else None


def parts_of(written: Written) -> Iterable[tuple[Container, str | int]]:
    """Where the expectations inside an expectation are written."""
    of = written.get("of")
    if isinstance(of, Items):
        return [(of, index) for index in range(len(of))]
    return [(written, "of")] if isinstance(of, Written) else []


def free_id(name: str, taken: set[str]) -> str:
    """The name, with -2, -3 and so on where it is taken."""
    free, repeat = name, 1
    while free in taken:
        repeat += 1
        free = f"{name}-{repeat}"
    return free
