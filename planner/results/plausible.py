"""Finds contradictions in stored documents: times in the future, more passes than runs, runs that are listed twice.

Comparisons and prices from such documents would be wrong or impossible to compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.results.baselines import BaselineDocument
from planner.results.model import CaseDocument, ExpectationRate, RunResult, SampleDocument


def impossible_in(document: RunResult | BaselineDocument, now: datetime | None) -> str:
    """Describe the first contradiction; "" if there is none. `now` None: accept times in the future."""
    moments = (("started_at", document.started_at), ("ended_at", document.ended_at))
    for name, moment in moments:
        if moment is not None and not is_possible(moment, now):
            return f"{name} {moment.isoformat()} is not a possible time"
    return next((f"{wrong} in {case.case_id}" for case in document.cases for wrong in _of_case(case, now)), "")


def _of_case(case: CaseDocument, now: datetime | None) -> Iterator[str]:
    for run in case.runs:
        if run.completed_at is not None and not is_possible(run.completed_at, now, SERVER_CLOCK_SKEW):
            yield f"completed_at {run.completed_at.isoformat()} is not a possible time"
    if len({(run.invocation_id, run.run_id) for run in case.runs}) < len(case.runs):
        yield "the same run is listed twice"
    for sample in (case.before, case.latest, case.open_against):
        if sample is not None:
            yield from _of_sample(sample)
    yield from _of_rates(case.expectations)


def _of_sample(sample: SampleDocument) -> Iterator[str]:
    passed, countable = sample.runs_passed, sample.runs_countable
    if passed > countable or (sample.runs_clean or 0) > passed:
        yield f"{passed} of {countable} runs passed"
    yield from _of_rates(sample.own_rates)


def _of_rates(rates: Iterable[ExpectationRate]) -> Iterator[str]:
    yield from (
        f"{rate.expectation} was met in {rate.held} of {rate.decided} runs"
        for rate in rates
        if rate.held > rate.decided
    )
