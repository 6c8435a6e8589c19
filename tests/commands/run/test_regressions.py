"""Regressions by counts, end to end: the exit code, what keeps a regression, and what `--fail-on` counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
PLAN = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  name:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 5
    min_pass_rate: RATE
    expect: [{check: says, any_of: [Iris]}]
"""


@pytest.fixture
def called(project: Project, service: Served) -> Project:
    """Five of five calls passed, and then the agent was edited so that none does. Every rate is good enough."""
    project.write("plans/hours.yaml", PLAN.replace("RATE", "0"))
    assert project.planner("run", CONSENT).code == 0
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    return project


def case_of(project: Project) -> dict[str, Any]:
    (case,) = project.results()["cases"]
    return case


def counts(side: dict[str, Any]) -> tuple[int, int]:
    return side["runs_passed"], side["runs_countable"]


def test_a_case_that_is_good_enough_and_regressed_exits_1(called: Project, service: Served) -> None:
    """Its own outcome stays; the counts of both sides are in JSON, on the terminal and in report.md. It stays so while it is kept."""
    ran = called.planner("run", CONSENT)
    case = case_of(called)
    assert (ran.code, called.results()["outcome"], case["outcome"], case["compared"]) == (
        1,
        "failed",
        "flaky",
        "regressed",
    )
    assert (counts(case["before"]), counts(case["latest"])) == ((5, 5), (0, 5))
    assert called.results()["fail_on"] == ["failure", "regression"]
    assert "5/5 → 0/5" in " ".join(ran.out.split())
    assert "5/5 → 0/5" in (called.root / "reports/report.md").read_text()
    calls = len(service.own_runs())
    assert called.planner("run").code == 1
    assert (case_of(called)["action"], case_of(called)["compared"]) == ("keep", "regressed")
    assert called.planner("recheck").code == 1
    assert called.planner("recheck", "--fail-on", "failure").code == 0
    assert len(service.own_runs()) == calls
    assert called.planner("run", CONSENT, "--rerun", "all").code == 0
    assert (case_of(called)["compared"], counts(case_of(called)["before"])) == ("same", (0, 5))


def test_fail_on_selects_what_fails(called: Project) -> None:
    """`failure` alone lets the regression pass, `regression` alone a failure; what is neither is a usage error."""
    ran = called.planner("run", CONSENT, "--fail-on", "failure")
    assert (ran.code, called.results()["outcome"], case_of(called)["compared"]) == (0, "passed", "regressed")
    assert called.planner("run", "--fail-on", "regression").code == 1
    called.write("plans/hours.yaml", PLAN.replace("RATE", "0.5"))
    assert called.planner("recheck", "--fail-on", "failure").code == 1
    assert case_of(called)["outcome"] == "failed"
    assert called.planner("recheck", "--fail-on", "regression").code == 0
    wrong = called.planner("run", "--fail-on", "everything")
    assert wrong.code == 2
    assert "'everything' is not one of failure, regression" in " ".join(wrong.err.split())
