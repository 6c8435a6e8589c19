"""Covering tables: rows in which every pair of values of two axes occurs, and which stay when an axis grows.

A table is a function of the axes' sizes and the exclusions alone, so that everybody who reads a plan gets the same cases.
Libraries make smaller tables where many axes are long, but other ones with each release or each value more, and a row that
is replaced is a call to pay for again. Here

* the first `stable_from` values of each axis make a table of their own, greedily (AETG: the value that covers most new
  pairs, axis by axis);
* every further value adds rows that have it and such first values besides: as many as the longest other axis has first values;
* and so does every pair of further values: one row.

No row depends on values after its own. So a value that is appended to an axis which has `stable_from` of them already only
adds rows, whatever was appended to other axes before or is later; fewer rows cannot do that: each of those pairs may be
all that was appended. What changes rows is removing, inserting or reordering values or axes, other exclusions, and, for
pairs that exclusions leave no row of first values, any further value.

Values are numbers here: positions in their axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

from planner.spec.matrices.pairs_allowed import Allowed, Pattern

Row = tuple[int, ...]
_MAX_ATTEMPTS = 16
_MAX_TRIED = 2_000
"""First values of all axes, times attempts: making a table takes time that grows with the square of the former."""


class TooManyRowsError(Exception):
    """The table has more rows than are wanted."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Rows of a table without exclusions: of the first values of all axes, and what each axis' further values add."""

    first: int
    added: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.first + sum(self.added)


def growth(sizes: Sequence[int], stable_from: int) -> Growth:
    """How many rows `pairwise` makes without exclusions, without making the further ones."""
    firsts = tuple(min(size, stable_from) for size in sizes)
    return Growth(_first(firsts), further_rows(sizes, stable_from))


def further_rows(sizes: Sequence[int], stable_from: int) -> tuple[int, ...]:
    """How many of them the values of each axis after its first ones add."""
    firsts = [min(size, stable_from) for size in sizes]
    further = [size - first for size, first in zip(sizes, firsts, strict=True)]
    return tuple(
        more * (max([*firsts[:axis], *firsts[axis + 1 :]], default=1) + sum(further[:axis]))
        for axis, more in enumerate(further)
    )


@lru_cache(maxsize=256)
def _first(sizes: tuple[int, ...]) -> int:
    """How many rows the table of all these values has."""
    return len(pairwise(sizes, (), max(sizes)))


def pairwise(
    sizes: Sequence[int], exclusions: Sequence[Pattern], stable_from: int, max_rows: int | None = None
) -> list[Row]:
    """Rows with every pair of values that some allowed row can have, none of them excluded, in order; of two axes or more.

    Raises `TooManyRowsError` and `TooMuchSearchError`.
    """
    rows: set[Row] = set()
    for row in _Table(sizes, exclusions, stable_from).rows():
        rows.add(row)
        if max_rows is not None and len(rows) > max_rows:
            raise TooManyRowsError
    return sorted(rows)


