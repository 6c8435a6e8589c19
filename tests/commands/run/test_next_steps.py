"""The commands that a report suggests next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.results.model import CaseResult
from planner.results.next_steps import NextStepCode
from planner.session.run_session import RunOptions, next_commands
from planner.verdicts.ending import ending_of
from planner.verdicts.next_steps import NextCommands
from planner.verdicts.outcome import Outcome
from planner.workspace.selection import Selection

DEFAULTS = next_commands(RunOptions(Selection()), consenting=True)


def run(cause: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"run_id": 1, "outcome": "undecided" if cause else "passed", "cause": cause, **fields}


def unknown(*runs: dict[str, Any], outcome: str = "unknown", **fields: Any) -> CaseResult:
    return CaseResult.model_validate(
        {
            "case_id": "p/s@t", "plan": "p", "scenario": "s", "target": "t", "action": "call", "reason": "rerun",
            "outcome": outcome, "runs": list(runs), "runs_required": 1, "runs_passed": 0, "runs_total": 1, "compared": "new",
            "call_fingerprint": "", "check_fingerprint": "",
            "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1, "direction": "outbound", "mode": "bot"},
            **fields,
        }
    )  # fmt: skip


def resume(outcome: Outcome, commands: NextCommands, overdue: frozenset[str] = frozenset()) -> str:
    steps = ending_of([unknown(run("judge"))], outcome, overdue, commands).next_steps
    (step,) = [step for step in steps if step.code is NextStepCode.RESUME]
    return step.command


def test_an_interrupted_session_is_resumed_as_it_began() -> None:
    """`--rerun all` resumes what was interrupted, and pays for nothing twice."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    step = resume(Outcome(interrupted=True), next_commands(options, consenting=True))
    assert step == "planner run plans/a.yaml --rerun all --consent-to-charge --max-cost 2.50"


FREE = "planner run plans/a.yaml --max-cost 2.50"
AGAIN = "planner run plans/a.yaml --consent-to-charge --max-cost 2.50"
ONLY_FAILED = "planner run plans/a.yaml --rerun failed"
FAILED = unknown(run("agent"), outcome="failed")


@pytest.mark.parametrize(
    ("cases", "commands"),
    [
        ([unknown(run("judge", missing=["transcript"]))], [FREE]),
        ([unknown(run("judge", votes_missing=2))], [AGAIN]),
        ([unknown(run("caller"), quarantine={"until": "2026-12-31", "reason": "x"})], [AGAIN]),
        ([unknown(run("judge", missing=["transcript"])), FAILED], [FREE, ONLY_FAILED]),
    ],
)
def test_a_finished_session_suggests_only_what_helps(cases: list[CaseResult], commands: list[str]) -> None:
    """Never `--rerun all`, which would pay for everything again."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    end = ending_of(cases, Outcome(), frozenset(), next_commands(options, consenting=True))
    assert end.finished
    assert [step.command for step in end.next_steps] == commands
