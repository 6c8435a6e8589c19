"""A quarantined case is compared separately: it changes nothing for the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from planner.planfile.model import Case, Quarantine
from planner.results.model import CaseResult, Run
from planner.results.outcomes import Fault, RunOutcome
from planner.verdicts.case_documents import MissingRuns, assemble_cases


def gone(digest: str) -> None:
    del digest


def failing(run: Run) -> Run:
    return run.model_copy(update={"outcome": RunOutcome.FAILED, "fault": Fault.AGENT, "findings": []})


@pytest.mark.parametrize(
    ("today", "found"),
    [(date(2026, 11, 30), ["regressed", "regressed"]), (date(2026, 12, 1), ["not_enough_evidence"] * 2)],
)
def test_a_quarantine_is_valid_until_its_last_day(
    today: date,
    found: list[str],
    make_case: Callable[..., Case],
    store_case: Callable[..., CaseResult],
    make_runs: Callable[..., list[Run]],
    build: Callable[..., Any],
) -> None:
    """Two cases fall from 3 of 3 to 0 of 3, which is significant for one alone. After its last day, the quarantined
    case counts again."""
    cases = [make_case("one"), make_case("apart", quarantine=Quarantine(date(2026, 11, 30), "ticket VOX-41"))]
    stored = [store_case(case, runs=make_runs(None, None, None)) for case in cases]
    changes = build(cases, stored, rerun="all").changes
    made = {
        change.case_id: [failing(run) for run in make_runs("agent", "agent", "agent", first=first, invocation_id="new")]
        for change, first in zip(changes, (201, 301), strict=True)
    }
    assembled = assemble_cases(changes, made, gone, MissingRuns(), today=today)
    assert [case.compared for case in assembled] == found
