"""How often a regression is found, and how often one is reported without a change: `python tests/benchmarks/power.py`.

    python tests/benchmarks/power.py [HISTORIES] [PART…]     parts: main sizes gate, each alone as well

Suites of 50 cases (40 % pass always, 30 % in 95 % of calls, 20 % in 90 %, 10 % in 80 %), some of which fall by 30
points. Every history of earlier sessions is drawn anew, and compared with five new sessions for each number of drops,
so that 100 histories are 500 suites. All methods get the same number of calls. `old` compares with the last session
alone (Fisher's test with Holm's correction, and the exact test of the suite), `equal` is `planner.verdicts.regression`
with the same number of calls for each case, `waves` is the same where the calls follow the suspicion (`next_wave`).

The constants of the model were chosen with seed 7. What is printed uses other seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner import statistics
from planner.results.outcomes import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p, stratified_p
from planner.verdicts import comparison
from planner.verdicts.comparison import SIGNIFICANCE, compare, compare_suite
from planner.verdicts.regression import MODEL, Floats, Scorer, Scores, Session, fit, scorer
from tests.support.samples import one_side

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
MIXTURE: Final = ((1.0, 0.4), (0.95, 0.3), (0.9, 0.2), (0.8, 0.1))
"""(rate, share of the cases)."""
DROP: Final = 0.3
NEW_SESSIONS: Final = 5
SEED: Final = 20261130


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the logit: of a whole session, and of each case in each session."""

    shared: float = 0.0
    own: float = 0.0

    def __str__(self) -> str:
        if self.shared:
            return f"shared {self.shared}"
        return f"per case {self.own}" if self.own else "none"

    def applied(self, rates: Floats, random: np.random.Generator) -> Floats:
        """The rates of each session (row)."""
        with np.errstate(divide="ignore"):
            logits = np.log(rates / (1 - rates))
        logits = logits + self.shared * random.standard_normal((len(rates), 1))
        return 1 / (1 + np.exp(-logits - self.own * random.standard_normal(rates.shape)))


NOISES: Final = (Noise(), Noise(shared=0.5), Noise(own=0.5), Noise(shared=1.0), Noise(own=1.0))


@dataclass(frozen=True)
class Wave:
    """`calls` more for each of at most `cases` cases."""

    cases: int
    calls: int


FIRST_CALLS: Final = 2
"""Calls of every case before the first wave."""
WAVE_SHARES: Final = (0.4, 0.2, 0.1, 0.06)
"""Shares of the cases that each wave calls; the waves share the rest of the calls equally."""
SETTLED: Final = (0.003, 0.985)
"""A case that changed with a smaller or larger probability needs no more calls."""


def waves_of(cases: int, calls: int) -> list[Wave]:
    """The waves after the first calls, for `calls` a case on average. For 50 cases and 5 calls: 19 cases get 2 more, 10
    get 4, 5 get 8 and 3 get 12."""
    rest = cases * (calls - FIRST_CALLS) / len(WAVE_SHARES)
    waves: list[Wave] = []
    for share in WAVE_SHARES:
        each = max(1, round(rest / max(1, cases * share)))
        waves.append(Wave(max(1, min(cases, int(rest / each))), each))
    return waves


