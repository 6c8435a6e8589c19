"""How often verdicts are wrong, by simulation: `python tests/benchmarks/false_alarms.py [SUITES]`.

Prints, for suites of 50 cases whose true rates did not change, how often any case is called changed, and how often the suite
is, each when every run is made and when early stopping makes only those that are needed; for a case at exactly the required
rate, how often `confidence` fails or passes it; how many runs find a real change; how many calls early stopping saves; and
what comes of baselines that were called again until they passed; and how often the gate fails though nothing changed.
Twenty thousand suites of each size take some ten minutes: the program's own functions decide, and what they decide on the
same counts is remembered.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import numpy as np

from planner import statistics
from planner.planfile.model import Case
from planner.results.model import RunVerdict, Sample
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.statistics import chances
from planner.verdicts import cases, comparison
from planner.verdicts.cases import judge_case, settled
from planner.verdicts.comparison import compare, compare_suite, could_show_change, differ_too_much
from planner.verdicts.early_stopping import calls_at_once, min_runs_to_settle
from tests.support.samples import case_rules, one_side

CASES = 50
RUNS = (3, 5, 10, 20)
RATES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

PASS = RunVerdict(outcome=RunOutcome.PASSED)
FAIL = RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT)


def counts(passed: int, made: int) -> list[RunVerdict]:
    return [PASS] * passed + [FAIL] * (made - passed)


class Side:
    """How one side of a comparison comes to its sample: all runs of a case made, or, when `stopping`, only those needed.

    As `run` does it: a case that is settled is called on where what is still to come could show that it changed.
    """

    def __init__(self, rules: Case, runs: int, *, stopping: bool) -> None:
        self.runs = runs
        self._rules = rules
        self._stopping = stopping
        self._first = min_runs_to_settle(rules, (), runs)
        self._wave = cache(self._wave_of)
        self._sample = cache(self._sample_of)
        self._could_show_change = cache(could_show_change)

    def __call__(self, passed_after: Sequence[int], baseline: Sample | None = None) -> Sample:
        """Of a case of which so many of the first runs pass: `passed_after[3]` of the first three."""
        made = self.runs
        if self._stopping:
            made = 0
            while wave := self._wave(passed_after[made], made):
                made += wave
            settled_so = self._sample(passed_after[made], made)
            if baseline is not None and self._could_show_change(baseline, settled_so):  # pyright: ignore[reportArgumentType] - frozen, so hashable
                made = self.runs
        return self._sample(passed_after[made], made)

    def _wave_of(self, passed: int, made: int) -> int:
        """How many calls are made next; 0 where the case is settled."""
        verdicts, left = counts(passed, made), self.runs - made
        if not left or settled(self._rules, verdicts, left) is not None:
            return 0
        return calls_at_once(self._rules, verdicts, left, self._first)

    def _sample_of(self, passed: int, made: int) -> Sample:
        verdicts, left = counts(passed, made), self.runs - made
        outcome = settled(self._rules, verdicts, left)
        assert outcome is not None
        return one_side(outcome, passed, made, left)

    def judged(self, new: Sample, earlier: Sample) -> Sample:
        """Both together, with the outcome of all of their runs."""
        pool = cases.total([new, earlier])
        assert pool is not None
        outcome = judge_case(self._rules, counts(pool.runs_passed, pool.runs_countable)).outcome
        return pool.model_copy(update={"outcome": outcome})


def talks(random: np.random.Generator, rates: Any, runs: int) -> Any:
    """For each of these rates, how many of the first 0, 1, … runs pass, by chance."""
    passed = np.zeros((len(rates), runs + 1), dtype=int)
    np.cumsum(random.random((len(rates), runs)) < rates[:, None], axis=1, out=passed[:, 1:])
    return passed.tolist()


def suite(
    random: np.random.Generator, side: Side, before: Any, now: Any
) -> dict[str, tuple[Sample | None, Sample | None]]:
    """50 cases with these true rates."""
    drawn = zip(talks(random, before, side.runs), talks(random, now, side.runs), strict=True)
    pairs: dict[str, tuple[Sample | None, Sample | None]] = {}
    for index, (earlier, later) in enumerate(drawn):
        baseline = side(earlier)
        pairs[str(index)] = baseline, side(later, baseline)
    return pairs


def called_changed(pairs: dict[str, tuple[Sample | None, Sample | None]]) -> tuple[bool, bool]:
    """Whether any case is, and whether the suite is."""
    cases = {"regressed", "improved"} & set(compare(pairs).values())
    return bool(cases), compare_suite(pairs).compared != "not_enough_evidence"


def false_alarms(suites: int, random: np.random.Generator) -> None:
    """Nothing changed, and every case has a rate of its own."""
    for rules, runs in (*((case_rules(0.8), runs) for runs in RUNS), (case_rules(0.8, confidence=0.9), 20)):
        for stopping in (False, True):
            side = Side(rules, runs, stopping=stopping)
            by_case = by_suite = 0
            for _ in range(suites):
                rates = random.choice(RATES, CASES)
                pairs = suite(random, side, rates, rates)
                case, whole = called_changed(pairs)
                by_case, by_suite = by_case + case, by_suite + whole
            print(
                f"{suites:,} suites of {CASES} unchanged cases, {described(rules)}, {runs} runs a side, {way(stopping)}: "
                f"any case called changed in {by_case / suites:.2%}, the suite in {by_suite / suites:.2%} (5 % allowed)",
                flush=True,
            )


def retries(suites: int, random: np.random.Generator) -> None:
    """Nothing changed, but each case of the baseline that was not good enough was called again, so many times at most."""
    rules = case_rules(0.8)
    for runs in (5, 10, 20):
        side = Side(rules, runs, stopping=False)
        for tries in (1, 2, 3, 5):
            by_case = by_suite = 0
            for _ in range(suites):
                rates = random.choice(RATES, CASES)
                talk = talks(random, rates, runs)
                pairs: dict[str, tuple[Sample | None, Sample | None]] = {
                    str(index): (before, side(later, before))
                    for index, (before, later) in enumerate(
                        zip(until_good(random, side, rates, tries), talk, strict=True)
                    )
                }
                case, whole = called_changed(pairs)
                by_case, by_suite = by_case + case, by_suite + whole
            print(
                f"{suites:,} suites of {CASES} unchanged cases, {runs} runs a side, up to {tries} tries: any case called changed in "
                f"{by_case / suites:.1%}, the suite in {by_suite / suites:.1%}",
                flush=True,
            )


def until_good(random: np.random.Generator, side: Side, rates: Any, tries: int) -> list[Sample]:
    """The pool of each case once it is good enough, or was called so many times."""
    pools = [side(talk) for talk in talks(random, rates, side.runs)]
    for _ in range(tries - 1):
        again = [index for index, pool in enumerate(pools) if not pool.outcome.is_better_than(CaseOutcome.UNKNOWN)]
        for index, talk in zip(again, talks(random, rates[again], side.runs), strict=True):
            new = side(talk, pools[index])
            pools[index] = new if differ_too_much(pools[index], new) else side.judged(new, pools[index])
    return pools


def gate(suites: int, random: np.random.Generator) -> None:
    """How often `planner run` exits with 1 though nothing changed: by a case's own requirement, by a regression, by either."""
    for rules, runs in (*((case_rules(0.8), runs) for runs in RUNS), (case_rules(0.8, confidence=0.9), 20)):
        side = Side(rules, runs, stopping=False)
        for rate in (1.0, 0.98, 0.95, 0.9):
            rates = np.full(CASES, rate)
            failing = regressed = either = 0
            for _ in range(suites):
                pairs = suite(random, side, rates, rates)
                has_failed = any(now is not None and now.outcome is CaseOutcome.FAILED for _, now in pairs.values())
                is_worse = "regressed" in compare(pairs).values() or compare_suite(pairs).compared == "worse"
                failing += has_failed
                regressed += is_worse
                either += has_failed or is_worse
            print(
                f"{suites:,} suites of {CASES} unchanged cases, all at {rate:.0%}, {described(rules)}, {runs} runs a side: exit 1 by a "
                f"failure in {failing / suites:.1%}, by a regression in {regressed / suites:.1%}, by either in {either / suites:.1%}",
                flush=True,
            )


