"""The regression test: did the agent get worse, given how much its sessions differ anyway?

A suite of cases was called in earlier sessions, and again now. The model knows how often each case passes, how much a
whole session shifts all cases (a bad hour of the platform) and how much one case varies from session to session. It
says whether the suite changed, and how likely each case changed.

Pure functions, without a clock; random numbers come from a fixed seed. `docs/statistics.md` explains the method, and
`tests/benchmarks/power.py` measures its false alarms and its power.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.statistics import Counts, fisher_mid_p
from planner.values import frozen
from planner.verdicts.sessions import MAX_SESSIONS, Session

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@frozen
class Model:
    """The constants. Rates are on a grid of logits; the shift of a session is added to the logit of every case."""

    rate_logits: tuple[float, ...] = tuple(float(each) for each in np.linspace(-3, 7, 22))
    shifts: tuple[float, ...] = tuple(each / 5 for each in range(-15, 16))
    shift_sds: tuple[float, ...] = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.4)
    """Standard deviations of the shift of a session, in logits."""
    shift_sd_weights: tuple[float, ...] = (0.2, 0.15, 0.2, 0.2, 0.1, 0.1, 0.05)
    case_sds: tuple[float, ...] = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.3)
    """Standard deviations of a case's own noise in a session, in logits."""
    case_sd_weights: tuple[float, ...] = (0.05, 0.15, 0.25, 0.25, 0.1, 0.06, 0.06, 0.04, 0.04)
    case_sd_certainty: float = 0.65
    """The noise of a case is this quantile of its posterior. After few sessions, it is about 0.5."""
    drops: tuple[float, ...] = (0.2, 0.3, 0.45, 0.7)
    """By how much the rate of a regressed case falls."""
    changed_shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
    """Shares of the cases that changed."""
    prior_centre: float = 3.5
    prior_width: float = 2.2
    prior_cases: float = 8.0
    """The prior of the rates counts as much as this many cases."""
    edit_rejected_at: float = 0.1
    """Runs of older configurations of the agent are left out if they differ from the newer ones at this level."""
    fit_steps: int = 30
    max_sessions: int = MAX_SESSIONS
    false_alarm_rate: float = 0.05
    rate_factor: float = 5.0
    """The p-value of the mean pass rate is multiplied by this, so that it adds at most 1 % false alarms."""
    bad_hour_sd: float = 1.5
    """Standard deviation of the shift of a session in which everything is worse (or better), in logits."""
    least_alike: int = 5
    """In a smaller suite, nothing distinguishes all cases from some."""
    low_rate: float = 0.05
    """A session in which all cases are worse alike has a mean pass rate that at most this share of sessions has."""
    least_improvement: float = 1.0
    """The least statistic of a suite that got better. Its mean pass rate is no lower than usual, either."""
    simulations: int = 1000
    changed_at: float = 0.75
    """A case of a changed suite changed if it did so with at least this probability."""
    suspected_at: float = 0.5


MODEL: Final = Model()
_EXTREME_RATE: Final = 0.02
"""A drop leads to no lower rate than this, and a rise to no higher rate than 1 less this."""
_TINY: Final = 1e-300
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
"""Quadrature over a standard normal distribution."""


def _sigmoid(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-logits))


@lru_cache(maxsize=4096)
def _same(model: Model, case_sd: float, counts: Counts) -> Floats:
    """The likelihood of one result of a case, by rate and shift."""
    return _likelihood(model, np.array(model.rate_logits), case_sd, counts)


@lru_cache(maxsize=4096)
def _changed(model: Model, case_sd: float, counts: Counts, sign: int) -> Floats:
    """`_same` for a case whose rate moved by one of `Model.drops`: down for `sign` -1, up for 1."""
    rates = _sigmoid(np.array(model.rate_logits))
    moved = (np.clip(rates + sign * drop, _EXTREME_RATE, 1 - _EXTREME_RATE) for drop in model.drops)
    each = [_likelihood(model, np.log(rate / (1 - rate)), case_sd, counts) for rate in moved]
    return np.mean(each, axis=0)


