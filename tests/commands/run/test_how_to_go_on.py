"""The command that a report tells to resume."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from planner.changes.saved import SavedPlan
from planner.cli import system
from planner.execution.clock import Clock
from planner.execution.jobs import Outcome, UnsettledLaunch
from planner.invocation.run_options import RunOptions, ways_on
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell, actor_of
from planner.results.model import CaseDocument
from planner.verdicts.ending import WaysOn, ending_of

SENSELESS = "GET /v1/calls/9: the service's answer is invalid"
LOST = UnsettledLaunch("lost-1", ("p/s@t",), 32, False, "", datetime(2026, 11, 24, 10, 10, tzinfo=UTC))


def run(fault: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"run_id": 1, "outcome": "errored" if fault else "passed", "fault": fault, **fields}


def unknown(*runs: dict[str, Any], outcome: str = "unknown", **fields: Any) -> CaseDocument:
    return CaseDocument.model_validate(
        {
            "case_id": "p/s@t", "plan": "p", "scenario": "s", "target": "t", "action": "call", "reason": "forced",
            "outcome": outcome, "runs": list(runs), "runs_required": 1, "runs_passed": 0, "runs_total": 1, "compared": "new",
            "call_fingerprint": "", "check_fingerprint": "",
            "inputs": {"prompt": "", "target_kind": "agent", "target_id": 1, "direction": "outbound", "mode": "bot"},
            **fields,
        }
    )  # fmt: skip


def test_what_was_interrupted_is_gone_on_with_as_it_was_begun() -> None:
    """`--rerun all` resumes one that was interrupted, and pays for nothing twice."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    step = go_on(Outcome(interrupted=True), ways_on(options, consenting=True))
    assert step == "planner run plans/a.yaml --rerun all --consent-to-charge --max-cost 2.50"


LATE = "What was not told yet is asked for by the next run, which calls nobody for it"
FREE = "planner run plans/a.yaml --max-cost 2.50"
AGAIN = "planner run plans/a.yaml --consent-to-charge --max-cost 2.50"
SPOILT = "for money it calls 2 cases whose calls say nothing of the agent"
FAILED = unknown(run("agent"), outcome="failed")


@pytest.mark.parametrize(
    ("cases", "steps"),
    [
        ([FAILED], []),
        ([unknown(run("judge"))], []),
        ([unknown(run("judge", missing=["transcript"]))], [f"{LATE}: {FREE}"]),
        ([unknown(run("judge", votes_missing=1))], [f"{LATE}: {FREE}"]),
        (
            [unknown(run("judge", votes_missing=1)), FAILED],
            [f"{LATE}; for money it calls 1 failed case again: {AGAIN}"],
        ),
        (
            [unknown(run("caller")), unknown(run("platform")), FAILED],
            [f"The next run can decide 2 cases; {SPOILT} and 1 failed case again: {AGAIN}"],
        ),
        (
            [unknown(run(), runs_required=20, more_runs=50, more_runs_cents=800)],
            ["To decide p/s@t, raise its `runs` from 20 to about 70, about $8.00: the calls made so far stand."],
        ),
        (
            [unknown(run(), more_runs=5)] * 5,
            [
                *["To decide p/s@t, raise its `runs` from 1 to about 6: the calls made so far stand."] * 3,
                "So with 2 more cases: each says how many runs more it takes.",
            ],
        ),
    ],
)
def test_what_is_done_is_not_called_all_over_again(cases: list[CaseDocument], steps: list[str]) -> None:
    """Once every call was made, the next step is named only where there is one, with what it costs, and never as `--rerun all`,
    which would pay for everything again."""
    options = RunOptions(Selection(paths=(Path("plans/a.yaml"),), rerun="all"), max_cost_cents=250)
    ending = ending_of(cases, Outcome(), frozenset(), ways_on(options, consenting=True))
    assert ending.finished
    assert list(ending.next_steps) == steps


def go_on(outcome: Outcome, ways: WaysOn, overdue: frozenset[str] = frozenset()) -> str:
    ending = ending_of([unknown(run("judge"))], outcome, overdue, ways)
    (step,) = [step for step in ending.next_steps if step.startswith("Go on, without paying for anything twice: ")]
    return step.removeprefix("Go on, without paying for anything twice: ")


def test_what_was_typed_is_to_be_typed_again() -> None:
    """Consent that was not given is not put into anybody's mouth, and the ceiling stays the same."""
    options = RunOptions(Selection(), max_cost_cents=140)
    assert go_on(Outcome(unsettled=(LOST,)), ways_on(options, consenting=False)) == "planner run --max-cost 1.40"
    assert (
        go_on(Outcome(unsettled=(LOST,)), ways_on(options, consenting=True))
        == "planner run --consent-to-charge --max-cost 1.40"
    )


def test_waiting_for_a_run_takes_no_consent() -> None:
    """Where only runs under way are missing, no call is left to be made, and no consent to be given."""
    ways = ways_on(RunOptions(Selection()), consenting=True)
    assert go_on(Outcome(overdue=1), ways, frozenset({"p/s@t"})) == "planner run"
    assert go_on(Outcome(overdue=1, left={"p/s@t": 1}), ways, frozenset({"p/s@t"})) == "planner run --consent-to-charge"


