"""How often a regression is found, and how often one is reported without a change: `python tests/benchmarks/power.py`.

    python tests/benchmarks/power.py [HISTORIES] [PART…]     parts: usual grid everywhere sizes gate, each alone

Suites of 50 cases (40 % pass always, 30 % in 95 % of calls, 20 % in 90 %, 10 % in 80 %), some of which fall by 30
points. Every history of earlier sessions is drawn again, and compared with ten new sessions for each number of drops,
so that 40 histories are 400 suites. `old` compares with the last session alone (Fisher's test with Holm's correction,
and the exact test of the suite), `test` is the regression test.

The constants of the model were chosen with other seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner import statistics
from planner.results.outcomes import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p, stratified_p
from planner.verdicts import comparison
from planner.verdicts.chances import chances, worse_alike
from planner.verdicts.comparison import SIGNIFICANCE, compare, compare_suite
from planner.verdicts.regression import MODEL, Fit, Floats, Integers, Scorer, Scores, fit, scorer
from planner.verdicts.sessions import Session
from tests.support.samples import one_side

Flags = NDArray[np.bool_]
MIXTURE: Final = ((1.0, 0.4), (0.95, 0.3), (0.9, 0.2), (0.8, 0.1))
"""(rate, share of the cases)."""
REQUIRED: Final = 0.8
NEW_SESSIONS: Final = 10
SEED: Final = 20261130
GRID_SEED = 4_000
METHODS: Final = ("old", "exact", "test")
"""`exact`: what `planner` uses for want of a second session. `test` needs it."""


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
        return self.of_cases(rates, self.shared * random.standard_normal((len(rates), 1)), random)

    def of_cases(self, rates: Floats, shifts: Floats, random: np.random.Generator) -> Floats:
        """The rates of each session, which shifts all of its logits."""
        with np.errstate(divide="ignore"):
            logits = np.log(rates / (1 - rates))
        return 1 / (1 + np.exp(-logits - shifts - self.own * random.standard_normal(rates.shape)))


NOISES: Final = (Noise(), Noise(shared=0.5), Noise(own=0.5), Noise(shared=1.0), Noise(own=1.0))


@dataclass(frozen=True)
class Setting:
    """A suite, its calls a case, its earlier sessions, and what the new session is like.

    Args:
        drop: how much the rate of a case that gets worse falls.
        hour: added to the logits of all rates of the new sessions: a bad hour.
    """

    cases: int = 50
    calls: int = 5
    sessions: int = 5
    noise: Noise = Noise()
    mixture: Sequence[tuple[float, float]] = MIXTURE
    drop: float = 0.3
    hour: float = 0.0

    @property
    def rates(self) -> Floats:
        return np.concatenate([np.full(round(share * self.cases), rate) for rate, share in self.mixture])

    @property
    def names(self) -> list[str]:
        return [f"case-{number}" for number in range(self.cases)]


@dataclass
class Tally:
    """Shares of suites with an alarm, of fallen cases named, and wrongly named cases a suite."""

    suites: int = 0
    alarms: int = 0
    alike: int = 0
    """Alarms that say that everything is worse, because of the agent or of a bad hour."""
    named: int = 0
    wrong: int = 0
    by_history: list[float] = field(default_factory=list[float])
    """The share of suites with an alarm, by history: suites with the same history are not independent."""

    @property
    def error(self) -> float:
        """Standard error of the share of suites with an alarm."""
        return float(np.std(self.by_history) / np.sqrt(len(self.by_history)))

    def add(self, alarm: Flags, named: Flags, fallen: Flags, alike: Flags | None = None) -> None:
        """All by session; `named` and `fallen` also by case."""
        self.suites += len(alarm)
        self.by_history.append(float(alarm.mean()))
        self.alarms += int(alarm.sum())
        self.alike += 0 if alike is None else int(alike.sum())
        self.named += int((named & fallen).sum())
        self.wrong += int((named & ~fallen).sum())

    def row(self, drops: int) -> str:
        named = f" / {self.named / self.suites / drops:.0%}" if drops else ""
        return (
            f"{self.alarms / self.suites:.1%} ({self.alike / self.suites:.1%}){named} / {self.wrong / self.suites:.2f}"
        )


class NewSessions(NamedTuple):
    """By session and case."""

    rates: Floats
    fallen: Flags


def new_sessions(setting: Setting, drops: int, random: np.random.Generator) -> NewSessions:
    """The rates of the cases, and the cases that fell."""
    fallen = np.argsort(random.random((NEW_SESSIONS, setting.cases)), axis=1) < drops
    shifts = setting.hour + setting.noise.shared * random.standard_normal((NEW_SESSIONS, 1))
    return NewSessions(setting.noise.of_cases(setting.rates - setting.drop * fallen, shifts, random), fallen)


def measure(
    setting: Setting, drops: Sequence[int], histories: int, seed: int, methods: Sequence[str] = METHODS
) -> dict[str, list[Tally]]:
    """By method, for each number of drops."""
    random = np.random.default_rng([SEED, seed])
    possible = ("old", "exact") if setting.sessions == 1 else ("old", "test")
    methods = [method for method in methods if method in possible]
    tallies = {method: [Tally() for _ in drops] for method in methods}
    for _ in range(histories):
        earlier = random.binomial(
            setting.calls, setting.noise.applied(np.tile(setting.rates, (setting.sessions, 1)), random)
        )
        new = [new_sessions(setting, each, random) for each in drops]
        for index, sessions in enumerate(new):
            passed = random.binomial(setting.calls, sessions.rates)
            for method in {"old", "exact"}.intersection(methods):
                found = [exact(method, earlier[-1], row, setting.calls) for row in passed]
                alarms, named = zip(*found, strict=True)
                tallies[method][index].add(np.array(alarms), np.array(named), sessions.fallen)
        if "test" not in methods:
            continue
        names = setting.names
        fitted = fit([Session(dict(zip(names, _counts(row, setting.calls), strict=True))) for row in earlier])
        judge = Judge.of(fitted, names, setting.calls, random)
        for tally, sessions in zip(tallies["test"], new, strict=True):
            compared = judge.compare(sessions.rates, random)
            tally.add(compared.alarm, compared.named, sessions.fallen, compared.alike)
    return tallies


class Compared(NamedTuple):
    """By session: whether there is an alarm, and one that everything is worse; and the cases that are named."""

    alarm: Flags
    alike: Flags
    named: Flags


@dataclass(frozen=True)
class Judge:
    """The regression test after one history."""

    scorer: Scorer
    calls: int
    unchanged: Scores
    """Of simulated sessions in which nothing changed."""

    @classmethod
    def of(cls, fitted: Fit, names: Sequence[str], calls: int, random: np.random.Generator) -> Judge:
        prepared = scorer(fitted, dict.fromkeys(names, calls))
        rates = prepared.draw_rates(MODEL.simulations, random)
        return cls(prepared, calls, prepared.score(random.binomial(calls, rates), np.full(rates.shape, calls)))

    def compare(self, rates: Floats, random: np.random.Generator) -> Compared:
        passed = random.binomial(self.calls, rates)
        scores = self.scorer.score(passed, np.full(rates.shape, self.calls))
        found = chances(scores, self.unchanged)
        alarm = found.of_either <= MODEL.false_alarm_rate
        alike = worse_alike(scores, found, self.scorer.fitted.model)
        named = (alarm & ~alike)[:, None] & (scores.probabilities >= MODEL.changed_at)
        return Compared(alarm, alarm & alike, named)


def _counts(passed: Integers, total: int) -> Iterator[Counts]:
    return ((int(each), total) for each in passed)


def exact(method: str, before: Integers, now: Integers, calls: int) -> tuple[bool, Flags]:
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


def table(title: str, settings: Sequence[Setting], drops: Sequence[int], histories: int, first_seed: int = 0) -> None:
    """Print one table."""
    print(f"\n{title}; {histories * NEW_SESSIONS:,} suites a cell.")
    print("Alarms (of which: everything is worse) / fallen cases named / wrong names a suite.\n")
    print("| Calls | Sessions | Method | " + " | ".join(f"{each} fall" if each else "none" for each in drops) + " |")
    print("|---" * (3 + len(drops)) + "|")
    errors: list[float] = []
    for seed, setting in enumerate(settings, first_seed):
        for method, tallies in measure(setting, drops, histories, seed).items():
            cells = " | ".join(tally.row(each) for tally, each in zip(tallies, drops, strict=True))
            print(f"| {setting.calls} | {setting.sessions} | {method} | {cells} |", flush=True)
            errors += [tally.error for tally in tallies]
    print(
        f"\nStandard error of an alarm rate: at most {max(errors):.1%}, on average {np.mean(errors):.1%}.", flush=True
    )


def gate(histories: int) -> None:
    """How often the required check is red without a change, 80 % required."""
    suites = histories * NEW_SESSIONS
    for noise in NOISES[:2]:
        print(f"\n**The gate, 50 unchanged cases, 80 % required, noise: {noise}**; {suites:,} suites a cell.\n")
        print("| True rate | Calls | strict | regressions, 1 session | 5 sessions | undecided |")
        print("|---|---|---|---|---|---|")
        for rate in (0.9, 0.95, 0.98, 1.0):
            for calls in (3, 5, 10):
                one, several = (
                    Setting(calls=calls, sessions=sessions, noise=noise, mixture=((rate, 1.0),)) for sessions in (1, 5)
                )
                (alone,) = measure(one, (0,), histories, calls, ("exact",))["exact"]
                (tested,) = measure(several, (0,), histories, calls, ("test",))["test"]
                random = np.random.default_rng([SEED, calls])
                passed = random.binomial(calls, noise.applied(np.tile(one.rates, (suites, 1)), random))
                strict = (passed < REQUIRED * calls).any(axis=1).mean()
                found = (alone.alarms, tested.alarms - tested.alike, tested.alike)
                red = [strict, *(each / suites for each in found)]
                print(f"| {rate:.0%} | {calls} | {' | '.join(f'{share:.1%}' for share in red)} |", flush=True)


def main(histories: int, parts: Sequence[str]) -> None:
    if "usual" in parts:
        for noise in NOISES:
            table(f"**50 cases, noise: {noise}**", [Setting(noise=noise)], (0, 1, 5, 25), histories)
    if "grid" in parts:
        for noise in NOISES:
            cells = [Setting(50, calls, sessions, noise) for calls in (3, 5, 10) for sessions in (1, 2, 5, 20)]
            table(f"**50 cases, noise: {noise}**", cells, (0, 1, 5, 25), histories, GRID_SEED)
    if "everywhere" in parts:
        for noise in NOISES:
            table(f"**50 cases, noise: {noise}**", [Setting(noise=noise)], (50,), histories)
        table("**A bad hour (-1.5), noise: none and shared 0.5**", [Setting(hour=-1.5)], (0,), histories)
        table("", [Setting(noise=Noise(shared=0.5), hour=-1.5)], (0,), histories)
    if "sizes" in parts:
        for cases, drops in ((10, (0, 1, 3, 5)), (300, (0, 1, 30, 150))):
            for noise in NOISES[:3]:
                table(f"**{cases} cases, noise: {noise}**", [Setting(cases, 5, 5, noise)], drops, histories)
    if "gate" in parts:
        gate(histories)


def remember() -> None:
    """Suites meet the same few tables again and again."""
    global fisher_mid_p, least_mid_p
    fisher_mid_p, least_mid_p = cache(fisher_mid_p), cache(least_mid_p)
    for module, names in ((comparison, ("fisher_mid_p", "least_mid_p")), (statistics, ("_tables",))):
        for name in names:
            setattr(module, name, cache(getattr(module, name)))


if __name__ == "__main__":
    remember()
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 40,
        sys.argv[2:] or ["usual", "grid", "everywhere", "sizes", "gate"],
    )
