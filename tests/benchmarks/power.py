"""Measure the regression rule: `power.py` writes the appendix docs/statistics.md; `power.py print 5` prints a quick one.

Suites are simulated: 40 % of the cases always pass, 30 % pass in 95 % of calls, 20 % in 90 %, 10 % in 80 %. Some cases
fall by 30 points. Each history of earlier sessions is compared with several new sessions; the number of histories is
the argument, and the names of tables may follow. The constants of the rule were chosen with other seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.changes.estimate import most_confirmations
from planner.session.confirming import ROUNDS
from planner.statistics import Counts
from planner.verdicts.accepted import Accepted, accepted_sessions
from planner.verdicts.regression import REGRESSED_AT, SUSPECTED_AT, Chances, Floats, History, chances, fit, suspicious
from planner.verdicts.sessions import EarlierSession

MIXTURE: Final = ((1.0, 0.4), (0.95, 0.3), (0.9, 0.2), (0.8, 0.1))
"""(rate, share of the cases)."""
REQUIRED: Final = 0.8
NEW_SESSIONS: Final = 10
SEED: Final = 20261207
CASES_OF_A_SCENARIO: Final = 6
APPENDIX: Final = Path(__file__).parents[2] / "docs" / "statistics.md"


class Noise(NamedTuple):
    """Standard deviations of the logit: of a whole session, of a scenario in a session, of a case in a session."""

    session: float = 0.0
    scenario: float = 0.0
    case: float = 0.0

    def __str__(self) -> str:
        parts = [f"{name} {sd}" for name, sd in zip(self._fields, self, strict=True) if sd]
        return ", ".join(parts) or "none"


NO_NOISE: Final = Noise()
NOISES: Final = (NO_NOISE, Noise(session=0.5), Noise(session=1.0), Noise(case=0.5), Noise(scenario=1.0))


@dataclass(frozen=True)
class Setting:
    """`drops` cases fall by `drop`; `hour` is added to the logits of all rates of the new session."""

    cases: int = 50
    calls: int = 5
    sessions: int = 5
    noise: Noise = NO_NOISE
    drops: int = 0
    drop: float = 0.3
    hour: float = 0.0
    mixture: Sequence[tuple[float, float]] = MIXTURE
    confirms: bool = False
    """Suspicious cases are called again."""

    @property
    def rates(self) -> Floats:
        return np.concatenate([np.full(round(share * self.cases), rate) for rate, share in self.mixture])


@dataclass(frozen=True)
class Shares:
    """Of the suites: red, pending (everything is worse). Of the fallen cases: named. Wrong names a suite."""

    red: float
    pending: float
    named: float
    wrong: float
    strict: float
    """A case misses 80 %."""
    added: float
    """Calls that were added, by planned call."""

    def cell(self, *, named: bool = False) -> str:
        pending = f" +{self.pending:.0%}" if round(100 * self.pending) else ""
        return f"{self.red:.0%}{pending}{f' / {self.named:.0%}' if named else ''}"


class Suites:
    """Simulated sessions of one setting. The same setting always gives the same sessions."""

    def __init__(self, setting: Setting, *names: str) -> None:
        self.setting = setting
        self.random = np.random.default_rng([SEED, *repr((setting, *names) if names else setting).encode()])
        self.base = setting.rates
        self.count = len(self.base)
        self.of_scenario = np.arange(self.count) // CASES_OF_A_SCENARIO
        self.last = self.base
        """How likely a call of each case passes in the last session, its noise included."""
        self.scenarios = {str(case): str(scenario) for case, scenario in enumerate(self.of_scenario)}

    def fallen(self) -> NDArray[np.bool_]:
        return np.isin(np.arange(self.count), self.random.choice(self.count, self.setting.drops, replace=False))

    def again(self, case: int, calls: int) -> int:
        """How many further calls of a case in the last session pass."""
        return int(self.random.binomial(calls, self.last[case]))

    def called(self, rates: Floats, hour: float = 0.0) -> dict[str, Counts]:
        noise, random = self.setting.noise, self.random
        with np.errstate(divide="ignore"):
            logits = np.log(rates / (1 - rates)) + hour + noise.session * random.standard_normal()
        logits = logits + noise.scenario * random.standard_normal(self.count)[self.of_scenario]
        logits = logits + noise.case * random.standard_normal(self.count)
        self.last = 1 / (1 + np.exp(-logits))
        passed = random.binomial(self.setting.calls, self.last)
        return {str(case): (int(each), self.setting.calls) for case, each in enumerate(passed)}


class Earlier(NamedTuple):
    """What a session is compared with."""

    history: History
    accepted: Accepted


def confirmed(made: Suites, earlier: Earlier, now: dict[str, Counts]) -> tuple[Chances, dict[str, int]]:
    """What is found after suspicious cases were called again, and how many calls were added to each."""
    found = chances(earlier.history, now, earlier.accepted.suspicions)
    added: dict[str, int] = {}
    calls = made.count * made.setting.calls
    every = dict(now)
    for size in ROUNDS if made.setting.confirms else ():
        again = suspicious(found, calls, len(earlier.accepted.sessions))
        room = most_confirmations(calls) - sum(added.values())
        if not again or not room:
            break
        for name in again:
            more = min(size, room)
            room -= more
            if more:
                passed = made.again(int(name), more)
                every[name] = every[name][0] + passed, every[name][1] + more
                added[name] = added.get(name, 0) + more
        found = chances(earlier.history, every, earlier.accepted.suspicions)
    return found, added


def measure(setting: Setting, histories: int) -> Shares:
    made = Suites(setting)
    count, called, scenarios = made.count, made.called, made.scenarios
    suites: list[NDArray[np.float64]] = []
    for _ in range(histories):
        rates = made.random.permutation(made.base)
        earlier = [EarlierSession(str(number), called(rates)) for number in range(setting.sessions)]
        accepted = accepted_sessions(earlier, scenarios)
        history = fit(accepted.sessions, scenarios)
        for _ in range(NEW_SESSIONS):
            fallen = made.fallen()
            now = called(np.where(fallen, rates - setting.drop, rates), setting.hour)
            found, added = confirmed(made, Earlier(history, accepted), now)
            named = np.array(
                [
                    found.fallen[str(case)] >= (SUSPECTED_AT if str(case) in added else REGRESSED_AT)
                    for case in range(count)
                ]
            )
            is_red = not found.is_lower and (found.is_worse or named.any())
            is_missed = any(passed < REQUIRED * total for passed, total in now.values())
            of_fallen = (named & fallen).sum() / max(1, setting.drops)
            suites.append(
                np.array(
                    [
                        is_red,
                        found.is_lower,
                        of_fallen,
                        (named & ~fallen).sum(),
                        is_missed,
                        sum(added.values()) / (count * setting.calls),
                    ],
                    dtype=float,
                )
            )
    return Shares(*np.mean(suites, axis=0).tolist())


def later(setting: Setting, histories: int) -> str:
    """The share of first sessions that are red or pending, and of those, the share of the five sessions after it."""
    made = Suites(setting, "later")
    seen: list[NDArray[np.bool_]] = []
    for _ in range(2 * histories):
        rates = made.random.permutation(made.base)
        lower = np.where(made.fallen(), np.maximum(rates - setting.drop, 0), rates)
        sessions = [made.called(rates) for _ in range(setting.sessions)] + [made.called(lower) for _ in range(6)]
        numbered = [EarlierSession(str(number), counts) for number, counts in enumerate(sessions)]
        left_out = set(accepted_sessions(numbered, made.scenarios).left_out)
        seen.append(np.array([str(setting.sessions + number) in left_out for number in range(6)]))
    found = np.array(seen)
    again = found[found[:, 0], 1:]
    return f"{found[:, 0].mean():.0%} / {again.mean() if len(again) else 0:.0%}"


def stays(histories: int) -> Iterator[str]:
    yield "| Noise | nothing changed | one case falls by 30 points | one case breaks | five fall by 30 points |"
    yield "|---|---|---|---|---|"
    for noise in NOISES:
        settings = [
            Setting(noise=noise, drops=drops, drop=drop) for drops, drop in ((0, 0), (1, 0.3), (1, 1.0), (5, 0.3))
        ]
        yield f"| {noise} | {' | '.join(later(setting, histories) for setting in settings)} |"


def usual(histories: int) -> Iterator[str]:
    yield "| Noise (sd) | nothing changed: red +pending | one falls: red / named | five fall: red / named | wrong names |"
    yield "|---|---|---|---|---|"
    for noise in NOISES:
        none, one, five = (measure(Setting(noise=noise, drops=drops), histories) for drops in (0, 1, 5))
        yield f"| {noise} | {none.cell()} | {one.cell(named=True)} | {five.cell(named=True)} | {five.wrong:.2f} |"


def confirm(histories: int) -> Iterator[str]:
    yield "| Noise (sd) | nothing changed: red +pending (calls added) | one falls: red / named | five fall: red / named | wrong names |"
    yield "|---|---|---|---|---|"
    for noise in NOISES:
        settings = [Setting(noise=noise, drops=drops, confirms=True) for drops in (0, 1, 5)]
        none, one, five = (measure(setting, histories) for setting in settings)
        added = f"{none.cell()} ({none.added:.0%})"
        yield f"| {noise} | {added} | {one.cell(named=True)} | {five.cell(named=True)} | {five.wrong:.2f} |"


def sizes(histories: int) -> Iterator[str]:
    yield "| Cases × calls, earlier sessions | Noise | nothing changed | some fall | |"
    yield "|---|---|---|---|---|"
    small = [(8, 3, sessions, 1) for sessions in (1, 5)]
    middle = [(50, calls, sessions, 5) for calls in (3, 5, 10) for sessions in (1, 3, 5, 10)]
    large = [(300, calls, sessions, 5) for calls in (3, 5) for sessions in (1, 5)]
    for cases, calls, sessions, drops in [*small, *middle, *large]:
        for noise in NOISES[:2]:
            setting = Setting(cases, calls, sessions, noise)
            fewer = max(1, histories * 50 // max(cases, 50))
            none, some = measure(setting, fewer), measure(replace(setting, drops=drops), fewer)
            yield (
                f"| {cases} × {calls}, {sessions} | {noise} | {none.cell()} | {some.cell(named=True)} | {drops} fall |"
            )


def everywhere(histories: int) -> Iterator[str]:
    yield "| Noise | all fall by 30 points: red +pending | a bad hour (90 % becomes 67 %): red +pending |"
    yield "|---|---|---|"
    for noise in NOISES:
        fall, hour = (
            measure(replace(Setting(noise=noise), **changed), histories)  # pyright: ignore[reportArgumentType]
            for changed in ({"drops": 50}, {"hour": -1.5})
        )
        yield f"| {noise} | {fall.cell()} | {hour.cell()} |"


def gate(histories: int) -> Iterator[str]:
    yield "| True rate of every case | a case misses 80 % | red, sessions alike | red, sessions differ by 0.5 |"
    yield "|---|---|---|---|"
    for rate in (1.0, 0.98, 0.95, 0.9):
        alike, differ = (
            measure(Setting(noise=noise, mixture=((rate, 1.0),)), histories) for noise in (Noise(), Noise(session=0.5))
        )
        yield f"| {rate:.0%} | {alike.strict:.0%} | {alike.cell()} | {differ.cell()} |"


TABLES: Final = {
    "usual": usual,
    "everywhere": everywhere,
    "gate": gate,
    "confirm": confirm,
    "stays": stays,
    "sizes": sizes,
}


def main(arguments: Sequence[str]) -> None:
    histories = int(arguments[1]) if len(arguments) > 1 else 60
    tables = {name: TABLES[name] for name in arguments[2:]} or TABLES
    if arguments and arguments[0] == "print":
        for name, table in tables.items():
            print(f"\n{name}\n", *table(histories), sep="\n", flush=True)
        return
    text = APPENDIX.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split("<!-- end -->", maxsplit=1)
        text = f"{before}<!-- {name} -->\n" + "\n".join(table(histories)) + f"\n<!-- end -->{after}"
    APPENDIX.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