def test_a_refused_read_is_told_once() -> None:
    """It is the author's fault, and why all ended: one problem, with what may help."""
    refused = Outcome(
        usage="GET /v1/test-calls: no (401: No.). Check the key.", trouble="GET /v1/test-calls: no (401: No.)"
    )
    ending = ending_of([], refused, frozenset(), ways_on(RunOptions(Selection()), consenting=True))
    assert ending.problems == (refused.usage,)
    other = ending_of(
        [], replace(refused, blocked="no network"), frozenset(), ways_on(RunOptions(Selection()), consenting=True)
    )
    assert other.problems == (refused.usage, "no network")


@pytest.mark.parametrize(
    ("outcome", "left_open", "looked_for"),
    [
        (Outcome(overdue=1), "that did not end in time", "Runs that have not ended are"),
        (
            Outcome(overdue=1, unread=[SENSELESS]),
            f"whose calls cannot be read: {SENSELESS}",
            "Runs whose calls cannot be read are",
        ),
        (
            Outcome(overdue=2, unread=[SENSELESS]),
            f"that did not end in time, or whose calls cannot be read: {SENSELESS}",
            "Runs that have not ended, or whose calls cannot be read, are",
        ),
    ],
)
def test_a_call_that_cannot_be_read_is_not_told_as_one_that_did_not_end(
    outcome: Outcome, left_open: str, looked_for: str
) -> None:
    """Why it cannot be read is told with it."""
    ways = ways_on(RunOptions(Selection()), consenting=True)
    ending = ending_of([unknown(run("platform"))], outcome, frozenset({"p/s@t"}), ways)
    assert f"1 case left open by runs {left_open}" in ending.problems
    assert ending.next_steps[0] == (
        f"{looked_for} looked for, free, by every run until a day after their launch; they are called again only then."
    )


def test_a_launch_of_unknown_fate_is_told_with_its_time_and_its_command() -> None:
    """From when on it may be sent again, and what shows it, of the store that it is in; several candidates wait for a person."""
    ways = ways_on(RunOptions(Selection(store="s3", select=("p/*",))), consenting=True)
    needs_person = replace(LOST, needs_person=True)
    assert ending_of([], Outcome(unsettled=(LOST, needs_person)), frozenset(), ways).next_steps[:2] == (
        (
            "Launches of unknown fate are looked for again by the next run, and sent again only if the service does not show"
            " them by 2026-11-24 10:10:00 UTC; what is known of them: planner reconcile --store s3"
        ),
        "What became of a launch cannot be told from what the service shows, and a person must say: planner reconcile --store s3",
    )


def test_who_consents_is_known_without_an_environment() -> None:
    """Where neither CI nor the shell tells, it is the owner of the process; where they do, they are believed."""

    def actor(environ: dict[str, str]) -> str:
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=lambda: 0.0, sleep=anyio.sleep)
        return actor_of(Shell(Path(), environ, StringIO(), StringIO(), clock, lambda: "id", 80, user="ana"))

    assert actor({}) == "ana"
    assert actor({"USER": "bob"}) == "bob"
    assert system.shell(0).user not in ("", "unknown")


def test_who_was_overtaken_does_not_ask_for_the_same_saved_plan() -> None:
    """The other invocation may have carried it out by then; what is left is asked for by what it selected."""
    saved = SavedPlan.model_construct()
    options = RunOptions(Selection(select=("p/*",)), max_cost_cents=140, saved=saved, saved_path=Path("agreed.json"))
    again = "planner run agreed.json --consent-to-charge --max-cost 1.40"
    assert ways_on(options, consenting=True).again == again
    assert ways_on(options, consenting=True, overtaken=True).again == (
        "planner run --select 'p/*' --consent-to-charge --max-cost 1.40"
    )


def test_a_ceiling_that_only_votes_reached_is_not_said_of_calls() -> None:
    """Where no call is left to be made it is no call that the ceiling kept from being made."""
    ways = ways_on(RunOptions(Selection()), consenting=True)
    votes = ending_of([], Outcome(ceiling="--max-cost"), overdue=set(), ways=ways)
    assert votes.next_steps == ("Raise the ceiling to go on; what was asked for is not paid for again.",)
    calls = ending_of([], Outcome(ceiling="--max-cost", left={"p/s@t": 2}), overdue=set(), ways=ways)
    assert calls.next_steps == (
        "Raise the ceiling to make the calls that are left; those made are not paid for again.",
    )


def test_votes_that_are_missing_for_several_reasons_say_so() -> None:
    """The first reason, and that there are others."""
    missing = [run("judge", votes_missing=1, reason=reason) for reason in ("it was down", "it was down", "it refused")]
    ways = ways_on(RunOptions(Selection()), consenting=True)
    text = ending_of([unknown(*missing)], Outcome(), overdue=set(), ways=ways).problems
    why = "(it was down; and for 1 other reason)"
    assert f"3 votes of the language model missing {why}: the next run asks for them" in text
    alike = ending_of([unknown(*missing[:2])], Outcome(), overdue=set(), ways=ways).problems
    assert "2 votes of the language model missing (it was down): the next run asks for them" in alike
