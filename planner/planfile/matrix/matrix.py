"""Axes to points: the combinations, less what is excluded, and what is included besides."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from planner.diagnostics import Related, Span
from planner.planfile.grammar.field_errors import wrong_type
from planner.planfile.grammar.fields import missing
from planner.planfile.grammar.models import MAX_CASES, MatrixFields
from planner.planfile.matrix.axes import Axis, AxisReader, AxisValue
from planner.planfile.matrix.exclusions import Exclusions
from planner.planfile.matrix.pairs_allowed import TooMuchSearchError
from planner.planfile.matrix.pairwise import Row, fewest_rows, pairwise
from planner.planfile.reporter import Reporter
from planner.planfile.text import describe, one_of, shorten, unknown
from planner.planfile.unresolved import Use
from planner.planfile.yaml.document import Document, Items, Mapping
from planner.planfile.yaml.numbers import warn_of_rewritten

_MAX_WALK = 1_000_000
"""Combinations, times the kinds of exclusions to look for in each: a second's work."""
_SAMPLE = 500
"""Cases that are looked at for more faults where there are too many, or which they are cannot be told."""

_PAIR = 2
_GIVEN_UP = 1_000_000
"""Work that a pairwise table took which was too much work."""

Point = tuple[AxisValue, ...]
"""A value for each axis, in the order of the axes."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Without axes there is one point: the empty one."""

    axes: tuple[Axis, ...] = ()
    points: tuple[Point, ...] = ((),)


@dataclass(frozen=True, slots=True)
class _Terms:
    """How many points there are before exclusions, and how that comes about, axis by axis."""

    shown: str
    total: int
    before: str = ""
    """What stands before the sum."""


