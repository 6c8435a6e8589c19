"""The commands that a report suggests next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from planner.ci.agreement import actor_of
from planner.cli import system
from planner.clock import Clock
from planner.execution.engine import Outcome, UnsettledLaunch
from planner.results.model import CaseResult
from planner.results.next_steps import NextStepCode
from planner.session.run_session import RunOptions, next_commands
from planner.shell import Shell
from planner.verdicts.ending import ending_of
from planner.verdicts.next_steps import NextCommands
from planner.workspace.selection import Selection

UNCONFIRMED = UnsettledLaunch("lost-1", ("p/s@t",), 32, False, "", datetime(2026, 11, 24, 10, 10, tzinfo=UTC))
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


def test_a_fresh_start_is_resumed_but_not_begun_again() -> None:
    """The reason is repeated until the session is finished; after that it would discard what was paid for."""
    commands = next_commands(RunOptions(Selection(start_over="a fix")), consenting=False)
    assert (commands.resume, commands.rerun) == ("planner run --start-over 'a fix'", "planner run")


FREE = "planner run plans/a.yaml --max-cost 2.50"
AGAIN = "planner run plans/a.yaml --consent-to-charge --max-cost 2.50"
FAILED = unknown(run("agent"), outcome="failed")


@pytest.mark.parametrize(
    ("cases", "commands"),
    [
        ([unknown(run("judge", missing=["transcript"]))], [FREE]),
        ([unknown(run("judge", votes_missing=2))], [AGAIN]),
        ([unknown(run("caller"), quarantine={"until": "2026-12-31", "reason": "x"})], [AGAIN]),
        ([unknown(run("judge", missing=["transcript"])), FAILED], [AGAIN]),
    ],
)
def test_a_finished_session_suggests_only_what_helps(cases: list[CaseResult], commands: list[str]) -> None:
    """Never `--rerun all`, which would pay for everything again."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    end = ending_of(cases, Outcome(), frozenset(), next_commands(options, consenting=True))
    assert end.finished
    assert [step.command for step in end.next_steps] == commands


def test_the_price_of_more_runs_counts_the_calls_so_far() -> None:
    case = unknown(*[run()] * 38, run("platform"), runs_required=20, more_runs=50, more_runs_cents=800)
    steps = ending_of([case], Outcome(), frozenset(), DEFAULTS).next_steps
    (text,) = [step.text for step in steps if step.code is NextStepCode.RAISE_RUNS]
    assert "from 20 to about 88, about $8.00" in text


def test_the_suggested_command_repeats_what_was_typed() -> None:
    """It adds no consent that was not given, and keeps the ceiling."""
    options = RunOptions(Selection(), max_cost_cents=140)
    outcome = Outcome(unsettled=(UNCONFIRMED,))
    assert resume(outcome, next_commands(options, consenting=False)) == "planner run --max-cost 1.40"
    consented = resume(outcome, next_commands(options, consenting=True))
    assert consented == "planner run --consent-to-charge --max-cost 1.40"


def test_an_unconfirmed_launch_is_reported_with_its_time_and_command() -> None:
    """The time from which it may be sent again, and the command of its store; several candidates need a person."""
    commands = next_commands(RunOptions(Selection(store="s3", select=("p/*",))), consenting=True)
    launches = (UNCONFIRMED, replace(UNCONFIRMED, needs_person=True))
    look, choose = ending_of([], Outcome(unsettled=launches), frozenset(), commands).next_steps[:2]
    assert "2026-11-24 10:10:00 UTC" in look.text
    assert [look.command, choose.command] == ["planner reconcile --store s3"] * 2


def test_the_consenting_user_is_known_without_an_environment(tmp_path: Path) -> None:
    """CI and shell variables come first, then the owner of the process."""

    def actor(environ: dict[str, str]) -> str:
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=lambda: 0.0, sleep=anyio.sleep)
        return actor_of(Shell(tmp_path, environ, StringIO(), StringIO(), clock, lambda: "id", 80, user="ana"))

    assert actor({}) == "ana"
    assert actor({"USER": "bob"}) == "bob"
    assert system.shell(system.GlobalOptions()).user not in ("", "unknown")
