"""Rates over runs: of each expectation, of repeated passes (pass^k), and of the suite as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from planner.results.model import (
    CaseDocument,
    ExpectationRate,
    RepeatedPass,
    RunDocument,
    SampleDocument,
    SuiteDocument,
)
from planner.statistics import all_of_k
from planner.verdicts.comparison import OwnRate, Sample, compare_suite
from planner.verdicts.outcomes import CaseOutcome, CaseVerdict

MOST_REPEATS = 10

RunKey: TypeAlias = tuple[str, int]


def expectation_rates(runs: Sequence[RunDocument]) -> list[ExpectationRate]:
    """How often each expectation was met, of the runs in which it was decided. Runs without a proper call do not count."""
    outcomes: dict[str, list[bool]] = {}
    checks: dict[str, str] = {}
    for run in runs:
        for finding in run.findings:
            checks.setdefault(finding.expectation, finding.check)
            decided = outcomes.setdefault(finding.expectation, [])
            if finding.outcome != "errored" and run.fault not in ("platform", "caller"):
                decided.append(finding.outcome == "passed")
    return [
        ExpectationRate(expectation=name, check=checks[name], held=sum(decided), decided=len(decided))
        for name, decided in outcomes.items()
    ]


def repeated_passes(cases: Sequence[CaseDocument]) -> list[RepeatedPass]:
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


def suite_of(cases: Iterable[CaseDocument]) -> SuiteDocument | None:
    """Compare all cases together that have runs on both sides; None if there are none. Quarantined cases do not count.

    Kept cases count with their last comparison: a suite that got worse stays so until it is called again.
    """
    suite = compare_suite(
        {
            case.case_id: (sample_from(case.before), sample_from(case.latest))
            for case in cases
            if case.before and case.latest and case.not_comparable is None and case.quarantine is None
        }
    )
    return suite if suite.cases else None


def sample_of(case: CaseDocument, *, without: Collection[RunKey] = ()) -> Sample:
    """A stored case as one side of a comparison; `without` are runs of the other side."""
    runs = [run for run in case.runs if run_key(run) not in without] if without else case.runs
    rates = [rate for rate in case.expectations if rate.min_pass_rate is not None or _failed_in_passing(case, rate)]
    names = {rate.expectation for rate in rates}
    if len(runs) < len(case.runs):
        rates = [rate for rate in expectation_rates(runs) if rate.expectation in names]
    not_clean = sum(run.fault is None and bool(names & _failed_in(run)) for run in runs)
    passed = sum(run.fault is None for run in runs)
    return Sample(
        CaseOutcome[case.outcome.upper()],
        passed,
        sum(map(case.counts_run, runs)),
        case.runs_not_needed,
        tuple(OwnRate(rate.expectation, rate.held, rate.decided) for rate in rates),
        passed - not_clean if names else None,
    )


def run_key(run: RunDocument) -> RunKey:
    """Includes the session, as two services may use the same run ids."""
    return run.invocation_id, run.run_id


def _failed_in_passing(case: CaseDocument, rate: ExpectationRate) -> bool:
    """Results of older versions do not name expectations with their own rate: those failed in passed runs."""
    return case.runs_countable is None and any(
        run.fault is None and rate.expectation in _failed_in(run) for run in case.runs
    )


def _failed_in(run: RunDocument) -> set[str]:
    return {
        finding.expectation for finding in run.findings if finding.outcome == "failed" and finding.severity == "error"
    }


def total(samples: Sequence[Sample | None]) -> Sample | None:
    """The sum of the samples of one case; None if one is unknown. Its runs not made are counted once."""
    found = samples[0] if samples else None
    for other in samples[1:]:
        if found is None or other is None:
            return None
        found = replace(found.after(other), runs_not_made=found.runs_not_made)
    return found


def sample_from(document: SampleDocument) -> Sample:
    return Sample(
        CaseOutcome[document.outcome.upper()],
        document.runs_passed,
        document.runs_countable,
        document.runs_not_made,
        tuple(OwnRate(rate.expectation, rate.held, rate.decided) for rate in document.own_rates),
        document.runs_clean,
    )


def sample_document(sample: Sample) -> SampleDocument:
    own_rates = [
        ExpectationRate(expectation=own.expectation, check="", held=own.met, decided=own.decided)
        for own in sample.own_rates
    ]
    return SampleDocument(
        outcome=sample.outcome.word,
        runs_passed=sample.runs_passed,
        runs_countable=sample.runs_countable,
        runs_not_made=sample.runs_not_made,
        runs_clean=sample.runs_clean,
        own_rates=own_rates,
    )


def verdict_fields(verdict: CaseVerdict, runs: Sequence[RunDocument]) -> dict[str, Any]:
    """Fields of a `CaseDocument`."""
    return {
        "outcome": verdict.outcome.word,
        "runs_passed": verdict.runs_passed,
        "runs_total": len(runs),
        "runs_countable": verdict.runs_countable,
        "pass_rate": verdict.pass_rate,
        "interval": verdict.interval,
        "runs": list(runs),
    }