def _likelihood(model: Model, logits: Floats, case_sd: float, counts: Counts) -> Floats:
    """Relative to the likelihood at the observed rate, so that thousands of runs do not underflow."""
    passed, total = counts
    shifted = logits[:, None, None] + np.array(model.shifts)[:, None] + case_sd * _NODES
    logs = -passed * np.logaddexp(0, -shifted) - (total - passed) * np.logaddexp(0, shifted)
    best = sum(count * np.log(count / total) for count in (passed, total - passed) if count)
    return np.exp(logs - best) @ (_NODE_WEIGHTS / _NODE_WEIGHTS.sum()) + _TINY


@frozen
class Fit:
    """What earlier sessions show. `counts` are the runs of each case that say how often it passes, and `weights` how
    likely each rate therefore is. `rate_prior` is by rate, `shift_prior` by shift, and so is `hour_prior`, of a session
    in which everything may be worse or better."""

    model: Model
    counts: Mapping[str, Counts]
    weights: Mapping[str, Floats]
    rate_prior: Floats
    shift_prior: Floats
    hour_prior: Floats
    case_sd: float


def fit(sessions: Sequence[Session], model: Model = MODEL) -> Fit:
    """Fit the model to earlier sessions, oldest first.

    Outdated runs say how often a case passes only if they do not differ from its newer ones: most edits of an agent
    change nothing. They always say how much sessions differ.
    """
    recent = sessions[-model.max_sessions :]
    counts: dict[str, Counts] = {}
    outdated: dict[str, Counts] = {}
    for session in recent:
        for case_id, own in session.counts.items():
            known = outdated if case_id in session.outdated else counts
            known[case_id] = _added(known.get(case_id, (0, 0)), own)
    alike = {
        case_id
        for case_id, older in outdated.items()
        if case_id in counts and fisher_mid_p(older, counts[case_id]) > model.edit_rejected_at
    }
    counts |= {case_id: _added(counts[case_id], outdated[case_id]) for case_id in alike}
    rows = {case_id: row for row, case_id in enumerate(counts)}
    by_session = [_known_counts(session, rows, session.outdated - alike) for session in recent]
    shift_priors = _shift_priors(model)
    log_likelihood = np.zeros((len(model.shift_sds), len(model.case_sds)))
    rates = [_rates(model, by_session, len(rows), case_sd) for case_sd in model.case_sds]
    for column, fitted in enumerate(rates):
        for session in by_session:
            by_shift = fitted.log_shifts(model, session)
            log_likelihood[:, column] += _log_sum(by_shift + np.log(shift_priors + _TINY))
    posterior = np.exp(log_likelihood - log_likelihood.max())
    posterior *= np.outer(model.shift_sd_weights, model.case_sd_weights)
    posterior /= posterior.sum()
    case_sd = _case_sd(model, posterior.sum(axis=0))
    column = model.case_sds.index(case_sd)
    shift_sd = posterior[:, column]
    widened = _shift_priors(model, 1 + 1 / max(1, len(recent)))
    weights = dict(zip(counts, rates[column].weights(), strict=True))
    shift_prior, hour_prior = shift_sd / shift_sd.sum() @ widened, _normal(model, model.bad_hour_sd)
    return Fit(model, counts, weights, rates[column].prior, shift_prior, hour_prior, case_sd)


@frozen
class _Known:
    """The runs of a session, the cases they belong to, and whether they say how often these pass."""

    rows: Integers
    counts: tuple[Counts, ...]
    counted: NDArray[np.bool_]


def _known_counts(session: Session, rows: Mapping[str, int], uncounted: Collection[str]) -> _Known:
    own = {name: counts for name, counts in session.counts.items() if name in rows}
    return _Known(
        np.array([rows[name] for name in own], dtype=np.int64),
        tuple(own.values()),
        np.array([name not in uncounted for name in own], dtype=np.bool_),
    )


