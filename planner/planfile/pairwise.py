"""Pairwise tables: few rows in which every allowed pair of values of two axes occurs.

A first table is built greedily (AETG). Tabu search then removes rows one at a time (K. J. Nurmela, "Upper bounds for
covering arrays by tabu search", 2004). Only integers decide, so the same sizes and exclusions give the same table on
every machine. Tables are smaller than those of covertable 3.2 and allpairspy 2.5, cover every allowed pair between
exclusions too, and take bounded time.

Values are numbers: positions in their axis. A cell is one number for an axis and its value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import NamedTuple

Row = tuple[int, ...]
Pattern = Mapping[int, int]
"""Axis to value: an excluded combination, with any values of the other axes."""

_MAX_PAIRS = 100_000
"""Pairs of values that a table is made for; more would take too much memory."""
_MAX_BUILDING = 600_000
"""Values that are looked at while the first table is built: about a second of work."""
_MAX_STEPS = 1_000_000
"""Exclusions that are looked at for all rows of a table: about a second of work."""
_MAX_SHRINKING = 100_000
"""Cells that are looked at while rows are removed: about a tenth of a second of work."""
_TABU_STEPS = 5
"""For this many steps a cell may not return to its previous value."""


class TooMuchSearchError(Exception):
    """The table would take too long or too much memory."""


class Table(NamedTuple):
    rows: tuple[Row, ...]
    looks: int
    """The work it took."""


def fewest_rows(sizes: Sequence[int]) -> int:
    """A lower bound without exclusions: every pair of the two longest axes needs a row of its own."""
    one, other = sorted(sizes)[-2:]
    return one * other


def pairwise(sizes: Sequence[int], exclusions: Sequence[Pattern]) -> Table:
    """Sorted rows that have every pair of values that some allowed row has, and no excluded combination.

    Raises `TooMuchSearchError`.
    """
    unique = {tuple(sorted(pattern.items())) for pattern in exclusions}
    return _pairwise(tuple(sizes), tuple(sorted(unique)))


@lru_cache(maxsize=256)
def _pairwise(sizes: tuple[int, ...], exclusions: tuple[tuple[tuple[int, int], ...], ...]) -> Table:
    if sum(one * other for one, other in combinations(sizes, 2)) > _MAX_PAIRS:
        raise TooMuchSearchError
    building = _Building(sizes, [dict(pattern) for pattern in exclusions])
    shrinking = _Shrinking(sizes, exclusions, building.rows)
    return Table(tuple(sorted(shrinking.rows)), building.looks + shrinking.looks)


class _Allowed:
    """Which values the exclusions leave for each axis while a row is filled, value by value.

    A set of values is a set of bits. A row is a list of them, with one bit for each axis when it is full.
    """

    def __init__(self, sizes: Sequence[int], exclusions: Sequence[Pattern]) -> None:
        self._sizes = sizes
        self._patterns = [tuple((axis, 1 << value) for axis, value in pattern.items()) for pattern in exclusions]
        self._by_cell: dict[tuple[int, int], list[tuple[tuple[int, int], ...]]] = {}
        """For an axis and the bit of its value, the patterns that it is in: axes and bits."""
        for pattern in self._patterns:
            for cell in pattern:
                self._by_cell.setdefault(cell, []).append(pattern)
        self._steps = 0

    def start(self) -> list[int] | None:
        """The values that remain; None if there is none. Raises `TooMuchSearchError`."""
        left = [(1 << size) - 1 for size in self._sizes]
        for pattern in self._patterns:
            if len(pattern) == 1:
                ((axis, bit),) = pattern
                left[axis] &= ~bit
        decided = [axis for axis, bits in enumerate(left) if _is_one(bits)]
        return left if all(left) and self._follow(left, decided) else None

    def narrowed(self, left: Sequence[int], axis: int, value: int) -> list[int] | None:
        """The values that remain with this value; None if there is none. Raises `TooMuchSearchError`."""
        bit = 1 << value
        if not left[axis] & bit:
            return None
        narrowed = list(left)
        narrowed[axis] = bit
        return narrowed if left[axis] == bit or self._follow(narrowed, [axis]) else None

    def _follow(self, left: list[int], decided: list[int]) -> bool:
        """Remove what decided values exclude, which may decide others. False if an axis has no value left."""
        while decided:
            axis = decided.pop()
            for pattern in self._by_cell.get((axis, left[axis]), ()):
                self._steps += len(pattern)
                if self._steps > _MAX_STEPS:
                    raise TooMuchSearchError
                undecided = [(other, bit) for other, bit in pattern if left[other] != bit]
                if not undecided:
                    return False
                other, bit = undecided[0]
                if len(undecided) == 1 and left[other] & bit:
                    left[other] &= ~bit
                    if _is_one(left[other]):
                        decided.append(other)
        return True


def _is_one(bits: int) -> bool:
    return bits & (bits - 1) == 0


class _Building:
    """A first table. For each uncovered pair, a row with it whose other values cover the most other uncovered pairs."""

    def __init__(self, sizes: Sequence[int], exclusions: Sequence[Pattern]) -> None:
        self.rows: list[Row] = []
        self.looks = 0
        self.sizes = sizes
        self.shifts = [sum(sizes[:axis]) for axis in range(len(sizes))]
        self.owner = [axis for axis, size in enumerate(sizes) for _ in range(size)]
        self.allowed = _Allowed(sizes, exclusions)
        self.ties = Counter(axis for pattern in exclusions for axis in pattern)
        """How many exclusions name an axis. Those with many are filled first, so that dead ends show early."""
        self.random = _numbers()
        everything = (1 << len(self.owner)) - 1
        self.missing = [everything ^ ((1 << sizes[axis]) - 1 << self.shifts[axis]) for axis in self.owner]
        """For each cell, a set of bits: the cells it was not yet in a row with."""
        start = self.allowed.start()
        if start is not None:
            self._build(start)

    def _build(self, start: list[int]) -> None:
        while any(self.missing):
            cell = max(range(len(self.missing)), key=lambda cell: self.missing[cell].bit_count())
            other = (self.missing[cell] & -self.missing[cell]).bit_length() - 1
            row = self._row((cell, other), start)
            if row is None:
                self._cover((cell, other))
            else:
                self.rows.append(row)
                self._cover([shift + value for shift, value in zip(self.shifts, row, strict=True)])

    def _cover(self, cells: Sequence[int]) -> None:
        together = sum(1 << cell for cell in cells)
        for cell in cells:
            self.missing[cell] &= ~together
        self.looks += len(cells)

    def _row(self, pair: Sequence[int], left: list[int] | None) -> Row | None:
        """An allowed row with these cells; None where there is none."""
        axes = [self.owner[cell] for cell in pair]
        for axis, cell in zip(axes, pair, strict=True):
            left = None if left is None else self.allowed.narrowed(left, axis, cell - self.shifts[axis])
        rest = [axis for axis in range(len(self.sizes)) if axis not in axes]
        rest.sort(key=lambda axis: (-self.ties[axis], next(self.random)))
        found = None if left is None else self._fill(rest, sum(1 << cell for cell in pair), left)
        return None if found is None else tuple([values.bit_length() - 1 for values in found])

    def _fill(self, rest: Sequence[int], chosen: int, left: list[int]) -> list[int] | None:
        if not rest:
            return left
        axis, shift = rest[0], self.shifts[rest[0]]
        self.looks += self.sizes[axis]
        if self.looks > _MAX_BUILDING:
            raise TooMuchSearchError
        ranks = [
            (-(self.missing[shift + value] & chosen).bit_count(), next(self.random))
            for value in range(self.sizes[axis])
        ]
        for value in sorted(range(self.sizes[axis]), key=ranks.__getitem__):
            narrowed = self.allowed.narrowed(left, axis, value)
            if narrowed is not None:
                found = self._fill(rest[1:], chosen | 1 << (shift + value), narrowed)
                if found is not None:
                    return found
        return None


def _numbers() -> Iterator[int]:
    """Numbers to break ties with, always the same: Knuth's linear congruential generator (MMIX)."""
    state = 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        yield state >> 33


