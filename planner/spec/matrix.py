"""Axes to points: the combinations, less what is excluded, and what is included besides."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from planner.diagnostics import Span
from planner.spec.authored import MatrixFields
from planner.spec.axes import Axis, AxisReader, AxisValue
from planner.spec.document import Document, Items, Mapping
from planner.spec.numbers import warn_of_rewritten
from planner.spec.reading import missing
from planner.spec.reporting import Reporter
from planner.spec.wording import describe, near_miss, one_of, shorten, unknown, wrong_type

_MAX_WALK = 2_000_000
"""Combinations, times the kinds of exclusions to look for in each: a second's work."""

Point = tuple[AxisValue, ...]
"""A value for each axis, in the order of the axes."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Without axes there is one point: the empty one."""

    axes: tuple[Axis, ...] = ()
    points: tuple[Point, ...] = ((),)


class MatrixReader:
    """Reads one scenario's matrix, `written` in `document` under the key at `place`; every point makes `cases_per_point` cases."""

    def __init__(
        self,
        document: Document,
        place: Span,
        written: Mapping,
        fields: MatrixFields,
        axes: AxisReader,
        reporter: Reporter,
        *,
        cases_per_point: int,
    ) -> None:
        self.document = document
        self.place = place
        self.written = written
        self.fields = fields
        self.axis_reader = axes
        self.reporter = reporter
        self.cases_per_point = cases_per_point

    def read(self) -> Matrix:
        """The matrix; where there are faults, what is left of it without them, so that more can be found."""
        errors = self.reporter.errors
        axes = self._axes()
        if self.reporter.errors > errors or not axes:
            product = itertools.product(*(axis.values.values() for axis in axes))
            return Matrix(axes, tuple(itertools.islice(product, self.fields.max_cases)))
        return Matrix(axes, self._points(axes))

    def _axes(self) -> tuple[Axis, ...]:
        axes: Any = self.written.get("axes")
        if "axes" not in self.written:
            known = [name for name in self.written if name in MatrixFields.model_fields]
            if missing(MatrixFields, self.written, "axes") and (known or not self.written):
                place = self.document.key(self.written, known[0]) if known else self.place
                self.reporter.error("missing-key", "a matrix needs `axes`: names and their lists of values", place)
        elif not isinstance(axes, Mapping):
            if axes is not None:
                self.reporter.error(
                    "wrong-type",
                    wrong_type("a mapping of axis names to lists of values", axes),
                    self.document.value(self.written, "axes"),
                )
        elif not axes:
            self.reporter.error(
                "bad-axis", "a matrix needs at least one axis", self.document.value(self.written, "axes")
            )
        else:
            return self.axis_reader.read(axes)
        return ()

    # Points

    def _points(self, axes: tuple[Axis, ...]) -> tuple[Point, ...]:
        errors = self.reporter.errors
        excludes = [(entry, self._pattern(axes, entry)) for entry in self._entries("exclude")]
        includes = [(entry, self._included(axes, entry)) for entry in self._entries("include")]
        combinations = itertools.product(*(axis.values.values() for axis in axes))
        full = math.prod(len(axis.values) for axis in axes)
        exclusions = _Exclusions([pattern for _, pattern in excludes])
        if self.reporter.errors > errors:
            return tuple(itertools.islice(combinations, self.fields.max_cases))
        if full * (1 + exclusions.kinds) > _MAX_WALK:
            self._too_many(axes, 0, len(includes))
            return tuple(itertools.islice(combinations, self.fields.max_cases))
        points = [point for point in combinations if not exclusions.hold(point)]
        kept = len(points)
        for position in exclusions.unused():
            self.reporter.warning(
                "matches-nothing", "what this excludes is excluded already", self.document.item(*excludes[position][0])
            )
        names = {tuple([value.token for value in point]) for point in points}
        for (entries, index), point in includes:
            tokens = tuple([value.token for value in point])
            if tokens in names:
                self.reporter.error(
                    "colliding-case-id", "this case is in the matrix already", self.document.item(entries, index)
                )
            else:
                names.add(tokens)
                points.append(point)
        if not points:
            self.reporter.error("no-cases", "everything is excluded", self.document.value(self.written, "exclude"))
        if len(points) * self.cases_per_point > self.fields.max_cases:
            self._too_many(axes, full - kept, len(points) - kept)
        return tuple(points[: self.fields.max_cases])

    def _entries(self, key: str) -> list[tuple[Items, int]]:
        entries = self.written.get(key)
        if not isinstance(entries, Items):
            return []  # reported with the fields
        warn_of_rewritten(self.document, self.written, key, self.reporter)
        return [(entries, index) for index in range(len(entries))]

    def _too_many(self, axes: tuple[Axis, ...], excluded: int, included: int) -> None:
        total = math.prod(len(axis.values) for axis in axes) - excluded + included
        terms = " × ".join(f"{axis.name} {len(axis.values):,}" for axis in axes)
        terms += f" − {excluded:,} excluded" if excluded else ""
        terms += f" + {included:,} included" if included else ""
        if self.cases_per_point > 1:
            terms = f"({terms})" if excluded or included else terms
            terms += f" × {self.cases_per_point} targets"
        total *= self.cases_per_point
        told = f"{terms} = {total:,}" if len(axes) > 1 or not terms.endswith(f" {total:,}") else f"{total:,}"
        limit = self.fields.max_cases
        more = (
            f"more than {limit:,}; exclude some, or raise `max_cases`"
            if total > limit
            else "too many to exclude so many of; write fewer"
        )
        place = (
            self.document.value(self.written, "max_cases")
            if "max_cases" in self.written
            else self.document.key(self.written, "axes")
        )
        self.reporter.error("too-many-cases", f"{told} cases, {more}", place)

    def _pattern(self, axes: tuple[Axis, ...], entry: tuple[Items, int], *, exclude: bool = True) -> dict[int, str]:
        """Axis position to token, for the axes an entry names."""
        entries, index = entry
        written = entries[index]
        pattern: dict[int, str] = {}
        if written == {}:
            self.reporter.error("bad-value", "this names no axis", self.document.item(entries, index))
            return pattern
        if not isinstance(written, Mapping):
            self.reporter.error(
                "wrong-type", wrong_type("a mapping of axes to values", written), self.document.item(entries, index)
            )
            return pattern
        names = {axis.name: position for position, axis in enumerate(axes)}
        for name in written:
            if name not in names:
                self.reporter.error(
                    "unknown-axis",
                    unknown(f"`{shorten(name, 40)}` is not an axis of this matrix", name, names),
                    self.document.key(written, name),
                )
                continue
            found = axes[names[name]].find(written[name])
            if found is not None:
                pattern[names[name]] = found.token
            elif exclude:
                self._no_value(axes[names[name]], written)
        return pattern

    def _no_value(self, axis: Axis, written: Mapping) -> None:
        value = written[axis.name]
        said = f'"{shorten(value, 40)}"' if isinstance(value, str) else describe(value)
        hint = near_miss(value, axis.values) if isinstance(value, str) else ""
        detail = f"{said} is no value of axis `{axis.name}`; {hint or 'it has ' + one_of(axis.values)}"
        self.reporter.error("matches-nothing", detail, self.document.value(written, axis.name))

    def _included(self, axes: tuple[Axis, ...], entry: tuple[Items, int]) -> Point:
        entries, index = entry
        written = entries[index]
        self._pattern(axes, entry, exclude=False)
        if not isinstance(written, Mapping):
            return ()
        missing = [axis.name for axis in axes if axis.name not in written]
        if missing:
            self.reporter.error(
                "missing-key",
                f"an include names every axis; {one_of(missing)} is missing",
                self.document.item(entries, index),
            )
        values: list[AxisValue] = []
        for axis in axes:
            if axis.name not in written:
                continue
            value = axis.find(written[axis.name])
            if (
                value is None
                and not isinstance(written[axis.name], dict)
                and all(isinstance(known.value, dict) for known in axis.values.values())
            ):
                self._no_value(axis, written)  # an id that no mapping has
            elif value is None:
                value = self.axis_reader.value(written[axis.name], partial(self.document.value, written, axis.name))
            if value is not None:
                values.append(value)
        return tuple(values)


class _Exclusions:
    """Patterns (axis position to token) grouped by the axes they name: a point is looked up once for each group."""

    def __init__(self, patterns: list[dict[int, str]]) -> None:
        self._groups: dict[tuple[int, ...], dict[tuple[str, ...], int]] = {}
        self._unused = set(range(len(patterns)))
        for number, pattern in enumerate(patterns):
            axes = tuple(sorted(pattern))
            self._groups.setdefault(axes, {}).setdefault(tuple(pattern[axis] for axis in axes), number)

    @property
    def kinds(self) -> int:
        return len(self._groups)

    def hold(self, point: Point) -> bool:
        """Whether a pattern excludes the point; the first that does is used."""
        found = [
            number
            for axes, numbers in self._groups.items()
            if (number := numbers.get(tuple([point[axis].token for axis in axes]))) is not None
        ]
        if found:
            self._unused.discard(min(found))
        return bool(found)

    def unused(self) -> list[int]:
        """Numbers of the patterns that excluded nothing that an earlier one left."""
        return sorted(self._unused)