def power(suites: int, random: np.random.Generator) -> None:
    """One case of 50 falls from 100 % to 50 %; then ten do."""
    for fallen in (1, 10):
        before = np.ones(CASES)
        now = np.where(np.arange(CASES) < fallen, 0.5, 1.0)
        for runs in RUNS:
            for stopping in (False, True):
                side = Side(case_rules(0.8), runs, stopping=stopping)
                found = whole = 0
                for _ in range(suites):
                    pairs = suite(random, side, before, now)
                    found += sum(word == "regressed" for word in compare(pairs).values())
                    whole += compare_suite(pairs).compared == "worse"
                print(
                    f"{fallen} of {CASES} cases from 100 % to 50 %, {runs} runs a side, {way(stopping)}: "
                    f"{found / suites / fallen:.0%} of them called regressed, the suite called worse in {whole / suites:.0%}",
                    flush=True,
                )


def described(rules: Case) -> str:
    sure = f" with {rules.confidence:.0%}" if rules.confidence else ""
    return f"{rules.min_pass_rate:.0%} required{sure}"


def way(stopping: bool) -> str:
    return "stopping early" if stopping else "all made"


def remember(module: Any, *names: str) -> None:
    """The same numbers, not counted twice: a suite of 50 cases meets the same few tables again and again."""
    for name in names:
        setattr(module, name, cache(getattr(module, name)))


