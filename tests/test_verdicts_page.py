"""docs/verdicts.md shows what the code computes: its tables and its example are made again, and compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    judge_case,
    settled,
)
from planner.statistics import chances, wilson_interval

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
    lines.append(
        f"* An agent that fails every call is known to have failed after {stopped} of the 20: "
        f"were the other {20 - stopped} all to pass, {20 - stopped} of 20 would still show that the rate is below 80 %."
    )
    return "\n".join(lines)


def test_the_page_shows_what_the_code_computes() -> None:
    """Intervals, chances and the worked example of the page are those of the code."""
    text = PAGE.read_text(encoding="utf-8")
    found = dict(re.findall(r"<!-- (intervals|power|example) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
    assert found == {"intervals": intervals(), "power": power(), "example": example()}
