"""The command that a report tells to go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.commands.run_options import RunOptions
from planner.commands.selection import Selection
from planner.commands.verdict import ending_of
from planner.execution.work import Outcome
from planner.results.model import CaseDocument


def unknown() -> CaseDocument:
    return CaseDocument.model_validate(
        {
            "case_id": "p/s@t", "plan": "p", "scenario": "s", "target": "t", "action": "call", "reason": "forced",
            "outcome": "unknown", "runs_required": 1, "runs_passed": 0, "runs_total": 1, "compared": "new",
            "call_fingerprint": "", "check_fingerprint": "",
            "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1, "direction": "outbound", "mode": "bot"},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(), "planner run --consent-to-charge --max-cost 2.50 plans/a.yaml"),
        (Outcome(interrupted=True), "planner run --rerun all --consent-to-charge --max-cost 2.50 plans/a.yaml"),
    ],
)
def test_what_is_done_is_not_called_all_over_again(outcome: Outcome, expected: str) -> None:
    """`--rerun all` goes on with one that was interrupted; after one that was done it would pay for everything again."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    ending = ending_of([unknown()], outcome, frozenset(), command=options.again(), afterwards=options.afterwards())
    (step,) = [step for step in ending.next_steps if step.startswith("Go on, without paying for anything twice: ")]
    assert sorted(step.removeprefix("Go on, without paying for anything twice: ").split()) == sorted(expected.split())