def confidence_power() -> None:
    """What `min_pass_rate: 0.8, confidence: 0.9` makes of a true rate; exact."""
    print("required 80 % with 90 % confidence: chance to be passed / failed, by true rate")
    print("  runs  " + "".join(f"{rate:>14.0%}" for rate in RATES))
    for runs in (5, 11, 20, 50, 100):
        cells = [chances(rate, runs, 0.8, 0.9) for rate in RATES]
        print(f"  {runs:>4}  " + "".join(f"{f'{passed:.0%} / {failed:.0%}':>14}" for passed, failed in cells))


def waves(suites: int, random: Random) -> None:
    """Calls that early stopping saves. `run` makes several at once, the next when their verdicts leave the case open."""
    for rules, total in ((case_rules(0.8, 3), 5), (case_rules(0.8, 5), 10), (case_rules(0.8, 10, confidence=0.9), 20)):
        first = min_runs_to_settle(rules, (), total)
        for rate in (0.0, 0.3, 0.5, 0.8, 0.95, 1.0):
            cases = max(1, suites // 20)
            calls = made_waves = changed = 0
            for _ in range(cases):
                verdicts = [PASS if random.random() < rate else FAIL for _ in range(total)]
                made = 0
                while made < total and settled(rules, verdicts[:made], total - made) is None:
                    made += calls_at_once(rules, verdicts[:made], total - made, first)
                    made_waves += 1
                changed += settled(rules, verdicts[:made], total - made) is not judge_case(rules, verdicts).outcome
                calls += made
            print(
                f"{described(rules)}, true rate {rate:.0%}: {1 - calls / cases / total:.0%} of {total} calls saved, "
                f"{made_waves / cases:.2f} waves, {changed} outcomes changed"
            )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    remember(comparison, "fisher_mid_p", "least_mid_p")
    remember(statistics, "_tables")
    false_alarms(count, np.random.default_rng(1))
    power(max(1, count // 20), np.random.default_rng(2))
    confidence_power()
    waves(count, Random(4))
    retries(max(1, count // 10), np.random.default_rng(5))
    gate(max(1, count // 10), np.random.default_rng(6))