@frozen
class _Rates:
    """How often cases pass if each has this noise of its own in every session. `log_likelihood` is by case and rate."""

    case_sd: float
    prior: Floats
    log_likelihood: Floats

    def weights(self) -> Floats:
        return _weighted(self.prior, self.log_likelihood)

    def log_shifts(self, model: Model, session: _Known) -> Floats:
        """The log likelihood of each shift of a session, given all other runs of its cases."""
        own = _log_same_rates(model, self.case_sd, session.counts)
        others = self.log_likelihood[session.rows] - own.reshape(-1, len(self.prior)) * session.counted[:, None]
        weights = _weighted(self.prior, others)
        found = np.zeros(len(model.shifts))
        for counts in set(session.counts):
            chosen = [row for row, each in enumerate(session.counts) if each == counts]
            found += np.log(weights[chosen] @ _same(model, self.case_sd, counts)).sum(axis=0)
        return found


def _rates(model: Model, sessions: Sequence[_Known], cases: int, case_sd: float) -> _Rates:
    """Empirical Bayes: how the rates of the cases are distributed, and what the sessions say of each."""
    logits = np.array(model.rate_logits)
    found = np.zeros((cases, len(logits)))
    for session in sessions:
        own = _log_same_rates(model, case_sd, session.counts)
        found[session.rows[session.counted]] += own.reshape(-1, len(logits))[session.counted]
    base = np.exp(-(((logits - model.prior_centre) / model.prior_width) ** 2) / 2)
    base /= base.sum()
    prior = base
    for _ in range(model.fit_steps):
        prior = (_weighted(prior, found).sum(axis=0) + model.prior_cases * base) / (cases + model.prior_cases)
    return _Rates(case_sd, prior, found)


@lru_cache(maxsize=4096)
def _log_same_rate(model: Model, case_sd: float, counts: Counts) -> Floats:
    """The log likelihood of one result of a case in a session that shifts nothing, by rate."""
    return np.log(_same(model, case_sd, counts)[:, model.shifts.index(0)])


def _log_same_rates(model: Model, case_sd: float, counts: Sequence[Counts]) -> Floats:
    """By result and rate. Most results are alike."""
    known = {each: _log_same_rate(model, case_sd, each) for each in set(counts)}
    return np.array([known[each] for each in counts])


def _weighted(prior: Floats, log_likelihood: Floats) -> Floats:
    """How likely each rate of the grid is, by case."""
    logs = np.log(prior + _TINY) + log_likelihood
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _added(one: Counts, other: Counts, sign: int = 1) -> Counts:
    return one[0] + sign * other[0], one[1] + sign * other[1]


def _shift_priors(model: Model, widened: float = 1.0) -> Floats:
    """The distribution of the shift of a session, by standard deviation."""
    return np.array([_normal(model, sd * np.sqrt(widened)) for sd in model.shift_sds])


def _normal(model: Model, sd: float) -> Floats:
    shifts = np.array(model.shifts)
    found = np.gradient(shifts) * np.exp(-(shifts**2) / (2 * sd * sd)) if sd else np.where(shifts == 0, 1.0, 0.0)
    return found / found.sum()


def _log_sum(logs: Floats) -> Floats:
    """The log of the sum of exponentials, over the last axis."""
    highest = logs.max(axis=-1, keepdims=True)
    return np.log(np.exp(logs - highest).sum(axis=-1)) + highest[..., 0]


def _case_sd(model: Model, posterior: Floats) -> float:
    """A quantile of the posterior."""
    return model.case_sds[int(np.argmax(np.cumsum(posterior) >= model.case_sd_certainty - 1e-9))]


@frozen
class Scores:
    """Of several sessions. `statistics` are by session: the log of how much better a change of some cases explains the
    counts than no change. `of_some` is the log of how much better it explains them than a session that shifts all
    cases alike. `rates` are the mean pass rates of the cases, by session. `probabilities` that the case changed are by
    session and case."""

    statistics: Floats
    of_some: Floats
    rates: Floats
    probabilities: Floats


