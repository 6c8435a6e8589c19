"""A month of daily edits of one agent: `python tests/benchmarks/month.py [MONTHS]`.

Each day, a pull request edits the prompt of an agent with 50 cases, five calls a case, 80 % required. Most edits change
nothing; some make one case, five cases or half of them worse by 30 points; some repair a tenth of the cases. On some
days the platform has a bad hour. Sessions differ by sd 0.5 on the logit. A red pull request is called again, for the
same price, and then somebody looks: an edit that made something worse is dropped, any other is merged.

Four checks see the same edits and hours: `all pass` (red if a call fails), `strict` (red if a case misses 80 %), `last
session` (red if the exact tests find it worse than the session before), and `regressions` (the default gate: the
regression test, with calls in waves). As the prompt is edited every day, only the newest session of the base branch
reached the agent that a pull request changes; of older ones, the calls of a case count unless they differ from the
newest. `newest agent` leaves them all out, `all sessions` leaves none out.

If everything is worse, the agent or the platform may be the cause: all cases are called again at another hour, and the
check is red if they are worse again.

A regression that was merged stays until the next red day, whatever made it red: whoever looks then sees the failing
cases, and repairs them. That is what "days until found" counts, 0 for an edit that was red itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from planner.statistics import Counts
from planner.verdicts.regression import MODEL, Floats, Integers, fit
from planner.verdicts.sessions import Session
from planner.verdicts.waves import play
from tests.benchmarks.power import REQUIRED, Judge, Noise, Setting, exact, remember

DAYS: Final = 30
FIRST_SESSIONS: Final = 5
"""Before the month."""
EDITS: Final = ((0, 0.7), (1, 0.1), (5, 0.08), (25, 0.02), (-5, 0.1))
"""(cases that get worse, or better if negative; share of the days)."""
BAD_HOURS: Final = 0.1
BAD_HOUR: Final = -1.5
CENTS_A_CALL: Final = 16
SEED: Final = 20261201
CHECKS: Final = ("all pass", "strict", "last session", "regressions", "newest agent", "all sessions")


@dataclass(slots=True)
class Tally:
    """Over all days. `stopped` are edits that made something worse and were red themselves, `found` those found within
    the month, `days` how long these took. `unchanged` are days on which the agent was as good as at first."""

    worse: int = 0
    stopped: int = 0
    found: int = 0
    days: int = 0
    unchanged: int = 0
    false_red: int = 0
    bad_hours: int = 0
    red_in_bad_hours: int = 0
    calls: int = 0
    called_twice: int = 0
    """Days on which everything was worse."""

    def row(self, months: int) -> str:
        dollars = self.calls * CENTS_A_CALL / 100 / months
        return (
            f"{self.stopped} of {self.worse} | {self.found} | {self.days / max(1, self.found):.1f} | "
            f"{self.false_red / self.unchanged:.0%} | "
            f"{self.red_in_bad_hours} of {self.bad_hours} | {self.called_twice} | ${dollars:,.0f}"
        )


@dataclass(slots=True)
class Day:
    """What happens to the agent and the platform, whatever the check."""

    edit: int
    cases: Integers
    """In random order: the first ones are edited."""
    hour: float


class Branch:
    """The base branch of one check: the rates of its agent, and its sessions."""

    def __init__(self, check: str, setting: Setting, random: np.random.Generator) -> None:
        self.check = check
        self.setting = setting
        self.random = random
        self.rates = setting.rates
        self.usual = setting.rates
        self.merged_days: list[int] = []
        """For each merged regression, since when."""
        self.sessions: list[dict[str, Counts]] = []
        for _ in range(FIRST_SESSIONS):
            self._add(self._equal(self._now(self.rates, 0.0)))

    def live(self, day: Day, tally: Tally) -> None:
        """A pull request is called, and merged or not."""
        rates = self._edited(day)
        is_worse = bool((rates < self.rates - 1e-9).any())
        is_red, *made = self._judge(rates, day.hour)
        session = made[-1]
        calls = [sum(total for _, total in each.values()) for each in made]
        tally.calls += sum(calls) + calls[-1] * is_red
        tally.called_twice += len(made) > 1
        tally.worse += is_worse
        tally.stopped += is_worse and is_red
        was_worse = bool(self.merged_days)
        self.merged_days = [days + 1 for days in self.merged_days]
        if is_red:
            tally.found += len(self.merged_days) + is_worse
            tally.days += sum(self.merged_days)
            self.merged_days = []
            self.rates = np.maximum(self.rates, self.usual)
            rates = np.maximum(rates, self.usual)
        if not (is_worse or was_worse):
            tally.unchanged += 1
            tally.false_red += is_red
            tally.bad_hours += day.hour != 0
            tally.red_in_bad_hours += is_red and day.hour != 0
        if is_worse and is_red:
            return
        self.merged_days += [0] * is_worse
        self.rates = rates
        self._add(session)

    def _edited(self, day: Day) -> Floats:
        rates = self.rates.copy()
        if day.edit > 0:
            chosen = day.cases[: day.edit]
            rates[chosen] = np.maximum(0.05, rates[chosen] - self.setting.drop)
        elif day.edit < 0:
            worst = np.argsort(self.rates - self.usual, kind="stable")[: -day.edit]
            rates[worst] = self.usual[worst]
        return rates

    def _now(self, rates: Floats, hour: float) -> Floats:
        noise = self.setting.noise
        return noise.of_cases(rates[None], hour + noise.shared * self.random.standard_normal((1, 1)), self.random)

    def _equal(self, rates: Floats) -> dict[str, Counts]:
        passed = self.random.binomial(self.setting.calls, rates)[0]
        return {name: (int(each), self.setting.calls) for name, each in zip(self.setting.names, passed, strict=True)}

    def _add(self, session: dict[str, Counts]) -> None:
        self.sessions.append(session)

    def _judge(self, rates: Floats, hour: float) -> tuple[bool, *tuple[dict[str, Counts], ...]]:
        """(whether the check is red, the calls of each session)."""
        if self.check in CHECKS[3:]:
            return self._regressions(rates, hour)
        now = self._equal(self._now(rates, hour))
        if self.check == "all pass":
            return any(passed < total for passed, total in now.values()), now
        if self.check == "strict":
            return any(passed < REQUIRED * total for passed, total in now.values()), now
        before, after = (np.array([each[name][0] for name in self.setting.names]) for each in (self.sessions[-1], now))
        is_red, _ = exact("old", before, after, self.setting.calls)
        return is_red, now

    def _regressions(self, rates: Floats, hour: float) -> tuple[bool, *tuple[dict[str, Counts], ...]]:
        """If everything is worse, all cases are called again at another hour."""
        names = frozenset(() if self.check == "all sessions" else self.setting.names)
        history = [Session(each, names) for each in self.sessions[:-1]]
        model = replace(MODEL, edit_rejected_at=1.0) if self.check == "newest agent" else MODEL
        fitted = fit([*history, Session(self.sessions[-1])], model)
        judge = Judge.of(fitted, self.setting.names, self.setting.design(in_waves=True), self.random)
        is_red, is_alike, session = self._called(judge, hour, rates)
        if not (is_red and is_alike):
            return is_red, session
        another_hour = BAD_HOUR if self.random.random() < BAD_HOURS else 0.0
        is_red, is_alike, second = self._called(judge, another_hour, rates)
        return is_red or is_alike, session, second

    def _called(self, judge: Judge, hour: float, rates: Floats) -> tuple[bool, bool, dict[str, Counts]]:
        """(whether there is an alarm, whether everything is worse alike, the calls)."""
        passed, total = play(judge.scorer, judge.design, self._now(rates, hour), self.random)
        is_red, is_alike = judge.alarms(judge.scorer.score(passed, total))
        counts = zip(passed[0].tolist(), total[0].tolist(), strict=True)
        return bool(is_red[0]), bool(is_alike[0]), dict(zip(self.setting.names, counts, strict=True))


def main(months: int) -> None:
    tallies = {check: Tally() for check in CHECKS}
    setting = Setting(noise=Noise(shared=0.5))
    for month in range(months):
        random = np.random.default_rng([SEED, month])
        sizes, shares = zip(*EDITS, strict=True)
        days = [
            Day(
                int(random.choice(sizes, p=shares)),
                random.permutation(setting.cases),
                BAD_HOUR if random.random() < BAD_HOURS else 0.0,
            )
            for _ in range(DAYS)
        ]
        for number, check in enumerate(CHECKS):
            branch = Branch(check, setting, np.random.default_rng([SEED, month, number]))
            for day in days:
                branch.live(day, tallies[check])
    print(f"{months} months of {DAYS} edits, 50 cases, 5 calls, sessions differ by sd 0.5.\n")
    print("| Check | worse edits stopped | found | days until found | false red | red in bad hours | twice | a month |")
    print("|---|---|---|---|---|---|---|---|")
    for check, tally in tallies.items():
        print(f"| {check} | {tally.row(months)} |")


if __name__ == "__main__":
    remember()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
