"""Since when a case fails: a repeated session shows it as `same`, which does not say who broke it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from planner.planfile.model import Case
from planner.reports import markdown, summary
from planner.reports.case_phrasing import facts
from planner.results.model import CaseResult, Run, RunResult, RunVerdict
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


def test_the_start_of_a_failure_is_reported() -> None:
    """No report says only `same` of a case that still fails."""
    case = CaseResult.model_validate(
        {
            "case_id": "p/a@s", "plan": "p", "scenario": "a", "target": "s", "action": "call", "reason": "failed_last_time",
            "outcome": "failed", "outcome_reason": "0 of 1 run passed, 100 % needed", "runs_required": 1, "runs_passed": 0,
            "runs_total": 1, "compared": "same", "failing_since": "20261120T080000-77 <b>", "call_fingerprint": "",
            "check_fingerprint": "", "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1,
            "direction": "outbound", "mode": "bot"},
        }
    )  # fmt: skip
    result = RunResult.model_validate(
        {
            "tool_version": "1", "outcome": "failed", "exit_code": 1, "invocation_id": "new", "change_set_digest": "",
            "started_at": "2026-11-24T10:00:00Z", "ended_at": "2026-11-24T10:00:00Z", "consent": {"given": True},
            "plans": ["p"], "cases": [case], "cost": {"estimated_cents": None, "actual_cents": 0,
            "this_invocation_cents": 0, "ambiguous_cents": 0}, "stats": {"wall_seconds": 0},
        }
    )  # fmt: skip
    assert " · same · failing since 20261120T080000-77 &lt;b&gt; · not called: failed last time" in markdown.render(
        result
    )
    text = summary.render_text(result, report_paths=[], width=200, color=False)
    assert " · same · failing since 20261120T080000-77 <b> · not called: failed last time" in text
    assert not any("failing since" in fact for fact in facts(case.model_copy(update={"outcome": "passed"})))
