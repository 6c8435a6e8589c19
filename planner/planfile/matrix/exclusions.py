"""What `exclude` takes out of a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.planfile.matrix.axes import AxisValue

_MAX_COMPARED = 1_000_000

Pattern = Mapping[int, str]
"""Position of an axis to the token of its value; axes that are not named may have any."""


class Exclusions:
    """Patterns grouped by the axes they name: a point is looked up once for each group."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = patterns
        self._groups: dict[tuple[int, ...], dict[tuple[str, ...], int]] = {}
        self._unused = set(range(len(patterns)))
        for number, pattern in enumerate(patterns):
            axes = tuple(sorted(pattern))
            self._groups.setdefault(axes, {}).setdefault(tuple(pattern[axis] for axis in axes), number)

    @property
    def kinds(self) -> int:
        return len(self._groups)

    def hold(self, point: Sequence[AxisValue]) -> bool:
        """Whether a pattern excludes the point; the first that does is used."""
        found = [
            number
            for axes, numbers in self._groups.items()
            if (number := numbers.get(tuple([point[axis].token for axis in axes]))) is not None
        ]
        if found:
            self._unused.discard(min(found))
        return bool(found)

    def named(self, point: Sequence[AxisValue]) -> int | None:
        """The pattern that names every axis with the values of this point."""
        return self._groups.get(tuple(range(len(point))), {}).get(tuple([value.token for value in point]))

    def repeated(self) -> dict[int, int]:
        """Patterns to another one that excludes all they do; of two that are equal, the later to the earlier.

        Looks no further than is affordable: some may be missing.
        """
        found: dict[int, int] = {}
        if len(self.patterns) * self.kinds > _MAX_COMPARED:
            return found
        for number, pattern in enumerate(self.patterns):
            for axes, numbers in self._groups.items():
                if len(axes) <= len(pattern) and all(axis in pattern for axis in axes):
                    other = numbers.get(tuple([pattern[axis] for axis in axes]))
                    if other is not None and other != number:
                        found[number] = other
        return found

    def unused(self) -> list[int]:
        """Numbers of the patterns that excluded no point that an earlier one left, after all points were asked about."""
        return sorted(self._unused)
