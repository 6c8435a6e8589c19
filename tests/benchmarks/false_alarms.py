"""How often verdicts are wrong, by simulation: `python tests/benchmarks/false_alarms.py [SUITES]`.

Prints, for suites of 50 cases whose true rates did not change, how often any case is called changed, and how often the suite
is; for a case at exactly the required rate, how often `confidence` fails or passes it; how many runs find a real change; and
how many calls early stopping saves. Twenty thousand suites take some minutes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from random import Random
from typing import Literal

from planner.checks.base import Expectation
from planner.outcome import (
    CaseOutcome,
    Fault,
    RunOutcome,
    RunVerdict,
    Sample,
    calls_at_once,
    compare,
    compare_suite,
    judge_case,
    least_to_settle,
    settled,
)
from planner.statistics import chances

CASES = 50
RUNS = (3, 5, 10, 20)
RATES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

PASS = RunVerdict(RunOutcome.PASSED, None, ())
FAIL = RunVerdict(RunOutcome.FAILED, Fault.AGENT, ())


@dataclass(frozen=True)
class Rules:
    min_pass_rate: float = 0.8
    min_runs: int = 1
    confidence: float | None = None
    platform_failures: Literal["ignore", "fail"] = "ignore"
    expectations: tuple[Expectation, ...] = ()


def sample(random: Random, runs: int, rate: float) -> Sample:
    passed = sum(random.random() < rate for _ in range(runs))
    return Sample(CaseOutcome.PASSED if passed >= 0.8 * runs else CaseOutcome.FAILED, passed, runs)


def false_alarms(suites: int, random: Random) -> None:
    """Nothing changed, and every case has a rate of its own."""
    for runs in RUNS:
        by_case = by_suite = 0
        for _ in range(suites // len(RUNS)):
            rates = [random.choice(RATES) for _ in range(CASES)]
            pairs = {
                str(index): (sample(random, runs, rate), sample(random, runs, rate)) for index, rate in enumerate(rates)
            }
            by_case += bool({"regressed", "fixed"} & set(compare(pairs).values()))
            by_suite += compare_suite(pairs).word != "not_enough_evidence"
        made = suites // len(RUNS)
        print(
            f"{made:,} suites of {CASES} unchanged cases, {runs} runs a side: "
            f"any case called changed in {by_case / made:.2%}, the suite in {by_suite / made:.2%} (5 % allowed)"
        )


def power(suites: int, random: Random) -> None:
    """One case of 50 falls from 100 % to 50 %; then ten do."""
    for fallen in (1, 10):
        for runs in RUNS:
            made = max(1, suites // 100)
            found = whole = 0
            for _ in range(made):
                pairs = {
                    str(index): (sample(random, runs, 1.0), sample(random, runs, 0.5 if index < fallen else 1.0))
                    for index in range(CASES)
                }
                found += sum(word == "regressed" for word in compare(pairs).values())
                whole += compare_suite(pairs).word == "worse"
            print(
                f"{fallen} of {CASES} cases from 100 % to 50 %, {runs} runs a side: {found / made / fallen:.0%} of them "
                f"called regressed, the suite called worse in {whole / made:.0%}"
            )


def confidence_power() -> None:
    """What `min_pass_rate: 0.8, confidence: 0.9` makes of a true rate; exact."""
    print("required 80 % with 90 % confidence: chance to be passed / failed, by true rate")
    print("  runs  " + "".join(f"{rate:>14.0%}" for rate in RATES))
    for runs in (5, 11, 20, 50, 100):
        cells = [chances(rate, runs, 0.8, 0.9) for rate in RATES]
        print(f"  {runs:>4}  " + "".join(f"{f'{passed:.0%} / {failed:.0%}':>14}" for passed, failed in cells))


def early_stopping(suites: int, random: Random) -> None:
    """Runs are made one after another until nothing can change the outcome."""
    for rules in (Rules(1.0), Rules(0.8), Rules(0.8, confidence=0.9)):
        for rate in (0.3, 0.8, 1.0):
            made = needed = changed = 0
            for _ in range(max(1, suites // 200)):
                verdicts = [PASS if random.random() < rate else FAIL for _ in range(20)]
                stopped = next(
                    (count for count in range(20) if settled(rules, verdicts[:count], 20 - count) is not None), 20
                )
                early = settled(rules, verdicts[:stopped], 20 - stopped)
                changed += early is not judge_case(rules, verdicts).outcome
                made, needed = made + 20, needed + stopped
            asked = f"{rules.min_pass_rate:.0%}" + (f" with {rules.confidence:.0%}" if rules.confidence else "")
            print(
                f"{asked} required, true rate {rate:.0%}: {1 - needed / made:.0%} of 20 calls saved, {changed} outcomes changed"
            )


def waves(suites: int, random: Random) -> None:
    """The same, as `run` makes calls: several at once, the next when their verdicts leave the case open."""
    for rules, total in ((Rules(0.8, 3), 5), (Rules(0.8, 5), 10), (Rules(0.8, 10, 0.9), 20)):
        first = least_to_settle(rules, (), total)
        for rate in (0.0, 0.3, 0.5, 0.8, 0.95, 1.0):
            cases = max(1, suites // 60)
            calls = made_waves = changed = 0
            for _ in range(cases):
                verdicts = [PASS if random.random() < rate else FAIL for _ in range(total)]
                made = 0
                while made < total and settled(rules, verdicts[:made], total - made) is None:
                    made += calls_at_once(rules, verdicts[:made], total - made, first)
                    made_waves += 1
                changed += settled(rules, verdicts[:made], total - made) is not judge_case(rules, verdicts).outcome
                calls += made
            asked = f"{rules.min_pass_rate:.0%}" + (f" with {rules.confidence:.0%}" if rules.confidence else "")
            print(
                f"{asked} required, true rate {rate:.0%}: {1 - calls / cases / total:.0%} of {total} calls saved, "
                f"{made_waves / cases:.2f} waves, {changed} outcomes changed"
            )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    false_alarms(count, Random(1))
    power(count, Random(2))
    confidence_power()
    early_stopping(count, Random(3))
    waves(count, Random(4))
