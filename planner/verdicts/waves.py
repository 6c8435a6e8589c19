"""The waves of `calls: adaptive`: each goes to the cases that most likely got worse.

Arrays are by session and case, so that the test can simulate a thousand unchanged sessions with the same waves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.planfile.model import Case
from planner.planfile.waves import WAVES, wave_calls
from planner.values import frozen
from planner.verdicts.regression import Floats, Integers, Scorer

Flags: TypeAlias = NDArray[np.bool_]
SETTLED: Final = (0.003, 0.985)
"""A case that changed with a smaller or larger probability needs no more calls."""


@frozen
class Share:
    """What a case in waves adds to the calls that all of them share, and its requirement."""

    runs: int
    first: int
    most: int
    min_pass_rate: float

    @classmethod
    def of(cls, case: Case, most: int) -> Share:
        return cls(case.runs, case.first_calls, most, case.min_pass_rate)


@frozen
class Design:
    """How many calls each case gets. A case that is not in waves gets all of its calls first.

    Args:
        runs: the calls that each case adds to those of all.
        first: the calls before the first wave.
        steps: the calls that each wave gives a case, by wave.
        most: the most calls of a case.
        needed: the pass rate that is required.
        waves: how many waves there are.
    """

    runs: Integers
    first: Integers
    steps: Integers
    most: Integers
    needed: Floats
    waves: int = WAVES

    def totals(self) -> list[set[int]]:
        """All numbers of calls that each case may have."""
        found: list[set[int]] = []
        for index, first in enumerate(self.first.tolist()):
            runs, most = int(self.runs[index]), int(self.most[index])
            totals = {first}
            for step in self.steps[: self.waves, index].tolist() if most > first else ():
                raised = {max(total + step, runs) for total in totals}
                totals |= {min(most, total) for total in raised} | {runs}
            found.append(totals)
        return found

    def needs(self, passed: Integers, total: Integers) -> Flags:
        """The cases that miss their requirement so far, and that their other calls up to `runs` could bring to it."""
        left = self.runs - total
        is_missed = passed < self.needed * total
        return (left > 0) & is_missed & (passed + left >= self.needed * self.runs)


def design_of(totals: Mapping[str, int], shares: Mapping[str, Share], waves: int = WAVES) -> Design:
    """The design of these cases, in their order.

    Args:
        totals: the runs of the cases that are not in waves.
        shares: those of the cases that are.
    """
    each = [shares.get(case_id) or Share(total, total, total, 0.0) for case_id, total in totals.items()]
    steps = [wave_calls(share.runs, share.first) for share in each]
    return Design(
        np.array([share.runs for share in each]),
        np.array([share.first for share in each]),
        np.array(steps).T.reshape(WAVES, len(each)),
        np.array([share.most for share in each]),
        np.array([share.min_pass_rate for share in each]),
        waves,
    )


def next_calls(design: Design, wave: int, probabilities: Floats, total: Integers, needs: Flags) -> Integers:
    """The calls of a wave: first for the cases that need them for their requirement, then for those that most likely
    changed. Each wave may use an equal part of the calls after the first ones, and what earlier waves left.

    Args:
        wave: from 1.
        total: the calls of each case so far.
        needs: `Design.needs`.
    """
    low, high = SETTLED
    is_open = (probabilities >= low) & (probabilities <= high)
    step = np.maximum(design.steps[wave - 1], design.runs - total)
    step = np.where(needs, design.runs - total, step * is_open)
    wanted = np.clip(step, 0, np.maximum(0, design.most - total))
    rank = np.where(needs, -1 - probabilities, np.where(is_open, -probabilities, 1.0))
    order = np.argsort(rank, axis=1, kind="stable")
    in_order = np.take_along_axis(wanted, order, axis=1)
    used = np.cumsum(in_order, axis=1)
    shared = int((design.runs - design.first).sum())
    spent = (total - design.first).sum(axis=1)
    part = shared * wave // WAVES - spent
    is_chosen = used <= part[:, None]
    is_chosen |= np.take_along_axis(needs, order, axis=1) & (used <= (shared - spent)[:, None])
    calls = np.empty_like(wanted)
    np.put_along_axis(calls, order, in_order * is_chosen, axis=1)
    return calls


def play(scorer: Scorer, design: Design, rates: Floats, random: np.random.Generator) -> tuple[Integers, Integers]:
    """Call sessions with these rates: (passed, total)."""
    total = np.broadcast_to(design.first, rates.shape).copy()
    passed = random.binomial(total, rates)
    if not (design.most > design.first).any():
        return passed, total
    for wave in range(1, design.waves + 1):
        probabilities = scorer.score(passed, total).probabilities
        more = next_calls(design, wave, probabilities, total, design.needs(passed, total))
        passed += random.binomial(more, rates)
        total += more
    return passed, total
