"""One expectation as written: its place, what it means, and who uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from planner.checks.base import Expectation, Lint
from planner.diagnostics import Span
from planner.planfile.reporter import Said
from planner.planfile.templates.contents import Content, Text
from planner.planfile.yaml.document import Container, Document, Items
from planner.planfile.yaml.document import Mapping as Written
from planner.planfile.yaml.source import Place


@dataclass(slots=True)
class Rendered:
    """An expectation with the values of its templates, and the validated expectations by the ids of different cases."""

    content: Mapping[str, Any]
    named: dict[str, Expectation] = field(default_factory=dict[str, Expectation])


@dataclass(slots=True)
class Shape:
    """The meaning of an expectation. Equal ones share it, so that each is read once."""

    json: bytes
    written: Written
    """One place where it is written."""
    kind: type[Expectation]
    check: str
    id: str | None
    """The id as written; None if there is none."""
    content: Content
    texts: Sequence[Text] = ()
    names: frozenset[str] = frozenset()
    """Names in its templates."""
    fixed: Rendered | None = None
    """Without templates: the same in every case."""
    lints: Sequence[Lint] = ()
    """Without templates: warnings about its meaning."""


class Used(NamedTuple):
    """Where a plan uses an expectation of a library: the whole `use`, and the part that gives it an id."""

    place: Place
    id_place: Place


@dataclass(slots=True)
class Draft:
    """One expectation as written under `key` of `container`, in a plan or in the library that a plan `used` it from."""

    document: Document
    container: Container
    key: str | int
    written: Written
    shape: Shape
    place: Place
    """The `use` in the plan, for an expectation of a library."""
    used: Used | None = None
    said: Said = field(default_factory=Said)
    """Errors already reported; all uses of a library's expectation share them."""

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
        """Where the plan sets its id, or could set it."""
        return self.used.id_place.span if self.used is not None else self.document.value(self.written, "id")

    @property
    def user(self) -> Span | None:
        """For an error in a library: where the plan uses it, reported as well."""
        return self.used.place.span if self.used else None


def parts_of(written: Written) -> Iterable[tuple[Container, str | int]]:
    """Where the expectations inside an expectation are written."""
    of = written.get("of")
    if isinstance(of, Items):
        return [(of, index) for index in range(len(of))]
    return [(written, "of")] if isinstance(of, Written) else []


def free_id(name: str, taken: set[str]) -> str:
    """The name, with -2, -3 and so on if it is taken."""
    free, repeat = name, 1
    while free in taken:
        repeat += 1
        free = f"{name}-{repeat}"
    return free
