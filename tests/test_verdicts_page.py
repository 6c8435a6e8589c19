"""docs/verdicts.md shows what the code computes: its tables and its example are made again, and compared."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from math import comb
from operator import mul
from pathlib import Path
from typing import Literal

from planner.checks.base import Expectation
from planner.outcome import (
    CaseOutcome,
    CaseVerdict,
    Fault,
    RunOutcome,
    RunVerdict,
    Sample,
    chance_alone,
    compare,
    joined_tries,
    judge_case,
    settled,
)
from planner.statistics import chances, decide, wilson_interval

PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"


@dataclass(frozen=True)
class Rules:
    min_pass_rate: float = 0.8
    min_runs: int = 10
    confidence: float | None = 0.9
    platform_failures: Literal["ignore", "fail"] = "ignore"
    expectations: tuple[Expectation, ...] = ()


def percent(share: float) -> str:
    return f"{float(f'{100 * share:.3g}'):g} %"


def intervals() -> str:
    lines = ["| Passed | Rate | The true rate is somewhere from |", "|---|---|---|"]
    for passed, total in ((1, 1), (3, 3), (5, 5), (10, 10), (18, 20), (90, 100)):
        low, high = wilson_interval(passed, total)
        lines.append(f"| {passed} of {total} | {percent(passed / total)} | {percent(low)} to {percent(high)} |")
    return "\n".join(lines)


def power() -> str:
    rates = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
    lines = ["| Runs | " + " | ".join(f"true rate {percent(rate)}" for rate in rates) + " |", "|---" * 7 + "|"]
    for runs in (5, 11, 20, 50, 100):
        cells: list[str] = []
        for rate in rates:
            passed, failed = chances(rate, runs, 0.8, 0.9)
            cells.append(f"{100 * passed:.0f} % passed, {100 * failed:.0f} % failed")
        lines.append(f"| {runs} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def example() -> str:
    good, bad = RunVerdict(RunOutcome.PASSED, None, ()), RunVerdict(RunOutcome.FAILED, Fault.AGENT, ())
    platform = RunVerdict(RunOutcome.ERRORED, Fault.PLATFORM, ())
    rules = Rules()

    def judged(runs: list[RunVerdict]) -> CaseVerdict:
        return judge_case(rules, runs, cents_per_run=16)

    def told(runs: list[RunVerdict]) -> str:
        verdict = judged(runs)
        assert verdict.interval is not None
        low, high = verdict.interval
        return (
            f"**{verdict.outcome.word}**, the true rate somewhere from {percent(low)} to {percent(high)}; "
            f'the report says "{verdict.reason}"'
        )

    def sample(runs: list[RunVerdict]) -> Sample:
        verdict = judged(runs)
        return Sample(verdict.outcome, verdict.runs_passed, verdict.runs_countable)

    last_week = [good] * 19 + [bad]
    this_week = [good] * 14 + [bad] * 5 + [platform]
    worse = [good] * 9 + [bad] * 10 + [platform]
    stopped = next(count for count in range(20) if settled(rules, [bad] * count, 20 - count) is CaseOutcome.FAILED)
    lines = [f"* Last week: {told(last_week)}.", f"* This week: {told(this_week)}."]
    for name, runs in (("This week", this_week), ("Had it been only 9 of 19", worse)):
        before, now = sample(last_week), sample(runs)
        word = compare({"case": (before, now)})["case"].replace("_", " ")
        lines.append(
            f"* {name} against last week: p = {chance_alone(before, now):.3f}, so **{word}**."
            + (f" On its own it is {told(runs)}." if runs is worse else "")
        )
    low = next(count for count in range(20) if decide(20 - count, 20, 0.8, 0.9) is False)
    lines.append(
        f"* An agent that fails every call is known to have failed after {stopped} of the 20. That its rate is below 80 % is known after "
        f"{low} (were the others all to pass, {20 - low} of 20 would still show it), but as long as fewer than `min_runs`, here "
        f"{rules.min_runs}, count, it might yet be unknown."
    )
    return "\n".join(lines)


def again() -> str:
    """What chances come to where one asks more than once, of cases whose rate is what it is."""
    first = [100 * green(0.6, 10), 100 * green(0.6, 20, 0.9)]
    third = [100 * (1 - (1 - share / 100) ** 3) for share in first]
    alone, chosen, pooled = regressed_unchanged(0.6, 10)
    at_once = chances(0.8, 20, 0.8, 0.9)[1]
    looks = [100 * (at_once + failed_at_second_look(more)) for more in (20, 50)]
    return "\n".join(
        [
            (
                f"* 10 runs, 80 % needed, and an agent that passes 60 % of its calls: green at the first try in {first[0]:.0f} % and within three "
                f"tries in {third[0]:.0f} %. With 20 runs and 90 % confidence: {first[1]:.2f} % and {third[1]:.1f} %."
            ),
            (
                f"* The same agent, unchanged, against its baseline of 10 runs: called regressed in {100 * alone:.0f} %; where the baseline was "
                f"called again until it passed, within three tries, in {100 * chosen:.0f} % by the last try alone, and in {100 * pooled:.0f} % by all of them, "
                "as planner has it."
            ),
            (
                f"* 20 runs, 80 % needed with 90 % confidence, and a true rate of exactly 80 %: failed in {100 * at_once:.0f} %; where a case "
                f"that is left open gets 20 runs more, in {looks[0]:.0f} %, and with 50 more in {looks[1]:.0f} %."
            ),
        ]
    )


def green(rate: float, runs: int, confidence: float | None = None) -> float:
    if confidence is not None:
        return chances(rate, runs, 0.8, confidence)[0]
    return sum(binomial(passed, runs, rate) for passed in range(runs + 1) if passed >= 0.8 * runs)


def regressed_unchanged(rate: float, runs: int) -> tuple[float, float, float]:
    """Against any baseline; and against one that passed within three tries, by the last one alone and by all."""
    chance = [binomial(passed, runs, rate) for passed in range(runs + 1)]
    tries = [
        Sample(CaseOutcome.FLAKY if passed >= 0.8 * runs else CaseOutcome.FAILED, passed, runs)
        for passed in range(runs + 1)
    ]
    regressed = cache(lambda before: sum(map(mul, chance, (_is_regressed(before, now) for now in tries))))
    any_baseline = sum(map(mul, chance, map(regressed, tries)))
    by_last = by_all = green = 0.0
    open_: defaultdict[tuple[Sample, Sample | None], float] = defaultdict(float)
    for passed, share in enumerate(chance):
        open_[tries[passed], None] += share
    for _ in range(3):
        again: defaultdict[tuple[Sample, Sample | None], float] = defaultdict(float)
        for (last, earlier), share in open_.items():
            if last.outcome is CaseOutcome.FLAKY:
                green += share
                by_last += share * regressed(last)
                by_all += share * regressed(last if earlier is None else last.after(earlier))
                continue
            for now, of_all in zip(tries, chance, strict=True):
                word = compare({"case": (last, now)})["case"]
                again[now, joined_tries(earlier, last, now, word)] += share * of_all
        open_ = again
    return any_baseline, by_last / green, by_all / green


@cache
def _is_regressed(before: Sample, now: Sample) -> bool:
    return compare({"case": (before, now)})["case"] == "regressed"


def failed_at_second_look(more: int) -> float:
    """20 runs at the required rate that decide nothing, and then with so many more are failed."""
    return sum(
        binomial(passed, 20, 0.8) * chances(0.8, more, 0.8, 0.9, (passed, 20))[1]
        for passed in range(21)
        if decide(passed, 20, 0.8, 0.9) is None
    )


def binomial(passed: int, total: int, rate: float) -> float:
    return comb(total, passed) * rate**passed * (1 - rate) ** (total - passed)


def test_the_page_shows_what_the_code_computes() -> None:
    """Intervals, chances, what asking again makes of them, and the worked example of the page are those of the code."""
    text = PAGE.read_text(encoding="utf-8")
    found = dict(re.findall(r"<!-- (intervals|power|again|example) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
    assert found == {"intervals": intervals(), "power": power(), "again": again(), "example": example()}
