"""Did the agent get worse? The decision of the regression test on today's calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.chances import chances, worse_alike
from planner.verdicts.regression import Fit, Integers, Model, Scorer, scorer


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


def find_changes(fitted: Fit, now: Mapping[str, Counts], sign: int = -1, *, seed: int = 0) -> Found:
    """Compare a session with the earlier sessions. Cases without runs on one side take no part.

    Args:
        sign: -1 looks for cases that got worse, 1 for cases that got better.
        seed: of the simulation of unchanged sessions.
    """
    simulated = _simulated(fitted, now, seed=seed)
    return Found(0.0, 1.0, {}, fitted.model) if simulated is None else simulated.found(sign)


def find_worse_and_better(fitted: Fit, now: Mapping[str, Counts]) -> tuple[Found, Found]:
    """`find_changes` for both signs, with one simulation."""
    simulated = _simulated(fitted, now)
    nothing = Found(0.0, 1.0, {}, fitted.model)
    return (nothing, nothing) if simulated is None else (simulated.found(-1), simulated.found(1))


@frozen
class _Simulated:
    """Today's counts, and those of sessions in which nothing changed, by side and case. `totals` are the runs of each
    case, `worse` scores for sign -1."""

    fitted: Fit
    now: tuple[Integers, Integers]
    unchanged: tuple[Integers, Integers]
    totals: Mapping[str, int]
    worse: Scorer

    def found(self, sign: int) -> Found:
        model = self.fitted.model
        prepared = self.worse if sign == -1 else scorer(self.fitted, self.totals, sign)
        passed, total = self.now
        scores = prepared.score(passed[None], total[None])
        statistic = float(scores.statistics[0])
        found = chances(scores, prepared.score(*self.unchanged), model, sign)
        is_alike = sign < 0 and bool(worse_alike(scores, found, model)[0])
        probabilities = dict(zip(self.totals, scores.probabilities[0].tolist(), strict=True))
        return Found(statistic, float(found.of_either[0]), probabilities, model, is_alike)


def _simulated(fitted: Fit, now: Mapping[str, Counts], *, seed: int = 0) -> _Simulated | None:
    """None if no case has runs on both sides."""
    totals = _totals(fitted, now)
    if not totals:
        return None
    passed, total = (np.array([now[case_id][side] for case_id in totals]) for side in (0, 1))
    worse = scorer(fitted, totals)
    random = np.random.default_rng(seed)
    rates = worse.draw_rates(fitted.model.simulations, random)
    unchanged = random.binomial(total, rates), np.broadcast_to(total, rates.shape)
    return _Simulated(fitted, (passed, total), unchanged, totals, worse)


def _totals(fitted: Fit, now: Mapping[str, Counts]) -> dict[str, int]:
    return {
        case_id: total for case_id, (_, total) in sorted(now.items()) if total and fitted.counts.get(case_id, (0, 0))[1]
    }
