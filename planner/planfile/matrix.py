"""Axes to points: the combinations, without those in `exclude` and with those in `include`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from planner.diagnostics import Related, Span
from planner.planfile.axes import Axis, AxisReader, AxisValue
from planner.planfile.fields import missing, wrong_type
from planner.planfile.grammar import MatrixFields
from planner.planfile.pairwise import TooMuchSearchError, fewest_rows, pairwise
from planner.planfile.reporter import Unresolved, Use
from planner.planfile.text import describe, one_of, shorten, unknown
from planner.planfile.yaml.document import Items, YamlMapping
from planner.planfile.yaml.reader import warn_of_rewritten

_MAX_WALK = 1_000_000
"""Maximum of combinations × kinds of exclusions, which takes about a second."""
_SAMPLE = 500
"""Number of cases that are checked for further errors if the cases are unknown or too many."""
_PAIR = 2
_GIVEN_UP = 1_000_000
"""Work spent on a pairwise table that was abandoned."""

Point = tuple[AxisValue, ...]
"""A value for each axis, in the order of the axes."""
Pattern = dict[int, str]
"""Position of an axis to the token of its value; the other axes may have any value."""


class Matrix(NamedTuple):
    """Without axes there is one point: the empty one."""

    axes: tuple[Axis, ...] = ()
    points: tuple[Point, ...] = ((),)


class Exclusions:
    """Patterns grouped by the axes they name: a point is looked up once for each group."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = patterns
        self.groups: dict[tuple[int, ...], dict[tuple[str, ...], int]] = {}
        for number, pattern in enumerate(patterns):
            axes = tuple(sorted(pattern))
            self.groups.setdefault(axes, {}).setdefault(tuple([pattern[axis] for axis in axes]), number)

    def hold(self, point: Point) -> bool:
        """Whether a pattern excludes the point."""
        return any(tuple([point[axis].token for axis in axes]) in numbers for axes, numbers in self.groups.items())

    def named(self, point: Point) -> int | None:
        """The pattern that names every axis with the values of this point."""
        return self.groups.get(tuple(range(len(point))), {}).get(tuple([value.token for value in point]))