class _Table:
    def __init__(self, sizes: Sequence[int], exclusions: Sequence[Pattern], stable_from: int) -> None:
        self.axes = range(len(sizes))
        self.all = [range(size) for size in sizes]
        self.firsts = [range(min(size, stable_from)) for size in sizes]
        self.allowed = Allowed(sizes, exclusions)
        self.has_exclusions = bool(exclusions)
        self.impossible: list[Pattern] = []
        """Pairs of first values that no row can have, so that not every attempt at their table finds them out anew."""
        self.ties = [0] * len(sizes)
        """For each axis, how many patterns of first values name it: those with many are filled first, before it is too late."""
        for pattern in exclusions:
            for axis in pattern:
                self.ties[axis] += all(value < stable_from for value in pattern.values())

    def rows(self) -> Iterator[Row]:
        made = list(self._first_rows())
        yield from made
        for row in self._further_rows():
            made.append(row)
            yield row
        if self.has_exclusions:
            yield from self._rows_for_the_rest(made)

    def _first_rows(self) -> Sequence[Row]:
        """The first values' own table, the smallest of a few: which ties to break how cannot be foretold."""
        pairs = list(combinations(self.axes, 2))
        attempts = max(1, min(_MAX_ATTEMPTS, _MAX_TRIED // sum(map(len, self.firsts))))
        return min((self._cover(self.firsts, pairs, seed, self.impossible) for seed in range(attempts)), key=len)

    def _further_rows(self) -> Iterator[Row]:
        further = [values[len(first) :] for values, first in zip(self.all, self.firsts, strict=True)]
        for axis in self.axes:
            for value in further[axis]:
                box = [*self.firsts[:axis], range(value, value + 1), *self.firsts[axis + 1 :]]
                yield from self._cover(box, [(axis, other) for other in self.axes if other != axis])
        for axis, other in combinations(self.axes, 2):
            for value, another in product(further[axis], further[other]):
                row = self._row({axis: value, other: another}, self.firsts)
                if row is not None:
                    yield row

    def _rows_for_the_rest(self, made: Iterable[Row]) -> Iterator[Row]:
        """Rows for pairs that exclusions left none of first values for; none where they exclude the pair altogether."""
        covered = _Wanted(self.all, combinations(self.axes, 2), 0)
        for row in made:
            covered.remove(row)
        for axis, other in combinations(self.axes, 2):
            for value, another in product(self.all[axis], self.all[other]):
                if covered.partners[axis, value] & covered.bit(other, another):
                    row = self._row({axis: value, other: another}, self.all)
                    if row is not None:
                        covered.remove(row)
                        yield row

    def _cover(
        self,
        box: Sequence[range],
        pairs: Iterable[tuple[int, int]],
        seed: int = 0,
        impossible: list[Pattern] | None = None,
    ) -> list[Row]:
        """Rows within the box for all pairs of values of these pairs of axes, as far as exclusions allow.

        Pairs for which there are none are added to those that are known to be `impossible`.
        """
        wanted = _Wanted(box, pairs, seed)
        for pair in impossible or ():
            wanted.give_up(pair)
        rows: list[Row] = []
        while (pair := wanted.next()) is not None:
            row = self._row(pair, box, wanted)
            if row is None:
                wanted.give_up(pair)
                if impossible is not None:
                    impossible.append(pair)
            else:
                wanted.remove(row)
                rows.append(row)
        return rows

    def _row(self, pair: Pattern, box: Sequence[range], wanted: _Wanted | None = None) -> Row | None:
        """An allowed row with this pair of values, the others from the box; None where there is none."""
        turn = sum(pair.values())  # so that rows for which any value would do differ
        rest = [axis for axis in (self.axes if wanted is None else wanted.order()) if axis not in pair]
        rest.sort(key=self.ties.__getitem__, reverse=True)
        start = self.allowed.within(
            [range(pair[axis], pair[axis] + 1) if axis in pair else box[axis] for axis in self.axes]
        )
        if start is None:
            return None

        def place(depth: int, mask: int, left: list[int]) -> list[int] | None:
            if depth == len(rest):
                return left
            axis = rest[depth]
            for value in _in_turn(box[axis], turn) if wanted is None else wanted.best_first(axis, mask):
                narrowed = self.allowed.narrowed(left, axis, value)
                if narrowed is not None:
                    seen = mask if wanted is None else mask | wanted.bit(axis, value)
                    if (found := place(depth + 1, seen, narrowed)) is not None:
                        return found
            return None

        found = place(0, 0 if wanted is None else wanted.mask(pair), start)
        return None if found is None else tuple([values.bit_length() - 1 for values in found])


class _Wanted:
    """Pairs of values within a box that no row has yet: for each value a set of bits, one for each value it is to meet."""

    def __init__(self, box: Sequence[range], pairs: Iterable[tuple[int, int]], seed: int) -> None:
        self.box = box
        self.state = seed
        self.shifts = [sum(map(len, box[:axis])) - values.start for axis, values in enumerate(box)]
        self.partners: dict[tuple[int, int], int] = {}
        masks = [sum(self.bit(axis, value) for value in values) for axis, values in enumerate(box)]
        for one, two in pairs:
            for axis, other in ((one, two), (two, one)):
                for value in box[axis]:
                    self.partners[axis, value] = self.partners.get((axis, value), 0) | masks[other]
        self.at = [(axis, value) for axis, values in enumerate(box) for value in values]

    def bit(self, axis: int, value: int) -> int:
        return 1 << (self.shifts[axis] + value)

    def mask(self, values: Pattern) -> int:
        return sum(self.bit(axis, value) for axis, value in values.items())

    def order(self) -> Sequence[int]:
        """In which order to fill the axes of the next row."""
        return sorted(range(len(self.box)), key=lambda _: self.tie())

    def tie(self) -> int:
        """A number that breaks a tie, the same for everybody and for ever: Knuth's linear congruential generator (MMIX)."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        return self.state >> 33

    def next(self) -> Pattern | None:
        """The value that misses most others, with the first that it misses."""
        axis, value = max(self.partners, key=lambda key: self.partners[key].bit_count())
        missing = self.partners[axis, value]
        if not missing:
            return None
        other, another = self.at[(missing & -missing).bit_length() - 1]
        return {axis: value, other: another}

    def best_first(self, axis: int, mask: int) -> Sequence[int]:
        """The axis' values, first those that miss most of what the row has."""
        partners, tie = self.partners, self.tie
        return sorted(self.box[axis], key=lambda value: (-(partners.get((axis, value), 0) & mask).bit_count(), tie()))

    def remove(self, row: Row) -> None:
        mask = self.mask(dict(enumerate(row)))
        for axis, value in enumerate(row):
            if (axis, value) in self.partners:
                self.partners[axis, value] &= ~mask

    def give_up(self, pair: Pattern) -> None:
        mask = self.mask(pair)
        for axis, value in pair.items():
            self.partners[axis, value] &= ~mask


def _in_turn(values: range, turn: int) -> Sequence[int]:
    """The values, another one first each turn."""
    start = turn % len(values)
    return [*values[start:], *values[:start]]
