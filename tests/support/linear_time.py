"""Whether something takes time in proportion to its size, on any machine: measured by the time for sixteen times as much.

What is measured is the processor's time, each time the least of several: another program only ever adds to it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Final

_FACTOR: Final = 16
_ATTEMPTS: Final = 8


def takes_linear_time(work: Callable[[int], object], size: int) -> bool:
    """`work` of a sixteenth of `size`, and of all of it. A square takes 256 times as long; 64 times is half-way between."""
    shorter = longer = float("inf")
    for _ in range(_ATTEMPTS):
        shorter = min(shorter, _seconds(work, size // _FACTOR))
        longer = min(longer, _seconds(work, size))
        if longer < _FACTOR * 4 * shorter:
            return True
    return False


def _seconds(work: Callable[[int], object], size: int) -> float:
    started = process_time()
    work(size)
    return process_time() - started
