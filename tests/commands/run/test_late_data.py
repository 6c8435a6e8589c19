"""Results and bills that the service was late to send: read by the next run, which makes no new call for them, and reported until they are known."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from patience import PATIENCE_SECONDS

from planner.cli import system
from planner.clock import Clock
from planner.commands.run import run
from planner.results.model import RunResult
from planner.session.run_session import RunOptions
from planner.workspace.selection import Selection
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.reconcile.test_open_launches import answered, flat  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT, wait_for  # pyright: ignore[reportMissingImports]

GRADED = """\
version: 1
plan: graded
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 2
    timeout_seconds: 86400
    expect:
      - {check: grade, max_issues: 50}
"""
HASTE = 100
"""How much faster than its own clock our side runs. On a machine that pauses for seconds, it gives up sooner."""
LATE_SECONDS = 10_000.0
"""Longer than any run of these tests can take, however slow the machine is."""


@pytest.fixture
def hasty(project: Project, service: Served) -> Callable[..., int]:
    """`planner run`, whose patience is short."""

    def invoke(**selection: Any) -> int:
        shell = system.shell(system.GlobalOptions())
        clock = Clock(shell.clock.now, lambda: time.monotonic() * HASTE, lambda seconds: anyio.sleep(seconds / HASTE))
        options = RunOptions(Selection(**selection), consent_to_charge=True)
        return run(replace(shell, clock=clock), options)

    project.write("plans/hours.yaml", GRADED)
    return invoke


def late(service: Served, seconds: float, *what: str) -> None:
    service.control({"faults": [{"kind": "late", "what": list(what), "seconds": seconds}]})


@pytest.mark.parametrize(
    ("what", "expectation"),
    [
        ("grade", "{check: grade, max_issues: 50}"),
        ("grade", "{check: any_of, of: [{check: grade, max_issues: 50}, {check: says, any_of: [zebra]}]}"),
        ("transcript", "{check: says, any_of: [open, clinic, hours, help]}"),
        ("call_id", "{check: grade, max_issues: 50}"),
    ],
)
def test_late_evidence_is_fetched_by_the_next_run(
    project: Project, service: Served, hasty: Callable[..., int], what: str, expectation: str
) -> None:
    """Undecided at first and exit 4; then, with no other call, decided and billed, in the results of both runs. So is a grade that
    only a part of a check reads."""
    project.edit("plans/hours.yaml", "{check: grade, max_issues: 50}", expectation)
    late(service, LATE_SECONDS, what)
    assert hasty() == 4
    first = project.results()
    assert {run["cause"] for run in first["cases"][0]["runs"]} == {"judge"}
    assert any("reads it again, free" in problem for problem in first["problems"])
    assert project.actions()["graded/hours@clinic"] == ("recheck", "unread", 0)
    digest = project.planner("plan", "--format", "json").json["digest"]
    service.advance(LATE_SECONDS)
    ran = project.planner("run", "--digest", digest)
    assert ran.code == 0, ran.out + ran.err
    assert "read 2 stored runs again (free): 2 are complete now" in ran.err
    total = service.ledger()["total_cents"]
    assert len(service.own_runs()) == 2
    (case,) = project.results()["cases"]
    assert (case["outcome"], [run["missing"] for run in case["runs"]]) == ("passed", [[], []])
    assert sum(run["cost_cents"] for run in case["runs"]) == total
    stored = next((project.root / ".planner/runs").glob(f"{first['session_id']}.json")).read_text()
    assert f'"actual_cents":{total},"this_session_cents":{total},"unconfirmed_cents":0' in stored
    assert project.planner("run").code == 0
    assert project.actions()["graded/hours@clinic"] == ("reuse", "passed", 0)


def test_late_evidence_is_read_although_other_calls_are_refused(
    project: Project, service: Served, hasty: Callable[..., int]
) -> None:
    """It is read and judged, free, and stored; the new case needs consent."""
    late(service, LATE_SECONDS, "grade")
    assert hasty() == 4
    text = (project.root / "plans/hours.yaml").read_text()
    project.write("plans/other.yaml", text.replace("graded", "other").replace("prompt: ", "prompt: Hello. "))
    service.advance(LATE_SECONDS)
    assert project.planner("run").code == 3
    assert project.actions()["graded/hours@clinic"] == ("reuse", "passed", 0)
    assert len(service.own_runs()) == 2


def test_missing_bills_are_reported_until_they_arrive(
    project: Project, service: Served, hasty: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the run that made the calls, as part of its bill; by those after it, which call nobody, as that of kept runs; and no
    more once they are known."""
    late(service, LATE_SECONDS, "call_id")
    assert hasty() == 4
    shown = output(capsys)
    assert "at least $0.00 (estimate was $0.64)" in shown
    assert "up to $1.28 more for 2 unknown bills" in shown
    cost = project.results()["cost"]
    assert (cost["unconfirmed_cents"], cost["unbilled_calls"], cost["calls_under_way"]) == (128, 2, 0)
    assert hasty() == 4
    assert "the bill of 2 earlier runs is still unknown: up to $1.28" in output(capsys)
    assert project.results()["cost"]["carried_unconfirmed_cents"] == 128
    service.advance(LATE_SECONDS)
    assert hasty() == 0
    assert "unknown" not in output(capsys)
    stored = [path.read_text() for path in sorted((project.root / ".planner/runs").glob("*.json"))]
    assert len(stored) == 3
    assert all('"unconfirmed_cents":0,"calls_under_way":0,"unbilled_calls":0' in text for text in stored)
    assert all('"carried_unconfirmed_cents":0' in text for text in stored)


