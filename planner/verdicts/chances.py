"""How unusual a session is, compared with simulated sessions in which nothing changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.values import frozen
from planner.verdicts.regression import MODEL, Floats, Model, Scores


@frozen
class Chances:
    """How likely sessions without a change are to look as if at least as much had changed, by session: by their
    statistic, by their mean rate, and by either."""

    by_statistic: Floats
    by_rate: Floats
    of_either: Floats


def chances(scores: Scores, unchanged: Scores, model: Model = MODEL, sign: int = -1) -> Chances:
    """Compare sessions with unchanged ones.

    The statistic finds some cases that changed. It cannot tell a change of all cases from a bad hour: the mean pass
    rate can, if it is lower than in almost every bad hour.
    """
    by_statistic = _as_extreme(scores.statistics, unchanged.statistics)
    by_rate = _as_extreme(sign * scores.rates, sign * unchanged.rates)
    found = np.minimum(by_statistic, model.rate_factor * by_rate)
    is_doubtful = (scores.statistics < model.least_improvement) | (scores.rates < np.median(unchanged.rates))
    of_either = np.where((sign > 0) & is_doubtful, 1.0, np.minimum(found, 1.0))
    return Chances(by_statistic, by_rate, of_either)


def worse_alike(scores: Scores, found: Chances, model: Model = MODEL) -> NDArray[np.bool_]:
    """Whether all cases are worse alike, by session: a bad hour explains that as well as a worse agent."""
    is_large = scores.probabilities.shape[1] >= model.least_alike
    return (found.by_rate <= model.low_rate) & (scores.of_some < 0) & is_large


def _as_extreme(values: Floats, unchanged: Floats) -> Floats:
    below = np.searchsorted(np.sort(unchanged), values - 1e-9)
    return (1 + len(unchanged) - below) / (1 + len(unchanged))
