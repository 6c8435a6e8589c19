"""Did the agent get worse? The decision of the regression test on today's calls, and the calls of a wave."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from planner.planfile.waves import WAVES
from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.chances import chances, worse_alike
from planner.verdicts.regression import Fit, Integers, Model, Scorer, scorer
from planner.verdicts.waves import Share, design_of, next_calls, play

NO_SHARES: Final[Mapping[str, Share]] = MappingProxyType({})


@frozen
class Found:
    """The result of the test. `statistic` is the log of how much better a change of some cases explains the counts than
    no change; `p_value` is `Chances.of_either`. If it is at most `Model.false_alarm_rate`, the suite changed."""

    statistic: float
    p_value: float
    probabilities: Mapping[str, float]
    model: Model
    is_alike: bool = False
    """The mean pass rate is low, and all cases are worse alike, as in a bad hour: no case stands out."""

    @property
    def suite_changed(self) -> bool:
        return self.p_value <= self.model.false_alarm_rate

    @property
    def changed(self) -> frozenset[str]:
        """The cases that changed."""
        return self._at_least(self.model.changed_at)

    @property
    def suspected(self) -> frozenset[str]:
        """The cases that may have changed."""
        return self._at_least(self.model.suspected_at) - self.changed

    def _at_least(self, least: float) -> frozenset[str]:
        if self.is_alike or not self.suite_changed:
            return frozenset()
        return frozenset(case_id for case_id, probability in self.probabilities.items() if probability >= least)


def find_changes(
    fitted: Fit,
    now: Mapping[str, Counts],
    sign: int = -1,
    shares: Mapping[str, Share] = NO_SHARES,
    *,
    waves: int = WAVES,
    seed: int = 0,
) -> Found:
    """Compare a session with the earlier sessions. Cases without runs on one side take no part.

    Args:
        sign: -1 looks for cases that got worse, 1 for cases that got better.
        shares: the cases that were called in waves. The unchanged sessions are simulated with the same waves.
        waves: how many waves were made.
        seed: of the simulation of unchanged sessions.
    """
    simulated = _simulated(fitted, now, shares, waves=waves, seed=seed)
    return Found(0.0, 1.0, {}, fitted.model) if simulated is None else simulated.found(sign)


def find_worse_and_better(
    fitted: Fit, now: Mapping[str, Counts], shares: Mapping[str, Share] = NO_SHARES, *, waves: int = WAVES
) -> tuple[Found, Found]:
    """`find_changes` for both signs, with one simulation."""
    simulated = _simulated(fitted, now, shares, waves=waves)
    nothing = Found(0.0, 1.0, {}, fitted.model)
    return (nothing, nothing) if simulated is None else (simulated.found(-1), simulated.found(1))


@frozen
class _Simulated:
    """Today's counts, and those of sessions in which nothing changed, by side and case. `possible` are the numbers of
    runs that each case may have, `worse` scores for sign -1."""

    fitted: Fit
    now: tuple[Integers, Integers]
    unchanged: tuple[Integers, Integers]
    possible: Mapping[str, Collection[int]]
    worse: Scorer

    def found(self, sign: int) -> Found:
        model = self.fitted.model
        prepared = self.worse if sign == -1 else scorer(self.fitted, self.possible, sign)
        passed, total = self.now
        scores = prepared.score(passed[None], total[None])
        statistic = float(scores.statistics[0])
        found = chances(scores, prepared.score(*self.unchanged), model, sign)
        is_alike = sign < 0 and bool(worse_alike(scores, found, self.fitted)[0])
        probabilities = dict(zip(self.possible, scores.probabilities[0].tolist(), strict=True))
        return Found(statistic, float(found.of_either[0]), probabilities, model, is_alike)


def _simulated(
    fitted: Fit, now: Mapping[str, Counts], shares: Mapping[str, Share], *, waves: int, seed: int = 0
) -> _Simulated | None:
    """None if no case has runs on both sides."""
    totals = _totals(fitted, now)
    if not totals:
        return None
    passed, total = (np.array([now[case_id][side] for case_id in totals]) for side in (0, 1))
    design = design_of(totals, shares, waves)
    possible = {case_id: found | {totals[case_id]} for case_id, found in zip(totals, design.totals(), strict=True)}
    worse = scorer(fitted, possible)
    random = np.random.default_rng(seed)
    unchanged = play(worse, design, worse.draw_rates(fitted.model.simulations, random), random)
    return _Simulated(fitted, (passed, total), unchanged, possible, worse)


def _totals(fitted: Fit, now: Mapping[str, Counts]) -> dict[str, int]:
    return {
        case_id: total for case_id, (_, total) in sorted(now.items()) if total and fitted.counts.get(case_id, (0, 0))[1]
    }


@frozen
class Called:
    """A case in waves, so far."""

    share: Share
    calls: int
    needs_calls: bool
    """Whether it misses its requirement, and its other calls up to its share could change that."""


def choose_calls(fitted: Fit, now: Mapping[str, Counts], called: Mapping[str, Called], wave: int) -> dict[str, int]:
    """How many calls a wave gives to each case.

    Args:
        now: the results of all cases so far. Cases without any count as unchanged.
        called: the cases in waves.
    """
    totals = _totals(fitted, now)
    probabilities: dict[str, float] = {}
    if totals:
        passed, total = (np.array([[now[case_id][side] for case_id in totals]]) for side in (0, 1))
        scores = scorer(fitted, {case_id: (each,) for case_id, each in totals.items()}).score(passed, total)
        probabilities = dict(zip(totals, scores.probabilities[0].tolist(), strict=True))
    names = sorted(called)
    design = design_of(dict.fromkeys(names, 0), {name: each.share for name, each in called.items()})
    calls = next_calls(
        design,
        wave,
        np.array([[probabilities.get(name, 0.0) for name in names]]),
        np.array([[called[name].calls for name in names]]),
        np.array([[called[name].needs_calls for name in names]]),
    )
    return dict(zip(names, calls[0].tolist(), strict=True))
