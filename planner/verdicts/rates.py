"""Rates over runs: of each expectation, of repeated passes (pass^k), and of the suite as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome
from planner.results.model import CaseResult, ExpectationRate, RepeatedPass, Run, RunVerdict, Sample, SuiteDocument
from planner.results.outcomes import CaseOutcome
from planner.statistics import all_of_k
from planner.verdicts.comparison import compare_suite

MOST_REPEATS = 10

RunKey: TypeAlias = tuple[str, int]
_Run = TypeVar("_Run", bound=RunVerdict)


def expectation_rates(runs: Sequence[RunVerdict]) -> list[ExpectationRate]:
    """How often each expectation was met, of the runs in which it was decided. Runs without a proper call do not count."""
    outcomes: dict[str, list[bool]] = {}
    checks: dict[str, str] = {}
    for run in runs:
        for finding in run.findings:
            checks.setdefault(finding.expectation, finding.check)
            decided = outcomes.setdefault(finding.expectation, [])
            if finding.outcome is not FindingOutcome.ERRORED and run.had_call:
                decided.append(finding.outcome is FindingOutcome.PASSED)
    return [
        ExpectationRate(expectation=name, check=checks[name], held=sum(decided), decided=len(decided))
        for name, decided in outcomes.items()
    ]


def repeated_passes(cases: Sequence[CaseResult]) -> list[RepeatedPass]:
    """pass^k for each k: the probability that k calls of a case, drawn from those made, all pass (mean of the cases with k runs).

    As in the suite comparison, a call passes only if every expectation is met, including those with their own rate. Runs that were
    not needed count as failed, so this is a lower bound. Quarantined cases do not count.
    """
    counts: list[tuple[int, int]] = []
    for sample in (sample_of(case) for case in cases if case.quarantine is None):
        if sample.runs_countable:
            passed = sample.runs_passed if sample.runs_clean is None else sample.runs_clean
            counts.append((passed, sample.runs_countable + sample.runs_not_made))
    most = min(MOST_REPEATS, max((total for _, total in counts), default=0))
    if most < 2:
        return []
    found: list[RepeatedPass] = []
    for k in range(1, most + 1):
        chances = [all_of_k(passed, total, k) for passed, total in counts if total >= k]
        found.append(RepeatedPass(k=k, cases=len(chances), rate=sum(chances) / len(chances)))
    return found


def suite_of(cases: Iterable[CaseResult]) -> SuiteDocument | None:
    """Compare all cases together that have runs on both sides; None if there are none. Quarantined cases do not count.

    Kept cases count with their last comparison: a suite that got worse stays so until it is called again.
    """
    suite = compare_suite(
        {
            case.case_id: (case.before, case.latest)
            for case in cases
            if case.before and case.latest and case.not_comparable is None and case.quarantine is None
        }
    )
    return suite if suite.cases else None


def sample_of(case: CaseResult, runs: Sequence[Run] | None = None) -> Sample:
    """A stored case as one side of a comparison, with all of its runs or only some."""
    own = {
        rate.expectation: rate.check
        for rate in case.expectations
        if rate.min_pass_rate is not None or _failed_in_passing(case, rate)
    }
    return sample(case.runs if runs is None else runs, case.outcome, own, case.counts_run, case.runs_not_needed)


def sample(
    runs: Sequence[_Run],
    outcome: CaseOutcome,
    own: Mapping[str, str],
    counts: Callable[[_Run], bool],
    not_made: int = 0,
) -> Sample:
    """These runs as one side of a comparison. `own` has the checks of the expectations with their own rate, by id; `counts` says
    which runs count in the pass rate; `not_made` runs were not needed for the `outcome`."""
    passed = [run for run in runs if run.fault is None]
    found = {rate.expectation: rate for rate in expectation_rates(runs)} if own else {}
    own_rates = (
        found.get(name) or ExpectationRate(expectation=name, check=check, held=0, decided=0)
        for name, check in own.items()
    )
    return Sample(
        outcome=outcome,
        runs_passed=len(passed),
        runs_countable=sum(map(counts, runs)),
        runs_not_made=not_made,
        runs_clean=sum(own.keys().isdisjoint(_failed_in(run)) for run in passed) if own else None,
        own_rates=tuple(own_rates),
    )


def run_key(run: Run) -> RunKey:
    """Includes the session, as two services may use the same run ids."""
    return run.invocation_id, run.run_id


def _failed_in_passing(case: CaseResult, rate: ExpectationRate) -> bool:
    """Results of older versions do not name expectations with their own rate: those failed in passed runs."""
    return case.runs_countable is None and any(
        run.fault is None and rate.expectation in _failed_in(run) for run in case.runs
    )


def _failed_in(run: RunVerdict) -> set[str]:
    return {
        finding.expectation
        for finding in run.findings
        if finding.outcome is FindingOutcome.FAILED and finding.severity is CheckSeverity.ERROR
    }


def total(samples: Sequence[Sample | None]) -> Sample | None:
    """The sum of the samples of one case; None if one is unknown. Its runs not made are counted once."""
    known = [sample for sample in samples if sample is not None]
    if not known or len(known) < len(samples):
        return None
    first, rates = known[0], [{rate.expectation: rate for rate in sample.own_rates} for sample in known]
    own_rates = tuple(
        rate.model_copy(
            update={
                name: sum(getattr(one[rate.expectation], name) for one in rates if rate.expectation in one)
                for name in ("held", "decided")
            }
        )
        for rate in first.own_rates
    )
    clean = sum(sample.runs_passed if sample.runs_clean is None else sample.runs_clean for sample in known)
    return Sample(
        outcome=first.outcome,
        runs_passed=sum(sample.runs_passed for sample in known),
        runs_countable=sum(sample.runs_countable for sample in known),
        runs_not_made=first.runs_not_made,
        runs_clean=clean if any(sample.runs_clean is not None for sample in known) else None,
        own_rates=own_rates,
    )
