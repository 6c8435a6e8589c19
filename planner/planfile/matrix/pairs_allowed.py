"""Which values the exclusions leave for each axis while a row is filled, value by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pattern = Mapping[int, int]
"""Axis to value: an excluded combination, whatever the values of the other axes."""

_MAX_STEPS = 1_000_000
"""Exclusions that are looked at for all rows of a table: about a second of work."""


class TooMuchSearchError(Exception):
    """The table would take too long or too much memory."""


class Allowed:
    """A set of values is a set of bits. A row is a list of them, with one bit for each axis when it is full."""

    def __init__(self, sizes: Sequence[int], exclusions: Sequence[Pattern]) -> None:
        self._never = [0] * len(sizes)
        """Values that no row may have."""
        self._with: dict[tuple[int, int], dict[int, int]] = {}
        """For an axis and its value, the values of other axes that it may not stand beside."""
        self._longer: dict[tuple[int, int], list[tuple[tuple[int, int], ...]]] = {}
        """For an axis and its value, the patterns of three axes and more that it is in: axes and bits."""
        self._steps = 0
        for pattern in exclusions:
            bits = tuple((axis, 1 << value) for axis, value in pattern.items())
            for axis, bit in bits:
                if len(bits) == 1:
                    self._never[axis] |= bit
                elif len(bits) > 2:
                    self._longer.setdefault((axis, bit), []).append(bits)
                else:
                    ((other, ruled_out),) = (one for one in bits if one[0] != axis)
                    others = self._with.setdefault((axis, bit), {})
                    others[other] = others.get(other, 0) | ruled_out

    def within(self, box: Sequence[range]) -> list[int] | None:
        """What is left of a box; None where nothing is. Raises `TooMuchSearchError`."""
        left = [
            ((1 << values.stop) - (1 << values.start)) & ~never for values, never in zip(box, self._never, strict=True)
        ]
        if not all(left):
            return None
        return left if self._follow(left, [axis for axis, bits in enumerate(left) if _is_one(bits)]) else None

    def narrowed(self, left: Sequence[int], axis: int, value: int) -> list[int] | None:
        """What is left with this value; None where nothing is. Raises `TooMuchSearchError`."""
        bit = 1 << value
        if not left[axis] & bit:
            return None
        narrowed = list(left)
        if left[axis] == bit:
            return narrowed
        narrowed[axis] = bit
        return narrowed if self._follow(narrowed, [axis]) else None

    def _follow(self, left: list[int], decided: list[int]) -> bool:
        """Remove what decided values rule out, which may decide others. False where an axis has no value left."""
        while decided:
            axis = decided.pop()
            own = (axis, left[axis])
            for other, ruled_out in self._with.get(own, _NONE).items():
                self._steps += 1
                if left[other] & ruled_out and not _take_out(left, other, ruled_out, decided):
                    return False
            for pattern in self._longer.get(own, ()):
                self._steps += len(pattern)
                open_ones = [(other, bit) for other, bit in pattern if left[other] != bit]
                if not open_ones:
                    return False
                if len(open_ones) == 1:
                    ((other, bit),) = open_ones
                    if left[other] & bit and not _take_out(left, other, bit, decided):
                        return False
            if self._steps > _MAX_STEPS:
                raise TooMuchSearchError
        return True


_NONE: Mapping[int, int] = {}


def _is_one(bits: int) -> bool:
    return bits & (bits - 1) == 0


def _take_out(left: list[int], axis: int, bits: int, decided: list[int]) -> bool:
    left[axis] &= ~bits
    if not left[axis]:
        return False
    if _is_one(left[axis]):
        decided.append(axis)
    return True
