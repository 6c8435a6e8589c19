"""Chance, seeded: the same seed gives the same draws on every Python, which `random.choice` and its like do not promise."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

_Item = TypeVar("_Item")


def seed_of(*parts: str | float) -> int:
    """A 63-bit seed that depends on every part."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "big") >> 1


class Draws:
    """Only `Random.random()` is used: its sequence for an integer seed is guaranteed."""

    def __init__(self, seed: int) -> None:
        self._next = Random(seed).random

    def pick(self, items: Sequence[_Item]) -> _Item:
        return items[int(self._next() * len(items))]

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._next()

    def skewed(self, low: float, high: float) -> float:
        """Mostly near `low`, sometimes near `high`: reaction times are like that."""
        draw = self._next()
        return low + (high - low) * draw * draw


def shuffled(items: Sequence[_Item], seed: int) -> list[_Item]:
    draw = Random(seed).random
    return [item for _, item in sorted(((draw(), item) for item in items), key=lambda pair: pair[0])]
