"""What is at fault where a case cannot be made: the value of an axis, or the text that uses it.

A text that cannot be used with some values of an axis, and can with the others, is right: the values are not. That is known
when all cases of a scenario were tried, so that faults are kept until then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from planner.diagnostics import Related, Span
from planner.planfile.matrix import Axis, Point
from planner.planfile.reporter import Reporter, Said, first_few
from planner.planfile.text import shorten

MAX_VALUES = 10
"""Values of one axis that are told one by one."""
MAX_TEXTS = 50
"""Texts of one scenario of which it is found out; of all others the text is told, and the first case."""
MAX_WORK = 200_000
"""Points that are looked at for all of these texts together."""

_RENDERING = "template-"
"""Faults of rendering have codes that begin so; all others are of what was rendered."""


@dataclass(slots=True)
class _Failing:
    """A text that cannot be used in some cases. `axes` are positions; `details` by the tokens of these axes' values."""

    said: Said
    code: str
    place: Span
    user: Span | None
    axes: list[int]
    alone: bool
    route: Sequence[str]
    which: str
    details: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def hides(self, other: _Failing) -> bool:
        """Whether the other fault is not found where this one is: what cannot be rendered is rendered, and looked at, no further."""
        before = self.place < other.place or not other.code.startswith(_RENDERING)
        return self.said is other.said and self.code.startswith(_RENDERING) and before


@dataclass(slots=True)
class _Blamed:
    """A value, and what is said of it the first time."""

    code: str
    detail: str
    users: list[Related] = field(default_factory=list[Related])


@dataclass(slots=True)
class Blame:
    """Of one scenario. `point` and `which`, the case that is being made, are set by whoever makes it."""

    reporter: Reporter
    axes: Sequence[Axis]
    points: Sequence[Point]
    point: Point = ()
    which: str = ""
    _failing: dict[tuple[int, str, Span], _Failing] = field(default_factory=lambda: {})  # noqa: PIE807 - typed, as dict[…] is, which takes longer

    def fault(
        self,
        said: Said,
        code: str,
        detail: str,
        place: Span,
        names: Collection[str],
        *,
        user: Span | None = None,
        alone: bool = False,
        route: Sequence[str] = (),
    ) -> None:
        """A text at `place` that uses these names cannot be used in this case.

        `alone`: the one value is all of it, or what the `route` in it leads to is.
        """
        self.reporter.errors += 1
        if not self.reporter.doubted_variables.isdisjoint(names):
            return
        key = (id(said), code, place)
        failing = self._failing.get(key)
        if failing is None:
            axes = [position for position, axis in enumerate(self.axes) if axis.name in names]
            if not axes or len(self._failing) >= min(MAX_TEXTS, 1 + MAX_WORK // len(self.points)):
                self.reporter.error_once(said, code, detail + (self.which if axes else ""), place, user)
                return
            failing = self._failing[key] = _Failing(said, code, place, user, axes, alone, route, self.which)
        tokens = _tokens(self.point, failing.axes)
        failing.details.setdefault(tokens, detail)

    def report(self) -> None:
        """When all cases were tried."""
        blamed: dict[Span, _Blamed] = {}
        for failing in self._failing.values():
            position = self._at_fault(failing)
            if position is None:
                detail = next(iter(failing.details.values()))
                self.reporter.error_once(
                    failing.said, failing.code, detail + failing.which, failing.place, failing.user
                )
            else:
                self._blame(failing, position, blamed)
        self._failing.clear()
        for place, found in blamed.items():
            self.reporter.error(found.code, found.detail, place, *first_few(found.users))

    def _at_fault(self, failing: _Failing) -> int | None:
        """The position among the text's axes of the one whose value decides alone whether the text can be used."""
        axes = failing.axes
        hiding = [failing, *(other for other in self._failing.values() if other.hides(failing))]
        sound = {
            _tokens(point, axes)
            for point in self.points
            if not any(_tokens(point, other.axes) in other.details for other in hiding)
        }
        for position in range(len(axes)):
            wrong = {tokens[position] for tokens in failing.details}
            right = {tokens[position] for tokens in sound}
            if wrong.isdisjoint(right) and (right or (failing.alone and len(wrong) == 1)):
                return position
        return None

    def _blame(self, failing: _Failing, position: int, blamed: dict[Span, _Blamed]) -> None:
        axis = self.axes[failing.axes[position]]
        values = {point[failing.axes[position]].token: point[failing.axes[position]] for point in self.points}
        details: dict[str, str] = {}
        for tokens, detail in failing.details.items():
            details.setdefault(tokens[position], detail)
        more = len(details) - MAX_VALUES
        for number, token in enumerate(list(details)[:MAX_VALUES], start=1):
            told = details[token] if failing.alone else f"with this value: {details[token]}"
            if more > 0 and number == MAX_VALUES:
                told += f"; so it is with {more:,} more values of `{shorten(axis.name, 40)}`"
            found = blamed.setdefault(values[token].part(failing.route), _Blamed(failing.code, told))
            found.users.append(Related("used here", failing.place))
            if failing.user is not None:
                found.users.append(Related("used by the plan here", failing.user))


def _tokens(point: Point, axes: Sequence[int]) -> tuple[str, ...]:
    return tuple([point[position].token for position in axes])