def _fewer(total: int, *, in_pairs: bool) -> str:
    pairs = "" if in_pairs else "use `strategy: pairwise`, "
    return f"{pairs}exclude some, or {'raise `max_cases`' if total <= MAX_CASES else 'make several scenarios of it'}"


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
        self._new_values: dict[tuple[str, str], AxisValue] = {}
        """By axis and token, values that only `include` has."""
        self.unknown_axes: dict[str, list[Use]] = {}
        """Names in `exclude` and `include` that are no axes; its caller reports them."""

    def read(self) -> Matrix:
        """The matrix; where there are faults, what is left of it without them, so that more can be found."""
        errors = self.reporter.errors
        axes = self._axes()
        if self.reporter.errors > errors or not axes:
            if axes or self.axis_reader.faulty:
                self._report_entries(axes)
            return Matrix(axes, self._some(axes))
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

    def _report_entries(self, axes: tuple[Axis, ...]) -> None:
        """What is wrong with `exclude` and `include` whatever the axes with faults are."""
        for entry in self._entries("exclude"):
            self._pattern(axes, entry)
        for entry in self._entries("include"):
            self._included(axes, entry)

    # Points

    def _points(self, axes: tuple[Axis, ...]) -> tuple[Point, ...]:
        errors = self.reporter.errors
        excludes = self._entries("exclude")
        includes = self._entries("include")
        exclusions = Exclusions([self._pattern(axes, entry) for entry in excludes])
        included = [self._included(axes, entry) for entry in includes]
        if self.reporter.errors > errors:
            return self._some(axes)
        # Of less than three axes every pair is every combination.
        in_pairs = self.fields.strategy == "pairwise" and len(axes) > _PAIR
        made = (self._pairs if in_pairs else self._combinations)(axes, exclusions, len(includes))
        if made is None:
            return self._some(axes)
        points, terms = made
        self._warn_of_repeats(exclusions, excludes, walked=not in_pairs)
        names = {tuple([value.token for value in point]) for point in points}
        kept = len(points)
        for (entries, index), point in zip(includes, included, strict=True):
            tokens = tuple([value.token for value in point])
            excluding = exclusions.named(point)
            if excluding is not None:
                self.reporter.error(
                    "contradiction",
                    "this case is included and excluded; remove one",
                    self.document.value(entries, index),
                    Related("excluded", self.document.value(*excludes[excluding])),
                )
            elif tokens not in names:
                names.add(tokens)
                points.append(point)
            elif not in_pairs or tokens in {tuple([value.token for value in other]) for other in points[kept:]}:
                # A table of pairs may have the case or not: there, including it makes sure that it does.
                self.reporter.error(
                    "colliding-case-id", "this case is in the matrix already", self.document.value(entries, index)
                )
        if points and excludes:
            self._warn_of_unused(axes, points)
        if not points:
            self.reporter.error("no-cases", "everything is excluded", self.document.value(self.written, "exclude"))
        if len(points) * self.cases_per_point > self.fields.max_cases:
            self._too_many(terms, kept, len(points) - kept)
            return tuple(points[:_SAMPLE])
        return tuple(points)

    def _some(self, axes: tuple[Axis, ...]) -> tuple[Point, ...]:
        """Points to find more faults with, where those that are meant cannot be told."""
        combinations = itertools.product(*(axis.values.values() for axis in axes))
        return tuple(itertools.islice(combinations, _SAMPLE))

    def _combinations(
        self, axes: tuple[Axis, ...], exclusions: Exclusions, included: int
    ) -> tuple[list[Point], _Terms] | None:
        """All combinations that are not excluded; None, and a fault, where they are too many to look at."""
        total = math.prod(len(axis.values) for axis in axes)
        terms = _Terms(" × ".join(f"{axis.name} {len(axis.values):,}" for axis in axes), total)
        hopeless = not exclusions.kinds and total * self.cases_per_point > self.fields.max_cases
        if hopeless or total * (1 + exclusions.kinds) > _MAX_WALK:
            self._too_many(terms, total, included)
            return None
        combinations = itertools.product(*(axis.values.values() for axis in axes))
        points = [point for point in combinations if not exclusions.hold(point)]
        return points, terms

    def _pairs(
        self, axes: tuple[Axis, ...], exclusions: Exclusions, included: int
    ) -> tuple[list[Point], _Terms] | None:
        """Combinations with every pair of values; None, and an error, where they are too many."""
        shown = f"every pair of {', '.join(f'{axis.name} {len(axis.values):,}' for axis in axes)} takes "
        rows = self._rows(axes, exclusions)
        if rows is None:
            least = fewest_rows([len(axis.values) for axis in axes])
            bound = "about" if exclusions.patterns else "at least"
            self._too_many(_Terms(f"{bound} {least:,}", least, before=shown), least, included)
            return None
        values = [list(axis.values.values()) for axis in axes]
        points = [tuple([values[axis][value] for axis, value in enumerate(row)]) for row in rows]
        return points, _Terms(f"{len(rows):,}", len(rows), before=shown)

    def _rows(self, axes: tuple[Axis, ...], exclusions: Exclusions) -> tuple[Row, ...] | None:
        """A pairwise table of the axes' positions; None where it would be too large, or too much work.

        The work for all tables of one loading is bounded.
        """
        sizes = [len(axis.values) for axis in axes]
        if not exclusions.patterns and fewest_rows(sizes) * self.cases_per_point > self.fields.max_cases:
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
        return table.rows

    def _warn_of_repeats(self, exclusions: Exclusions, excludes: list[tuple[Items, int]], *, walked: bool) -> None:
        repeated = exclusions.repeated()
        for number in sorted({*repeated, *(exclusions.unused() if walked else ())}):
            by = [Related("by this", self.document.value(*excludes[repeated[number]]))] if number in repeated else []
            place = self.document.value(*excludes[number])
            self.reporter.warning("matches-nothing", "what this excludes is excluded already", place, *by)

    def _warn_of_unused(self, axes: tuple[Axis, ...], points: list[Point]) -> None:
        """Of values written here: those of a file may be used elsewhere."""
        for position, axis in enumerate(axes):
            left = {point[position].token for point in points}
            for value in axis.values.values():
                if value.token not in left and value.place().file == self.document.source.file:
                    detail = f"every case with this value of `{axis.name}` is excluded; remove it from the axis"
                    self.reporter.warning("unused-value", detail, value.place())

    def _entries(self, key: str) -> list[tuple[Items, int]]:
        entries = self.written.get(key)
        if not isinstance(entries, Items):
            return []  # reported with the fields
        warn_of_rewritten(self.document, self.written, key, self.reporter)
        return [(entries, index) for index in range(len(entries))]

    def _too_many(self, terms: _Terms, kept: int, included: int) -> None:
        """Show the sum. `kept` are the points that exclusions leave."""
        if self.written.get("max_cases", self.fields.max_cases) != self.fields.max_cases:
            return  # it could not be read, which was reported: how many there may be is not known
        shown = terms.shown
        excluded = terms.total - kept
        shown += (
            f" − {excluded:,} excluded" if excluded > 0 else f" + {-excluded:,} around exclusions" if excluded else ""
        )
        shown += f" + {included:,} included" if included else ""
        if self.cases_per_point > 1:
            shown = f"({shown})" if " + " in shown or " − " in shown else shown
            shown += f" × {self.cases_per_point} targets"
        total = (kept + included) * self.cases_per_point
        told = f"{shown} = {total:,}" if set(shown) & set("×+−") else f"{total:,}"
        limit = self.fields.max_cases
        more = (
            f"more than {limit:,}; {_fewer(total, in_pairs=bool(terms.before))}"
            if total > limit
            else "which takes too long to find; write fewer axes, values or exclusions"
            if terms.before
            else "too many to exclude so many of; write fewer"
        )
        place = (
            self.document.value(self.written, "max_cases")
            if "max_cases" in self.written
            else self.document.key(self.written, "axes")
        )
        self.reporter.error("too-many-cases", f"{terms.before}{told} cases, {more}", place)

    def _pattern(self, axes: tuple[Axis, ...], entry: tuple[Items, int], *, exclude: bool = True) -> dict[int, str]:
        """Axis position to token, for the axes an entry names."""
        entries, index = entry
        written = entries[index]
        pattern: dict[int, str] = {}
        if written == {}:
            self.reporter.error("bad-value", "this names no axis", self.document.value(entries, index))
            return pattern
        if not isinstance(written, Mapping):
            self.reporter.error(
                "wrong-type", wrong_type("a mapping of axes to values", written), self.document.value(entries, index)
            )
            return pattern
        names = {axis.name: position for position, axis in enumerate(axes)}
        for name in written:
            if name in self.axis_reader.faulty:
                continue
            if name not in names:
                found = f"`{shorten(name, 40)}` is not an axis of this matrix"
                detail = "" if name in self.unknown_axes else unknown(found, name, names, self.reporter.searches)
                use = Use("unknown-axis", detail, self.document.key(written, name))
                self.unknown_axes.setdefault(name, []).append(use)
                self.reporter.errors += 1  # reported with what templates use
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
        meant = self.reporter.searches.nearest(value, axis.values) if isinstance(value, str) else None
        hint = f"did you mean `{meant}`?" if meant is not None else f"it has {one_of(axis.values)}"
        if isinstance(value, list):
            hint = "write an entry of its own for each value"
        detail = f"{said} is no value of axis `{axis.name}`; {hint}"
        self.reporter.error("matches-nothing", detail, self.document.value(written, axis.name))

    def _with_one_content(self, axis: Axis, value: AxisValue, written: Mapping) -> AxisValue:
        """What this id means already, if it does. Another content under it is a fault: one name would be two values."""
        content = written[axis.name]
        first = self._new_values.setdefault((axis.name, value.token), value)
        known = axis.values.get(value.token, first)
        if isinstance(content, Mapping) and list(content) != ["id"] and content != known.value:
            name = shorten(value.token, 40)
            detail = (
                f"`{name}` is another value of `{axis.name}` already; write {{id: {name}}} for that one, or another id"
            )
            place = self.document.value(written, axis.name)
            self.reporter.error("colliding-case-id", detail, place, Related("the first one", known.place()))
        return known

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
                self.document.value(entries, index),
            )
        values: list[AxisValue] = []
        for axis in axes:
            if axis.name not in written or axis.name in self.axis_reader.faulty:
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
                values.append(self._with_one_content(axis, value, written))
        return tuple(values)
