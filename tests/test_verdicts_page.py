"""The generated tables and the example of docs/verdicts.md match the code."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from math import comb
from pathlib import Path

from planner.planfile.model import Case
from planner.results.model import RunVerdict, Sample
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.statistics import chances, decide_rate, wilson_interval
from planner.verdicts.cases import CaseVerdict, judge_case, settled
from planner.verdicts.comparison import case_p_value, compare, differ_too_much
from tests.support.samples import case_rules, one_side

PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"


def percent(share: float) -> str:
    return f"{float(f'{100 * share:.3g}'):g} %"


def intervals() -> str:
    lines = ["| Passed | Rate | 95 % interval of the true rate |", "|---|---|---|"]
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
    good, bad = RunVerdict(outcome=RunOutcome.PASSED), RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT)
    platform = RunVerdict(outcome=RunOutcome.UNDECIDED, cause=Cause.PLATFORM)
    rules = case_rules(0.8, 10, confidence=0.9)

    def judged(runs: list[RunVerdict]) -> CaseVerdict:
        return judge_case(rules, runs, cents_per_run=16)

    def counted(runs: list[RunVerdict]) -> str:
        verdict = judged(runs)
        assert verdict.interval is not None
        low, high = verdict.interval
        return (
            f"**{verdict.outcome}**, true rate {percent(low)} to {percent(high)}; "
            f'the report says "{verdict.outcome_reason}"'
        )

    def sample(runs: list[RunVerdict]) -> Sample:
        verdict = judged(runs)
        return one_side(verdict.outcome, verdict.runs_passed, verdict.runs_countable)

    last_week = [good] * 19 + [bad]
    this_week = [good] * 14 + [bad] * 5 + [platform]
    worse = [good] * 9 + [bad] * 10 + [platform]
    stopped = next(count for count in range(20) if settled(rules, [bad] * count, 20 - count) is CaseOutcome.FAILED)
    lines = [f"* Last week: {counted(last_week)}.", f"* This week: {counted(this_week)}."]
    for name, runs in (("This week", this_week), ("9 of 19", worse)):
        before, now = sample(last_week), sample(runs)
        word = compare({"case": (before, now)})["case"].replace("_", " ")
        lines.append(
            f"* {name} compared with last week: p = {case_p_value(before, now):.3f}, so **{word}**."
            + (f" Outcome: {counted(runs)}." if runs is worse else "")
        )
    low = next(count for count in range(20) if decide_rate(20 - count, 20, 0.8, 0.9) is False)
    lines.append(
        f"* If every call fails, the case is settled after {stopped} of 20. After {low} it is certain that the rate is below 80 % (even {20 - low} "
        f"of 20 would show it), but with fewer than `min_runs` ({rules.min_runs}) countable runs the case could still be unknown."
    )
    return "\n".join(lines)


def again() -> str:
    """Probabilities when a case is called repeatedly."""
    first = [100 * green(0.6, 10), 100 * green(0.6, 20, 0.9)]
    third = [100 * (1 - (1 - share / 100) ** 3) for share in first]
    pooled = [
        100 * green_when_pooled(0.6, case_rules(0.8, 5), 10),
        100 * green_when_pooled(0.6, case_rules(0.8, 10, confidence=0.9), 20),
    ]
    sound = [100 * green(0.9, 10), 100 * green_when_pooled(0.9, case_rules(0.8, 5), 10)]
    at_once = chances(0.8, 20, 0.8, 0.9)[1]
    looks = [100 * (at_once + failed_at_second_look(more)) for more in (20, 50)]
    return "\n".join(
        [
            (
                f"* 10 runs, 80 % needed, an agent that passes 60 % of its calls: green the first time in {first[0]:.0f} %. Within three "
                f"times, green in {third[0]:.0f} % if only the last runs counted, and in {pooled[0]:.0f} % as all count. With 20 runs and "
                f"90 % confidence: {first[1]:.2f} %, {third[1]:.1f} % and {pooled[1]:.2f} %."
            ),
            (
                f"* The same with an agent that passes 90 %: green the first time in {sound[0]:.0f} %, within three times in "
                f"{sound[1]:.0f} %."
            ),
            (
                f"* 20 runs, 80 % needed with 90 % confidence, a true rate of exactly 80 %: failed in {100 * at_once:.0f} %; in {looks[0]:.0f} % "
                f"if undecided cases get 20 more runs, and in {looks[1]:.0f} % with 50 more."
            ),
        ]
    )


def green(rate: float, runs: int, confidence: float | None = None) -> float:
    if confidence is not None:
        return chances(rate, runs, 0.8, confidence)[0]
    return sum(binomial(passed, runs, rate) for passed in range(runs + 1) if passed >= 0.8 * runs)


def green_when_pooled(rate: float, rules: Case, runs: int, sessions: int = 3) -> float:
    """Within so many sessions, each pooled with those before it unless they differ too much."""
    chance = [binomial(passed, runs, rate) for passed in range(runs + 1)]
    found = 0.0
    open_: dict[tuple[int, int], float] = {(0, 0): 1.0}
    for _ in range(sessions):
        again: defaultdict[tuple[int, int], float] = defaultdict(float)
        for (passed, total), share in open_.items():
            for new, of_all in enumerate(chance):
                pool = (new, runs) if _differ((passed, total), (new, runs)) else (passed + new, total + runs)
                if _outcome(rules, pool) in (CaseOutcome.PASSED, CaseOutcome.FLAKY):
                    found += share * of_all
                else:
                    again[pool] += share * of_all
        open_ = again
    return found


@cache
def _differ(earlier: tuple[int, int], new: tuple[int, int]) -> bool:
    return differ_too_much(one_side(CaseOutcome.FAILED, *earlier), one_side(CaseOutcome.FAILED, *new))


@cache
def _outcome(rules: Case, pool: tuple[int, int]) -> CaseOutcome:
    passed, total = pool
    good, bad = RunVerdict(outcome=RunOutcome.PASSED), RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT)
    return judge_case(rules, [good] * passed + [bad] * (total - passed)).outcome


def failed_at_second_look(more: int) -> float:
    """20 runs at the required rate that leave the case undecided, and so many more that fail it."""
    return sum(
        binomial(passed, 20, 0.8) * chances(0.8, more, 0.8, 0.9, (passed, 20))[1]
        for passed in range(21)
        if decide_rate(passed, 20, 0.8, 0.9) is None
    )


def binomial(passed: int, total: int, rate: float) -> float:
    return comb(total, passed) * rate**passed * (1 - rate) ** (total - passed)


def test_the_page_shows_what_the_code_computes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = dict(re.findall(r"<!-- (intervals|power|again|example) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
    assert found == {"intervals": intervals(), "power": power(), "again": again(), "example": example()}
