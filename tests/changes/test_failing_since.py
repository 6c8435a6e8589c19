"""Since when a case fails: a repeated session shows it as `same`, which does not say who broke it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from planner.planfile.model import Case
from planner.results.model import CaseResult, Run, RunVerdict
from planner.results.outcomes import Fault, RunOutcome
from planner.verdicts.case_documents import MissingRuns, assemble_cases


def gone(digest: str) -> None:
    del digest


@pytest.mark.parametrize(
    ("before", "stored_since", "then", "found"),
    [
        ("passed", None, "agent", None),
        ("failed", None, "agent", "old"),
        ("failed", "first", "agent", "first"),
        ("failed", "first", None, "first"),
        ("unknown", "first", "agent", None),
        ("failed", "first", "platform", "first"),
    ],
)
def test_the_first_invocation_that_found_it_failing_is_named(
    before: Any,
    stored_since: str | None,
    then: Any,
    found: str | None,
    make_case: Callable[..., Case],
    store_case: Callable[..., CaseResult],
    make_runs: Callable[..., list[Run]],
    build: Callable[..., Any],
) -> None:
    """The date is kept while the case fails. A case that passes or is unknown starts again."""
    case = make_case("one")
    fault = None if before == "passed" else "agent"
    stored = store_case(
        case, outcome=before, failing_since=stored_since, runs=make_runs(fault, fault, invocation_id="old")
    )
    (change,) = build([case], [stored], rerun="all").changes
    verdict = {
        None: RunVerdict(outcome=RunOutcome.PASSED),
        "agent": RunVerdict(outcome=RunOutcome.FAILED, fault=Fault.AGENT),
        "platform": RunVerdict(outcome=RunOutcome.ERRORED, fault=Fault.PLATFORM),
    }[then]
    runs = make_runs(then, then, first=201, invocation_id="new")
    made = {change.case_id: [run.model_copy(update=dict(verdict)) for run in runs]}
    (assembled,) = assemble_cases([change], made, gone, MissingRuns(), today=date(2026, 11, 30))
    assert assembled.failing_since == found