class MatrixReader:
    """Reads one scenario's matrix; every point makes `cases_per_point` cases."""

    def __init__(
        self,
        written: YamlMapping,
        fields: MatrixFields,
        axes: AxisReader,
        unresolved: Unresolved,
        *,
        cases_per_point: int,
    ) -> None:
        self.written = written
        self.fields = fields
        self.max_cases = min(fields.max_cases, axes.files.max_cases)
        self.axis_reader = axes
        self.reporter = axes.reporter
        self.unresolved = unresolved
        """For names in `exclude` and `include` that are no axes."""
        self.cases_per_point = cases_per_point
        self._new_values: dict[tuple[str, str], AxisValue] = {}
        """By axis and token, values that only `include` has."""

    def read(self, place: Span) -> Matrix:
        """The matrix under the key at `place`; after errors, what is left of it, so that more can be found."""
        errors = self.reporter.errors
        axes = self._axes(place)
        excludes, includes = self._entries("exclude"), self._entries("include")
        if self.reporter.errors > errors or not axes:
            if axes or self.axis_reader.faulty:
                for index in range(len(excludes)):
                    self._pattern(axes, excludes, index)
                for index in range(len(includes)):
                    self._included(axes, includes, index)
            return Matrix(axes, self._some(axes))
        return Matrix(axes, self._points(axes, excludes, includes))

    def _axes(self, place: Span) -> tuple[Axis, ...]:
        axes: Any = self.written.get("axes")
        report = self.reporter.error
        if "axes" not in self.written:
            known = [name for name in self.written if name in MatrixFields.model_fields]
            if missing(MatrixFields, self.written, "axes") and (known or not self.written):
                place = self.written.key_span(known[0]) if known else place
                report("missing-key", "a matrix needs `axes`: names and their lists of values", place)
        elif isinstance(axes, YamlMapping) and axes:
            return self.axis_reader.read(axes)
        elif isinstance(axes, YamlMapping):
            report("bad-axis", "a matrix needs at least one axis", self.written.span("axes"))
        elif axes is not None:
            detail = wrong_type("a mapping of axis names to lists of values", axes)
            report("wrong-type", detail, self.written.span("axes"))
        return ()

    # Points

    def _points(self, axes: tuple[Axis, ...], excludes: Items, includes: Items) -> tuple[Point, ...]:
        errors = self.reporter.errors
        exclusions = Exclusions([self._pattern(axes, excludes, index) for index in range(len(excludes))])
        included = [self._included(axes, includes, index) for index in range(len(includes))]
        if self.reporter.errors > errors:
            return self._some(axes)
        # Of less than three axes every pair is every combination.
        in_pairs = self.fields.strategy == "pairwise" and len(axes) > _PAIR
        points = (self._pairs if in_pairs else self._combinations)(axes, exclusions)
        if points is None:
            sizes = [len(axis.values) for axis in axes]
            self._too_many(axes, fewest_rows(sizes) if in_pairs else math.prod(sizes), "about ")
            return self._some(axes)
        names = {_tokens(point) for point in points}
        kept = len(points)
        for index, point in enumerate(included):
            excluding = exclusions.named(point)
            place = includes.span(index)
            if excluding is not None:
                related = Related("excluded", excludes.span(excluding))
                self.reporter.error("contradiction", "this case is included and excluded; remove one", place, related)
            elif _tokens(point) not in names:
                names.add(_tokens(point))
                points.append(point)
            elif not in_pairs or _tokens(point) in map(_tokens, points[kept:]):
                # A table of pairs may have the case or not: including it makes sure that it does.
                self.reporter.error("colliding-case-id", "this case is in the matrix already", place)
        if not points:
            self.reporter.error(
                "no-cases", "this excludes every combination; exclude fewer", self.written.span("exclude")
            )
        if len(points) * self.cases_per_point > self.max_cases:
            self._too_many(axes, len(points))
            return tuple(points[:_SAMPLE])
        return tuple(points)

    def _some(self, axes: tuple[Axis, ...]) -> tuple[Point, ...]:
        return tuple(itertools.islice(_products(axes), _SAMPLE))

    def _combinations(self, axes: tuple[Axis, ...], exclusions: Exclusions) -> list[Point] | None:
        """All combinations that are not excluded; None if there are too many."""
        total = math.prod(len(axis.values) for axis in axes)
        hopeless = not exclusions.groups and total * self.cases_per_point > self.max_cases
        if hopeless or total * (1 + len(exclusions.groups)) > _MAX_WALK:
            return None
        return [point for point in _products(axes) if not exclusions.hold(point)]

    def _pairs(self, axes: tuple[Axis, ...], exclusions: Exclusions) -> list[Point] | None:
        """Combinations with every pair of values; None if they would be too many, or too much work.

        The work for all tables that are loaded together is bounded.
        """
        sizes = [len(axis.values) for axis in axes]
        if not exclusions.patterns and fewest_rows(sizes) * self.cases_per_point > self.max_cases:
            return None
        positions = [{token: position for position, token in enumerate(axis.values)} for axis in axes]
        patterns = [
            {axis: positions[axis][token] for axis, token in pattern.items()} for pattern in exclusions.patterns
        ]
        key = repr((sizes, patterns))
        if key not in self.reporter.tables and self.reporter.tables_room < 0:
            return None
        try:
            table = pairwise(sizes, patterns)
        except TooMuchSearchError:
            self.reporter.tables_room -= _GIVEN_UP
            return None
        if key not in self.reporter.tables:
            self.reporter.tables.add(key)
            self.reporter.tables_room -= table.looks
        values = [list(axis.values.values()) for axis in axes]
        return [tuple([values[axis][value] for axis, value in enumerate(row)]) for row in table.rows]

    def _sizes(self, axes: tuple[Axis, ...]) -> str:
        """`mood: 2 × order: 300 × targets: 2`"""
        sizes = [f"{axis.name}: {len(axis.values):,}" for axis in axes]
        sizes += [f"targets: {self.cases_per_point}"] if self.cases_per_point > 1 else []
        return " × ".join(sizes)

    def _too_many(self, axes: tuple[Axis, ...], points: int, about: str = "") -> None:
        limit = self.max_cases
        if self.written.get("max_cases", self.fields.max_cases) != self.fields.max_cases:
            return  # it could not be read, which was reported
        cases = points * self.cases_per_point
        if cases <= limit:
            advice = "but finding them takes too long; write fewer axes, values or exclusions"
        else:
            in_pairs = self.fields.strategy == "pairwise"
            raised = "`max_cases`" if limit == self.fields.max_cases else "policy.max_calls"
            fewer = f"exclude some, or raise {raised}"
            advice = f"more than {limit:,}; {'' if in_pairs else 'use `strategy: pairwise`, '}{fewer}"
        is_set = "max_cases" in self.written
        place = self.written.span("max_cases") if is_set else self.written.key_span("axes")
        self.reporter.error(
            "too-many-cases", f"this makes {about}{cases:,} cases ({self._sizes(axes)}), {advice}", place
        )

    # Exclusions and inclusions

    def _entries(self, key: str) -> Items:
        entries = self.written.get(key)
        if not isinstance(entries, Items):
            return Items()  # reported with the fields
        warn_of_rewritten(self.written, key, self.reporter)
        return entries

    def _pattern(self, axes: tuple[Axis, ...], entries: Items, index: int, *, exclude: bool = True) -> Pattern:
        """The axes that an entry names."""
        written = entries[index]
        pattern: Pattern = {}
        if not written or not isinstance(written, YamlMapping):
            code, detail = "bad-value", "this names no axis"
            if written != {}:
                code, detail = "wrong-type", wrong_type("a mapping of axes to values", written)
            self.reporter.error(code, detail, entries.span(index))
            return pattern
        names = {axis.name: position for position, axis in enumerate(axes)}
        for name in written:
            if name in self.axis_reader.faulty:
                continue
            if name not in names:
                what = f"`{shorten(name, 40)}` is not an axis of this matrix"
                message = partial(unknown, what, name, names, self.reporter.searches)
                self.unresolved.add(name, Use("unknown-axis", written.key_span(name)), message)
                continue
            found = axes[names[name]].find(written[name])
            if found is not None:
                pattern[names[name]] = found.token
            elif exclude:
                self._no_value(axes[names[name]], written)
        return pattern

    def _no_value(self, axis: Axis, written: YamlMapping) -> None:
        value = written[axis.name]
        meant = self.reporter.searches.nearest(value, axis.values) if isinstance(value, str) else None
        hint = f"did you mean `{meant}`?" if meant is not None else f"it has {one_of(axis.values)}"
        detail = f"{describe(value)} is not a value of axis `{axis.name}`; {hint}"
        self.reporter.error("matches-nothing", detail, written.span(axis.name))

    def _included(self, axes: tuple[Axis, ...], entries: Items, index: int) -> Point:
        written = entries[index]
        self._pattern(axes, entries, index, exclude=False)
        if not isinstance(written, YamlMapping):
            return ()
        lacking = [axis.name for axis in axes if axis.name not in written]
        if lacking:
            detail = f"an include names every axis; {one_of(lacking)} is missing"
            self.reporter.error("missing-key", detail, entries.span(index))
        values: list[AxisValue] = []
        for axis in axes:
            if axis.name not in written or axis.name in self.axis_reader.faulty:
                continue
            content = written[axis.name]
            value = axis.find(content)
            has_ids = all(isinstance(known.value, dict) for known in axis.values.values())
            if value is None and has_ids and not isinstance(content, dict):
                self._no_value(axis, written)  # an id that no mapping has
            elif value is None:
                value = self.axis_reader.value(content, partial(written.span, axis.name))
            if value is not None:
                values.append(self._known_value(axis, value, written))
        return tuple(values)

    def _known_value(self, axis: Axis, value: AxisValue, written: YamlMapping) -> AxisValue:
        """The value that has this id already, if any. Another content under the id is an error."""
        content = written[axis.name]
        first = self._new_values.setdefault((axis.name, value.token), value)
        known = axis.values.get(value.token, first)
        if isinstance(content, YamlMapping) and list(content) != ["id"] and content != known.value:
            name = shorten(value.token, 40)
            detail = f"`{name}` is another value of `{axis.name}`; write {{id: {name}}} for that one, or another id"
            place = written.span(axis.name)
            self.reporter.error("colliding-case-id", detail, place, Related("the first one", known.place()))
        return known


def _tokens(point: Point) -> tuple[str, ...]:
    return tuple([value.token for value in point])


def _products(axes: tuple[Axis, ...]) -> itertools.product[Point]:
    return itertools.product(*(axis.values.values() for axis in axes))
