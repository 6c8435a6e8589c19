"""Sizes of waves: calls that follow the suspicion instead of being the same for each case (`calls: adaptive`).

First, each case gets a few calls. Then each wave spends a quarter of the other calls on the cases that most likely got
worse. The first wave completes its cases to `runs` calls, so a case has either its first calls or at least `runs`.
"""

from typing import Final

LEAST_RUNS: Final = 3
"""With fewer runs a case, there is nothing to shift."""
FIRST_CALLS: Final = 2
WAVES: Final = 4
"""After the first calls."""
_THIRDS: Final = (3, 4, 7, 10)
"""Calls of each wave, in thirds of the calls of a case after its first ones."""


def default_min_runs(runs: int, *, is_adaptive: bool) -> int:
    """How many runs must count for an outcome: half of all, or the first calls."""
    return FIRST_CALLS if is_adaptive else (runs + 1) // 2


def first_calls(runs: int, min_runs: int) -> int:
    """The calls of a case before the first wave: enough for an outcome."""
    return min(runs, max(FIRST_CALLS, min_runs))


def wave_calls(runs: int, first: int) -> tuple[int, ...]:
    """How many calls each wave adds to a case that it chooses."""
    rest = runs - first
    return tuple((rest * thirds + 1) // 3 for thirds in _THIRDS)


def most_calls(runs: int, first: int) -> int:
    """The calls of a case that every wave chooses: 26 for `runs: 5`."""
    return first + sum(wave_calls(runs, first))
