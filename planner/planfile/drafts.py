"""One expectation as written: its place, what it means, who uses it, and its validation by the model of its check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planner.checks.base import Expectation, Lint
from planner.checks.patterns import TOO_LARGE, compile_pattern
from planner.diagnostics import Span
from planner.planfile.reporter import Said
from planner.planfile.templates import Content, Text
from planner.planfile.yaml.document import Container, Items, YamlPlace, as_json, follow
from planner.planfile.yaml.document import YamlMapping as Written

MAX_STATES = 400_000
"""Maximum size of all patterns and expressions of a plan, in RE2's states: each takes about 2 µs and 150 bytes to
compile."""

_EXPRESSION = 20
"""Compiling an expression takes as long as compiling a pattern with this many states."""
_TOO_LARGE = 200_000
"""A pattern that is too large takes as long to reject as one with this many states, at worst."""
_INVALID = 3
"""Explaining an invalid expectation takes this many times as long as validating it."""
_MAX_ERRORS = 100
"""Of one expectation. Each case of a matrix may have its own."""
_ERROR_BYTES = 1_000
"""Finding an error takes as long as validating so many bytes."""
_COSTLY = re.compile(rb'"(?:cel|matches|also)"')


@dataclass(slots=True)
class Validations:
    """Shared by all plans that are loaded together."""

    made_bytes: int = 0
    """Size of all distinct expectations so far, as JSON."""
    _known: dict[tuple[str, bytes], Expectation | list[ErrorDetails]] = field(
        default_factory=dict[tuple[str, bytes], Expectation | list[ErrorDetails]]
    )
    _states: int = MAX_STATES
    """The remaining states of this plan."""
    _reported: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether this plan has too many patterns, so that reading more only takes time."""
        return self._states < 0

    def new_plan(self) -> None:
        self._states = MAX_STATES
        self._reported = False

    def validate(
        self, kind: type[Expectation], content: Mapping[str, Any], name: str
    ) -> Expectation | list[ErrorDetails]:
        """The expectation under this id, or its errors; no errors if the plan has too many patterns, which was
        reported."""
        document = as_json({**content, "id": name})
        key = (kind.__name__, document)
        known = self._known.get(key)
        if known is not None:
            return known
        costly = _COSTLY.search(document) is not None
        if costly and self.exhausted:
            reported, self._reported = self._reported, True
            return [] if reported else [_too_many(content)]
        try:
            known = kind.model_validate_json(document, strict=True)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            known = _without_consequences(errors)[:_MAX_ERRORS]
            self.made_bytes += _INVALID * len(document) + _ERROR_BYTES * len(errors)
            self._states -= _TOO_LARGE * any(TOO_LARGE in error["msg"] for error in known)
        else:
            if costly:
                self._states -= self._cost(known)
        self._known[key] = known
        self.made_bytes += len(document)
        return known

    def _cost(self, expectation: Expectation) -> int:
        fields = vars(expectation)
        patterns = sum(compile_pattern(pattern).programsize for pattern in _texts_at(("matches", "also"), fields))
        return patterns + _EXPRESSION * len([*_texts_at(("cel",), fields)])


def _without_consequences(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop "too short" errors of lists with items that could not be read."""
    if len(errors) == 1:
        return errors
    above = {error["loc"][:length] for error in errors for length in range(len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in above]


def _texts_at(keys: Sequence[str], value: Any, key: str = "") -> Iterator[str]:
    """All strings under these keys, at any depth."""
    if isinstance(value, str):
        if key in keys:
            yield value
    elif isinstance(value, BaseModel):
        yield from _texts_at(keys, vars(value))
    elif isinstance(value, Mapping):
        for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts_at(keys, item, str(name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts_at(keys, item, key)


def _too_many(content: Mapping[str, Any]) -> ErrorDetails:
    message = (
        "the patterns and expressions of all expectations of this plan are too large, or too many: "
        f"together they may have {MAX_STATES:,} states"
    )
    return {"type": "value_error", "loc": (), "msg": message, "input": content}


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

    place: YamlPlace
    id_place: YamlPlace


@dataclass(slots=True)
class ExpectationDraft:
    """One expectation as written under `key` of `container`, in a plan or in the library that a plan `used` it from."""

    container: Container
    key: str | int
    written: Written
    shape: Shape
    place: YamlPlace
    """The `use` in the plan, for an expectation of a library."""
    used: Used | None = None
    said: Said = field(default_factory=Said)
    """Errors already reported; all uses of a library's expectation share them."""

    @property
    def span(self) -> Span:
        return self.place.span

    def part(self, route: Sequence[str | int]) -> Span:
        """Where a part of it is written."""
        found = follow(self.container, (self.key, *route))
        return found[0].span(found[1]) if found is not None else self.span

    @property
    def id_span(self) -> Span:
        """Where the plan sets its id, or could set it."""
        return self.used.id_place.span if self.used is not None else self.written.span("id")

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