class _Shrinking:
    """Removes rows from a table and repairs it, until no row can go or the work runs out."""

    def __init__(self, sizes: Sequence[int], exclusions: Sequence[Sequence[tuple[int, int]]], rows: list[Row]) -> None:
        self.rows = rows
        self.shifts = [sum(sizes[:axis]) for axis in range(len(sizes))]
        self.width = sum(sizes)
        self.owner = [axis for axis, size in enumerate(sizes) for _ in range(size)]
        self.random = _numbers()
        self.looks = 0
        self.excluded: dict[int, list[list[tuple[int, int]]]] = {}
        """By cell, the other axes and cells of the exclusions that it is in."""
        for pattern in exclusions:
            cells = [(axis, self.shifts[axis] + value) for axis, value in pattern]
            for axis, cell in cells:
                self.excluded.setdefault(cell, []).append([other for other in cells if other[0] != axis])
        self.cells = [[self.shifts[axis] + value for axis, value in enumerate(row)] for row in rows]
        self.counts = Counter(pair for row in self.cells for pair in self._pairs(row))
        """How many rows have a pair of cells. Each is counted in both orders."""
        self._shrink()

    def _shrink(self) -> None:
        per_axes = Counter((self.owner[pair // self.width], self.owner[pair % self.width]) for pair in self.counts)
        fewest = max(per_axes.values(), default=0)
        while len(self.cells) > fewest and self.looks <= _MAX_SHRINKING and self._repaired(self._drop()):
            self.rows = [
                tuple([cell - shift for cell, shift in zip(row, self.shifts, strict=True)]) for row in self.cells
            ]

    def _pairs(self, row: Sequence[int]) -> list[int]:
        return [one * self.width + other for one, other in permutations(row, 2)]

    def _drop(self) -> list[int]:
        """Take out the row that covers the fewest pairs alone; these pairs are returned."""
        self.looks += len(self.cells) * len(self.shifts) ** 2 // 8
        alone = [[pair for pair in self._pairs(row) if self.counts[pair] == 1] for row in self.cells]
        number = min(range(len(alone)), key=lambda number: len(alone[number]))
        for pair in self._pairs(self.cells.pop(number)):
            self.counts[pair] -= 1
        return alone[number]

    def _repaired(self, uncovered: list[int]) -> bool:
        """Change single cells until every pair is covered. False when the work runs out first."""
        tabu: dict[tuple[int, int], int] = {}
        step = 0
        while uncovered:
            step += 1
            self.looks += len(self.shifts)
            pair = uncovered[next(self.random) % len(uncovered)]
            best: list[tuple[int, int]] = []
            least = 0
            for beside, cell in (divmod(pair, self.width), divmod(pair, self.width)[::-1]):
                for number, row in enumerate(self.cells):
                    if row[self.owner[beside]] != beside or not self._is_allowed(row, cell):
                        continue
                    self.looks += len(row)
                    change = self._change(row, cell)
                    if tabu.get((number, cell), 0) > step and 2 * change > -len(uncovered):
                        continue
                    if not best or change < least:
                        best, least = [], change
                    if change == least:
                        best.append((number, cell))
            if self.looks > _MAX_SHRINKING:
                return False
            if best:
                number, cell = best[next(self.random) % len(best)]
                row = self.cells[number]
                tabu[number, row[self.owner[cell]]] = step + _TABU_STEPS
                self._move(row, cell, uncovered)
        return True

    def _is_allowed(self, row: Sequence[int], cell: int) -> bool:
        return not any(all(row[axis] == other for axis, other in rest) for rest in self.excluded.get(cell, ()))

    def _change(self, row: Sequence[int], cell: int) -> int:
        """How many more pairs are uncovered when the row gets this cell."""
        lost, gained, count = row[self.owner[cell]] * self.width, cell * self.width, self.counts.get
        return [count(lost + beside) for beside in row].count(1) - [count(gained + beside) for beside in row].count(0)

    def _move(self, row: list[int], cell: int, uncovered: list[int]) -> None:
        axis = self.owner[cell]
        old, row[axis] = row[axis], cell
        for other, beside in enumerate(row):
            if other != axis:
                for pair in (old * self.width + beside, beside * self.width + old):
                    self.counts[pair] -= 1
                    if not self.counts[pair]:
                        uncovered.append(pair)
                for pair in (cell * self.width + beside, beside * self.width + cell):
                    if not self.counts[pair]:
                        uncovered.remove(pair)
                    self.counts[pair] += 1
