"""The regression rule: how likely did each case get worse, and is the whole session lower than usual?

A call of a case passes with probability sigmoid(rate + shift + noise). The rate is the case's own, learned from its
earlier sessions; a session shifts all cases, a scenario in a session shifts its cases, and the noise is of one case in
one session. A case that fell has a lower rate. Everything is summed on grids, so equal counts give equal chances.

Pure functions of counts, without a clock and without random numbers. docs/verdicts.md explains the rule, and
`tests/benchmarks/power.py` measures its false alarms and what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.statistics import Counts
from planner.values import frozen

Floats: TypeAlias = NDArray[np.float64]

_RATES: Final = np.arange(-3.5, 7.01, 0.25)
"""Logits of the rate of a case."""
_SHIFTS: Final = np.arange(-4.0, 4.01, 0.2)
"""Added to the logits of a session, a scenario included."""
_SESSION_SDS: Final = np.array([0.1, 0.3, 0.5, 0.75, 1.0, 1.4])
_SESSION_SD_PRIOR: Final = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
_SCENARIO_SDS: Final = np.array([0.0, 0.3, 0.6, 1.0])
_SCENARIO_SD_PRIOR: Final = np.array([0.6, 0.15, 0.15, 0.1])
_NOISE_SD: Final = 0.8
_DROPS: Final = (0.25, 0.5, 0.9)
"""By how much the rate of a fallen case is lower, down to `_LEAST_RATE`. A rate of `_CAN_FALL` or less cannot fall."""
_DROP_PRIOR: Final = (0.4, 0.4, 0.2)
_LEAST_RATE: Final = 0.03
_CAN_FALL: Final = 0.35
_RATE_PRIOR: Final = np.exp(-(((_RATES - 3.5) / 2.2) ** 2) / 2)
_PRIOR_CASES: Final = 8.0
"""The prior of the rates counts as much as this many cases."""
_FALLEN_SHARES: Final = (0.01, 0.05, 0.1, 0.5)
"""Shares of fallen cases. With fewer than ten cases, the least is a tenth."""
_BROKEN_SHARE: Final = 0.9
"""The share of cases with the largest drop in a scenario that broke."""
_BROKEN_PRIOR: Final = 0.01
"""Of a scenario with several cases."""
_FALLEN_SHARE_PRIOR: Final = (0.315, 0.315, 0.315, 0.055)
_LOWER_PRIOR: Final = 0.05
_LOWER_SD: Final = 2.0
"""Of the shift of a session in which everything is lower than usual."""
_FIT_STEPS: Final = 20
REGRESSED_AT: Final = 2 / 3
"""A case regressed if it got worse with at least this chance."""
SUSPECTED_AT: Final = 0.5
_SUSPICIOUS_CALLS: Final = 28
"""A case is called again if its chance is at least this, divided by the calls of the suite, within `_SUSPICIOUS`."""
_SUSPICIOUS: Final = (0.03, 0.35)
_SURE: Final = 0.95
"""Above it, further calls would not change the verdict."""
_LOWER_AT: Final = 0.5
_WORSE_AT: Final = 0.55
_SUITE_CASES: Final = 5
"""Of fewer cases, each is judged alone."""
_TINY: Final = 1e-300
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)


def _sigmoid(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-logits))


def _normalised(weights: Floats) -> Floats:
    return weights / weights.sum(axis=-1, keepdims=True)


def _from_logs(logs: Floats) -> Floats:
    """Weights that sum to 1 over the last axis."""
    return _normalised(np.exp(logs - logs.max(axis=-1, keepdims=True)))


def _log_sum(logs: Floats) -> Floats:
    """The log of the sum of exponentials, over the last axis."""
    highest = logs.max(axis=-1)
    return np.log(np.exp(logs - highest[..., None]).sum(axis=-1)) + highest


def _normal(sd: float) -> Floats:
    return _normalised(np.exp(-((_SHIFTS / sd) ** 2) / 2))


def _kernel(sd: float) -> Floats:
    """How likely each shift of a scenario is (column), given that of its session (row)."""
    if not sd:
        return np.eye(len(_SHIFTS))
    return _normalised(np.exp(-(((_SHIFTS[:, None] - _SHIFTS) / sd) ** 2) / 2))


_KERNELS: Final = [_kernel(sd) for sd in _SCENARIO_SDS]


def _likelihood(logits: Floats, counts: Counts) -> Floats:
    """By rate and shift, relative to the likelihood at the observed rate, so that many calls do not underflow."""
    passed, total = counts
    shifted = logits[:, None, None] + _SHIFTS[:, None] + _NOISE_SD * _NODES
    logs = -passed * np.logaddexp(0, -shifted) - (total - passed) * np.logaddexp(0, shifted)
    best = sum(count * np.log(count / total) for count in (passed, total - passed) if count)
    return np.exp(logs - best) @ _normalised(_NODE_WEIGHTS) + _TINY


@lru_cache(maxsize=4096)
def _same(counts: Counts) -> Floats:
    return _likelihood(_RATES, counts)


@lru_cache(maxsize=4096)
def _fallen(counts: Counts) -> Floats:
    """By drop, rate and shift."""
    usual = _sigmoid(_RATES)
    rates = [np.where(usual > _CAN_FALL, np.maximum(usual - drop, _LEAST_RATE), usual) for drop in _DROPS]
    return np.array([_likelihood(np.log(rate / (1 - rate)), counts) for rate in rates])


def _blurred(logs: Floats, kernel: Floats) -> Floats:
    """The log likelihood of each shift of a session, from that of each shift of a scenario (last axis)."""
    highest = logs.max(axis=-1, keepdims=True)
    return np.log(np.exp(logs - highest) @ kernel.T + _TINY) + highest


@frozen
class History:
    """What earlier sessions show. `weights` say how likely each rate of a case is, by case id. `shifts` is how likely
    each shift of another session is, by standard deviation of the scenarios; all of it sums to 1."""

    counts: Mapping[str, Counts]
    weights: Mapping[str, Floats]
    scenarios: Mapping[str, str]
    beside: Collection[str]
    shifts: Floats


def fit(
    sessions: Sequence[Mapping[str, Counts]], scenarios: Mapping[str, str], beside: Collection[str] = ()
) -> History:
    """Learn how often cases pass, and how much sessions and scenarios differ anyway.

    Args:
        sessions: (passed, total) by case id; each total is at least 1. There is at least one session with a case.
        scenarios: the scenario of each case.
        beside: the cases whose calls another case has too. They say nothing more of their session.
    """
    names = sorted({name for session in sessions for name in session})
    groups, _ = _groups(names, scenarios, beside)
    usual = np.tile(_SESSION_SD_PRIOR @ np.array([_normal(sd) for sd in _SESSION_SDS]), (len(sessions), 1))
    by_rate, joint = np.zeros((len(names), len(_RATES))), np.zeros((len(_SCENARIO_SDS), len(_SESSION_SDS)))
    prior = _normalised(_RATE_PRIOR)
    by_counts = [_alike(names, session) for session in sessions]
    for _ in range(2):  # first with the usual shifts, then with those that the sessions had
        own = np.zeros((len(sessions), len(names), len(_RATES)))
        for rows, cases, shift in zip(own, by_counts, usual, strict=True):
            for each, indices in cases.items():
                rows[indices] = np.log(_same(each) @ shift)
        by_rate = own.sum(axis=0)
        prior = _rate_prior(by_rate)
        joint, usual = _shifts_of_sessions(by_counts, groups, np.log(prior + _TINY) + by_rate - own)
    weights = _from_logs(np.log(prior + _TINY) + by_rate)
    wider = np.array([_normal(sd * np.sqrt(1 + 1 / len(sessions))) for sd in _SESSION_SDS])
    counts: dict[str, Counts] = {}
    for name, (passed, total) in (each for session in sessions for each in session.items()):
        before = counts.get(name, (0, 0))
        counts[name] = before[0] + passed, before[1] + total
    return History(counts, dict(zip(names, weights, strict=True)), scenarios, beside, joint @ wider)


def _alike(names: Sequence[str], session: Mapping[str, Counts]) -> dict[Counts, list[int]]:
    """The cases of a session by their counts: many are equal, and are computed once."""
    found: dict[Counts, list[int]] = {}
    for index, name in enumerate(names):
        if name in session:
            found.setdefault(session[name], []).append(index)
    return found


def _groups(names: Sequence[str], scenarios: Mapping[str, str], beside: Collection[str]) -> tuple[Floats, Floats]:
    """Which cases (columns) a scenario (row) has, as 1 or 0: those that say something of their session, and all."""
    own = np.array([scenarios[name] for name in names])
    has = (np.unique(own)[:, None] == own).astype(float)
    return has * np.array([name not in beside for name in names]), has


def _rate_prior(by_rate: Floats) -> Floats:
    """How the rates of all cases are distributed, by expectation and maximisation."""
    base = _normalised(_RATE_PRIOR)
    prior = base
    for _ in range(_FIT_STEPS):
        found = _from_logs(np.log(prior + _TINY) + by_rate).sum(axis=0)
        prior = (found + _PRIOR_CASES * base) / (len(by_rate) + _PRIOR_CASES)
    return prior


def _shifts_of_sessions(
    sessions: Sequence[Mapping[Counts, list[int]]], groups: Floats, others: Floats
) -> tuple[Floats, Floats]:
    """How likely the standard deviations of scenarios (rows) and sessions (columns) are, and the shifts of each session
    as its cases see them. `others` is the log of how likely each rate is without that session, by session and case."""
    by_sd = np.array([_normal(sd) for sd in _SESSION_SDS])
    found = np.log(np.outer(_SCENARIO_SD_PRIOR, _SESSION_SD_PRIOR))
    logs: list[Floats] = []
    for session, rates in zip(sessions, others, strict=True):
        by_case = np.zeros((len(rates), len(_SHIFTS)))
        for counts, indices in session.items():
            by_case[indices] = np.log(_from_logs(rates[indices]) @ _same(counts))
        by_group = groups @ by_case
        seen = np.array([_blurred(by_group, kernel).sum(axis=0) for kernel in _KERNELS])
        logs.append(seen[:, None, :] + np.log(by_sd + _TINY))
        found = found + _log_sum(logs[-1])
    joint = np.exp(found - found.max())
    joint /= joint.sum()
    shifts = [np.einsum("cs,csu->cu", joint, _from_logs(each)) for each in logs]
    return joint, np.array([sum(own @ kernel for own, kernel in zip(each, _KERNELS, strict=True)) for each in shifts])


@frozen
class Chances:
    """Probabilities: by case id, that the case got worse; that the session is lower as a whole, in which no case
    differs from the others; and that some cases got worse rather than none, whichever they are."""

    fallen: Mapping[str, float]
    lower: float
    worse: float

    @property
    def is_lower(self) -> bool:
        """Whether everything is lower than usual: the agent got worse, or the platform had a bad hour."""
        return self.lower >= _LOWER_AT

    @property
    def is_worse(self) -> bool:
        return self.worse >= _WORSE_AT and not self.is_lower and len(self.fallen) >= _SUITE_CASES


NOTHING_COMPARED: Final = Chances({}, 0.0, 0.0)
NO_SUSPICIONS: Final[Mapping[str, float]] = {}


def chances(history: History, now: Mapping[str, Counts], suspicions: Mapping[str, float] = NO_SUSPICIONS) -> Chances:
    """Compare a session with earlier ones. Only cases with calls on both sides take part.

    Args:
        suspicions: how likely a case had got worse before these calls, by case id, where that is known.
    """
    names = sorted(name for name, counts in now.items() if counts[1] and name in history.weights)
    if not names:
        return NOTHING_COMPARED
    groups, has = _groups(names, history.scenarios, history.beside)
    suspected = np.array([[suspicions.get(name, 0.0)] for name in names])
    same = np.array([history.weights[name] @ _same(now[name]) for name in names])
    by_drop = np.array([history.weights[name] @ _fallen(now[name]) for name in names])
    fallen = np.average(by_drop, axis=1, weights=_DROP_PRIOR)
    broken = (1 - _BROKEN_SHARE) * same + _BROKEN_SHARE * by_drop[:, -1]
    breaks = np.where(groups.sum(axis=1, keepdims=True) > 1, _BROKEN_PRIOR, _TINY)
    evidence: list[Floats] = []
    probabilities: list[Floats] = []
    for share, prior in zip(_FALLEN_SHARES, _FALLEN_SHARE_PRIOR, strict=True):
        one = np.maximum(suspected, max(share, min(0.1, 1 / len(names))))
        mixed = (1 - one) * same + one * fallen
        apart = np.log(1 - breaks) + groups @ np.log(mixed)
        together = np.log(breaks) + groups @ np.log(broken)
        by_group = np.logaddexp(apart, together)
        is_broken = has.T @ np.exp(together - by_group)
        is_fallen = (1 - is_broken) * one * fallen / mixed + is_broken * _BROKEN_SHARE * by_drop[:, -1] / broken
        for kernel, shifts in zip(_KERNELS, history.shifts, strict=True):
            blurred = _blurred(by_group, kernel)
            joint = np.log(prior * shifts + _TINY) + blurred.sum(axis=0)
            # How likely each shift of a scenario is: by its own cases, and by what all others say of the session.
            others = _from_logs(joint - blurred) @ kernel
            seen = _from_logs(np.log(others + _TINY) + by_group)
            evidence.append(_log_sum(joint))
            probabilities.append(((has.T @ seen) * is_fallen).sum(axis=1))
    some = _log_sum(np.array(evidence))
    by_kernel = [_blurred(groups @ np.log(same), kernel).sum(axis=0) for kernel in _KERNELS]
    none = _log_sum((np.log(history.shifts + _TINY) + by_kernel).ravel())
    is_lower = np.log(_normalised(np.where(_SHIFTS < 0, _normal(_LOWER_SD), 0.0)) + _TINY)
    all_lower = _log_sum(_log_sum(is_lower + by_kernel) + np.log(history.shifts.sum(axis=1) + _TINY))
    lower = _probability(np.log(_LOWER_PRIOR / (1 - _LOWER_PRIOR)) + all_lower - some)
    found = _from_logs(np.array(evidence)) @ np.array(probabilities) * (1 - lower)
    worse = _probability(some - none) if _passed_less(names, history, now) else 0.0
    return Chances(dict(zip(names, found.tolist(), strict=True)), lower, worse)


def suspicious(found: Chances, calls: int, sessions: int) -> list[str]:
    """The cases that further calls would decide, most suspicious first.

    Args:
        calls: of the suite, as planned.
        sessions: how many earlier ones it was compared with.
    """
    least, greatest = _SUSPICIOUS
    limit = min(max(_SUSPICIOUS_CALLS / calls * (1 + 1 / max(1, sessions)), least), greatest)
    names = (name for name, chance in found.fallen.items() if limit <= chance <= _SURE)
    return sorted(names, key=lambda name: (-found.fallen[name], name))


def _passed_less(names: Sequence[str], history: History, now: Mapping[str, Counts]) -> bool:
    """Whether the cases that count for the suite passed less often than before, on average."""
    before, latest = (
        sum(side[name][0] / side[name][1] for name in names if name not in history.beside)
        for side in (history.counts, now)
    )
    return latest < before


def _probability(log_odds: Floats) -> float:
    return float(1 / (1 + np.exp(-np.clip(log_odds, -700, 700))))


def got_worse(before: Counts, now: Counts) -> bool:
    """Whether one case regressed, by these calls alone."""
    return chances(fit([{"": before}], {"": ""}), {"": now}).fallen[""] >= REGRESSED_AT