@frozen
class Scorer:
    """Scores sessions of these cases. A row of the tables is one case with one result, `first_rows[case]` is the row of
    a case of which no run passed. Columns are shifts, or shares and shifts."""

    fitted: Fit
    cases: tuple[str, ...]
    first_rows: Integers
    log_same: Floats
    log_mixed: Floats
    log_share: Floats
    """The log of the probability that the case changed, given share and shift."""

    def score(self, passed: Integers, total: Integers) -> Scores:
        """Score the counts, by session and case."""
        rows = self.first_rows + passed
        used, columns = np.unique(rows, return_inverse=True)
        columns = columns.reshape(rows.shape)
        sessions = np.arange(len(rows))[:, None] * len(used)
        hits = np.bincount((sessions + columns).ravel(), minlength=len(rows) * len(used)).reshape(-1, len(used))
        alike = hits @ self.log_same[used]
        same = alike + np.log(self.fitted.shift_prior + _TINY)
        shares = len(self.fitted.model.changed_shares)
        joint = hits @ self.log_mixed[used] + np.tile(same, shares)
        changed = _log_sum(joint) - np.log(shares)
        hour = alike + np.log(self.fitted.hour_prior + _TINY)
        statistics, of_some = changed - _log_sum(same), changed - _log_sum(hour)
        weights = np.exp(joint - _log_sum(joint)[:, None])
        by_row = weights @ np.exp(self.log_share[used]).T
        rates = (passed / np.maximum(total, 1)).mean(axis=1)
        return Scores(statistics, of_some, rates, np.take_along_axis(by_row, columns, axis=1))

    def draw_rates(self, sessions: int, random: np.random.Generator) -> Floats:
        """Rates of sessions in which nothing changed, by session and case."""
        model, prior = self.fitted.model, self.fitted.shift_prior
        logits = np.array(model.rate_logits)
        shifts = random.choice(np.array(model.shifts), size=(sessions, 1), p=prior)
        weights = [self.fitted.weights[case_id] for case_id in self.cases]
        levels = np.cumsum(weights, axis=1)
        drawn = random.random((sessions, len(self.cases)))
        rates = (levels[None, :, :-1] < drawn[:, :, None]).sum(axis=2)
        noise = self.fitted.case_sd * random.standard_normal(drawn.shape)
        return _sigmoid(logits[rates] + shifts + noise)


def scorer(fitted: Fit, totals: Mapping[str, int], sign: int = -1) -> Scorer:
    """Prepare scores of sessions.

    Args:
        totals: the number of runs of each case.
        sign: -1 looks for cases that got worse, 1 for cases that got better.
    """
    model, case_sd = fitted.model, fitted.case_sd
    shares = np.array(model.changed_shares)[None, :, None]
    first_rows = np.zeros(len(totals), dtype=np.int64)
    known: dict[tuple[bytes, int], int] = {}
    same_rows: list[Floats] = []
    changed_rows: list[Floats] = []
    for index, (case_id, total) in enumerate(totals.items()):
        weights = fitted.weights[case_id]
        key = (weights.tobytes(), total)
        first_rows[index] = known.setdefault(key, len(same_rows))
        if known[key] < len(same_rows):
            continue
        for result in ((passed, total) for passed in range(total + 1)):
            same_rows.append(weights @ _same(model, case_sd, result))
            changed_rows.append(weights @ _changed(model, case_sd, result, sign))
    same = np.array(same_rows)
    ratio = (np.array(changed_rows) / same)[:, None, :]
    mixed = 1 + shares * (ratio - 1)
    return Scorer(
        fitted,
        tuple(totals),
        first_rows,
        np.log(same),
        np.log(mixed).reshape(len(same), -1),
        np.log(shares * ratio / mixed).reshape(len(same), -1),
    )