def next_wave(scores: Scores, left: Integers, wave: Wave) -> Integers:
    """The calls of the next wave, by session and case: for the cases that most likely changed, as far as calls are
    left. Never more than are left of the consented ones."""
    low, high = SETTLED
    is_open = (scores.probabilities >= low) & (scores.probabilities <= high)
    order = np.argsort(np.where(is_open, -scores.probabilities, 1.0), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None], axis=1)
    most = np.minimum(wave.cases, left // wave.calls)
    return (is_open & (rank < most[:, None])) * wave.calls


def played(prepared: Scorer, rates: Floats, calls: int, waves: Sequence[Wave], random: np.random.Generator) -> Scores:
    """The scores of sessions with these rates, by session and case, once all calls are made."""
    total = np.full(rates.shape, min(FIRST_CALLS, calls) if waves else calls)
    passed = random.binomial(total, rates)
    scores = prepared.score(passed, total)
    consented = calls * rates.shape[1]
    for wave in waves:
        more = next_wave(scores, consented - total.sum(axis=1), wave)
        total += more
        passed += random.binomial(more, rates)
        scores = prepared.score(passed, total)
    assert (total.sum(axis=1) <= consented).all()
    return scores


def possible_totals(calls: int, waves: Sequence[Wave]) -> set[int]:
    totals = {min(FIRST_CALLS, calls) if waves else calls}
    for wave in waves:
        totals |= {total + wave.calls for total in totals}
    return totals


@dataclass
class Tally:
    """Shares of suites with an alarm, of fallen cases named, and wrongly named cases a suite."""

    suites: int = 0
    alarms: int = 0
    named: int = 0
    wrong: int = 0

    def add(self, alarm: Flags, named: Flags, fallen: Flags) -> None:
        """All by session; the latter two also by case."""
        self.suites += len(alarm)
        self.alarms += int(alarm.sum())
        self.named += int((named & fallen).sum())
        self.wrong += int((named & ~fallen).sum())

    def row(self, drops: int) -> str:
        named = f" / {self.named / self.suites / drops:.0%}" if drops else ""
        return f"{self.alarms / self.suites:.1%}{named} / {self.wrong / self.suites:.2f}"


@dataclass(frozen=True)
class Setting:
    cases: int
    calls: int
    sessions: int
    noise: Noise
    mixture: Sequence[tuple[float, float]] = MIXTURE

    @property
    def rates(self) -> Floats:
        return np.concatenate([np.full(round(share * self.cases), rate) for rate, share in self.mixture])


def measure(setting: Setting, drops: Sequence[int], histories: int, seed: int) -> dict[str, list[Tally]]:
    """By method, for each number of drops."""
    random = np.random.default_rng([SEED, seed])
    names = [f"case-{number}" for number in range(setting.cases)]
    usual = setting.rates
    has_history = setting.sessions > 1
    methods = ("old", "equal", "waves") if has_history else ("old", "exact")
    tallies = {method: [Tally() for _ in drops] for method in methods}
    for _ in range(histories):
        earlier = random.binomial(setting.calls, setting.noise.applied(np.tile(usual, (setting.sessions, 1)), random))
        new: list[tuple[Floats, Flags]] = []
        for each in drops:
            fallen = np.argsort(random.random((NEW_SESSIONS, setting.cases)), axis=1) < each
            new.append((setting.noise.applied(usual - DROP * fallen, random), fallen))
        for index, (rates, fallen) in enumerate(new):
            now = random.binomial(setting.calls, rates)
            for method in ("old", "exact"):
                if method in tallies:
                    found = [_exact(method, earlier[-1], row, setting.calls) for row in now]
                    alarms, named = zip(*found, strict=True)
                    tallies[method][index].add(np.array(alarms), np.array(named), fallen)
        if not has_history:
            continue
        fitted = fit([Session(dict(zip(names, _counts(row, setting.calls), strict=True))) for row in earlier])
        for method, waves in (("equal", []), ("waves", waves_of(setting.cases, setting.calls))):
            prepared = scorer(fitted, dict.fromkeys(names, possible_totals(setting.calls, waves)))
            unchanged = prepared.draw_rates(MODEL.simulations, random)
            simulated = np.sort(played(prepared, unchanged, setting.calls, waves, random).statistics)
            for index, (rates, fallen) in enumerate(new):
                scores = played(prepared, rates, setting.calls, waves, random)
                as_extreme = len(simulated) - np.searchsorted(simulated, scores.statistics)
                p_values = (1 + as_extreme) / (1 + len(simulated))
                alarm = (scores.statistics > 0) & (p_values <= MODEL.false_alarm_rate)
                named = alarm[:, None] & (scores.probabilities >= MODEL.changed_at)
                tallies[method][index].add(alarm, named, fallen)
    return tallies


def _counts(passed: Integers, total: int) -> Iterator[Counts]:
    return ((int(each), total) for each in passed)


def _exact(method: str, before: Integers, now: Integers, calls: int) -> tuple[bool, Flags]:
    """(alarm, named cases) of the tests that know one earlier session only."""
    pairs = list(zip(_counts(before, calls), _counts(now, calls), strict=True))
    if method == "old":
        p_values = {str(index): fisher_mid_p(*pair) for index, pair in enumerate(pairs)}
        family = could_differ({str(index): least_mid_p(*pair) for index, pair in enumerate(pairs)}, SIGNIFICANCE)
        different = holm({name: p_values[name] for name in family}, SIGNIFICANCE)
        named = np.array([str(index) in different for index in range(len(pairs))]) & (now < before)
        is_worse = now.sum() < before.sum() and stratified_p(pairs) <= SIGNIFICANCE
        return bool(named.any() or is_worse), named
    samples = {
        str(index): tuple(one_side(CaseOutcome.FLAKY, *counts) for counts in pair) for index, pair in enumerate(pairs)
    }
    words = compare(samples)  # pyright: ignore[reportArgumentType] - each has two sides
    named = np.array([words[str(index)] == "regressed" for index in range(len(pairs))])
    return bool(named.any() or compare_suite(samples).compared == "worse"), named  # pyright: ignore[reportArgumentType]


def table(title: str, settings: Sequence[Setting], drops: Sequence[int], histories: int) -> None:
    """Print one table."""
    print(f"\n{title}; {histories * NEW_SESSIONS:,} suites a cell.")
    print("Alarms / fallen cases named / wrong names a suite.\n")
    print("| Calls | Sessions | Method | " + " | ".join(f"{each} fall" if each else "none" for each in drops) + " |")
    print("|---" * (3 + len(drops)) + "|")
    for seed, setting in enumerate(settings):
        for method, tallies in measure(setting, drops, histories, seed).items():
            cells = " | ".join(tally.row(each) for tally, each in zip(tallies, drops, strict=True))
            print(f"| {setting.calls} | {setting.sessions} | {method} | {cells} |", flush=True)


def gate(histories: int) -> None:
    """How often the required check is red without a change, 80 % required."""
    suites = histories * NEW_SESSIONS
    for noise in NOISES[:2]:
        print(f"\n**The gate, 50 unchanged cases, 80 % required, noise: {noise}**; {suites:,} suites a cell.\n")
        print(
            "| True rate | Calls | strict | regressions, 1 session | regressions, 5 sessions |\n|---|---|---|---|---|"
        )
        for rate in (0.9, 0.95, 0.98, 1.0):
            for calls in (3, 5, 10):
                settings = [Setting(50, calls, sessions, noise, ((rate, 1.0),)) for sessions in (1, 5)]
                random = np.random.default_rng([SEED, calls])
                passed = random.binomial(calls, noise.applied(np.tile(settings[0].rates, (suites, 1)), random))
                strict = (10 * passed < 8 * calls).any(axis=1).mean()
                one, several = (measure(setting, (0,), histories, calls) for setting in settings)
                red = [strict, *(tally.alarms / tally.suites for (tally,) in (one["exact"], several["equal"]))]
                print(f"| {rate:.0%} | {calls} | {' | '.join(f'{share:.1%}' for share in red)} |", flush=True)


def main(histories: int, parts: Sequence[str]) -> None:
    if "main" in parts:
        for noise in NOISES:
            cells = [Setting(50, calls, sessions, noise) for calls in (3, 5, 10) for sessions in (1, 2, 5, 20)]
            table(f"**50 cases, noise: {noise}**", cells, (0, 1, 5, 25), histories)
    if "sizes" in parts:
        for cases, drops in ((10, (0, 1, 3, 5)), (300, (0, 1, 30, 150))):
            for noise in NOISES[:3]:
                table(f"**{cases} cases, noise: {noise}**", [Setting(cases, 5, 5, noise)], drops, histories)

    if "gate" in parts:
        gate(histories)


def remember() -> None:
    """Suites meet the same few tables again and again."""
    for module, names in ((comparison, ("fisher_mid_p", "least_mid_p")), (statistics, ("_tables",))):
        for name in names:
            setattr(module, name, cache(getattr(module, name)))


if __name__ == "__main__":
    remember()
    fisher_mid_p, least_mid_p = cache(fisher_mid_p), cache(least_mid_p)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, sys.argv[2:] or ["main", "sizes", "gate"])