def output(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_evidence_that_never_comes_is_not_paid_for_again(
    project: Project, service: Served, hasty: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it is run, nobody is called for a grade that the service does not give, unless asked to."""
    late(service, LATE_SECONDS, "grade")
    for _ in range(3):
        assert hasty() == 4
        assert "the evidence of some calls is incomplete (grade)" in " ".join(capsys.readouterr().out.split())
    assert len(service.own_runs()) == 2
    assert hasty(rerun="failed") == 4
    assert len(service.own_runs()) == 4


def test_a_service_that_cannot_be_read_again_leaves_things_as_they_are(
    project: Project, service: Served, hasty: Callable[..., int]
) -> None:
    """Unreadable lists and calls are reported, and the next run tries again."""
    late(service, LATE_SECONDS, "grade")
    assert hasty() == 4
    service.advance(LATE_SECONDS)
    service.control({"faults": [{"kind": "error_before", "route": "list", "times": 4}]})
    assert hasty() == 4
    service.control({"faults": [{"kind": "error_before", "route": "call", "times": 8}]})
    assert hasty() == 4
    assert hasty() == 0
    assert len(service.own_runs()) == 2


def test_active_calls_at_an_interruption_are_in_the_bill(project: Project, service: Served) -> None:
    """Every report says that the sum is a lower bound and what is reserved for active calls."""
    service.control({"faults": [{"kind": "hang"}]})
    project.limit_calls(3)
    process = subprocess.Popen(
        [sys.executable, "-m", "planner", "run", CONSENT],
        cwd=project.root,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(service.own_runs()) == 3 and answered(project))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    cost = project.results()["cost"]
    assert (cost["actual_cents"], cost["unconfirmed_cents"], cost["calls_under_way"]) == (0, 3 * 64, 3)
    bill = "at least $0.00 (estimate was $1.60)"
    assert bill in flat(out)
    assert f"Cost {bill}; up to $1.92 more for 3 calls in progress" in flat(out)
    assert f"Cost: {bill}" in (project.root / "reports/junit.xml").read_text()
    assert "up to $1.92 more for 3 calls in progress" in flat((project.root / "reports/report.md").read_text())
    RunResult.model_validate(project.results())
