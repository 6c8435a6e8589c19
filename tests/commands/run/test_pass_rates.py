"""Counts of runs end to end: retrying until green does not help, and regressions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
EVERY_OTHER = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  every-other:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 4
    min_pass_rate: 0.7
    expect: [{check: expression, cel: "run.run_id % 2 == 0"}]
"""


@pytest.fixture
def failed(project: Project, service: Served) -> Project:
    """Two of four calls passed, 70 % needed."""
    project.write("plans/hours.yaml", EVERY_OTHER)
    assert project.planner("run", CONSENT).code == 1
    assert counts(project) == (2, 4)
    return project


def case_of(project: Project) -> dict[str, Any]:
    (case,) = project.results()["cases"]
    return case


def counts(project: Project) -> tuple[int, int]:
    return case_of(project)["runs_passed"], case_of(project)["runs_total"]


def test_a_retry_adds_to_the_runs_and_pays_for_its_own(failed: Project, service: Served) -> None:
    """2 of 4 twice is 4 of 8; the bill is that of the new calls. Unasked, nobody is called."""
    first = failed.results()
    assert failed.planner("run", CONSENT, "--rerun", "failed").code == 1
    second, case = failed.results(), case_of(failed)
    assert (counts(failed), case["pass_rate"], case["outcome"]) == ((4, 8), 0.5, "failed")
    assert [(side["runs_passed"], side["runs_countable"]) for side in (case["baseline"], case["latest"])] == [
        (2, 4)
    ] * 2
    assert (case["compared"], len({run["run_id"] for run in case["runs"]})) == ("same", 8)
    total = service.ledger()["total_cents"]
    assert sum(run["cost_cents"] for run in case["runs"]) == total
    assert first["cost"]["actual_cents"] + second["cost"]["actual_cents"] == total
    assert second["cost"]["this_session_cents"] == second["cost"]["actual_cents"]
    assert second["cost"]["carried_cents"] == first["cost"]["actual_cents"]

    ran = failed.planner("run", CONSENT)
    case = case_of(failed)
    assert (ran.code, case["action"], case["reason"], counts(failed)) == (1, "reuse", "failed", (4, 8))
    assert "--start-over REASON" in " ".join(ran.out.split())
    assert service.ledger()["total_cents"] == total
    assert failed.results()["cost"]["actual_cents"] == 0
    assert failed.planner("run", CONSENT, "--rerun", "failed").code == 1
    assert counts(failed) == (6, 12)


def test_retrying_a_selected_case_adds_up(failed: Project, service: Served) -> None:
    """Results of some cases only are no baseline, but their runs count, also in a run of all cases."""
    only = ("--select", "*every-other*")
    failed.planner("run", CONSENT, *only, "--rerun", "failed")
    assert (counts(failed), failed.results()["partial"]) == ((4, 8), True)
    failed.planner("run", CONSENT, *only)
    assert (counts(failed), case_of(failed)["reason"]) == ((4, 8), "failed")
    assert failed.planner("run", CONSENT).code == 1
    assert (counts(failed), case_of(failed)["reason"], len(service.own_runs())) == ((4, 8), "failed", 8)
    failed.planner("run", CONSENT, *only, "--rerun", "failed")
    assert (counts(failed), len(service.own_runs())) == ((6, 12), 12)


def test_fresh_sets_earlier_runs_aside_on_the_record(failed: Project, service: Served) -> None:
    """With who said why, and when; it calls what would be called, and nothing that is kept."""
    ran = failed.planner("run", CONSENT, "--start-over", "the lookup tool was fixed")
    results, case = failed.results(), case_of(failed)
    assert (ran.code, counts(failed)) == (1, (2, 4))
    assert case["start_over"] == results["start_over"]
    assert (case["start_over"]["reason"], bool(case["start_over"]["by"]), bool(case["start_over"]["at"])) == (
        "the lookup tool was fixed",
        True,
        True,
    )
    assert "the lookup tool was fixed" in (failed.root / "reports/report.md").read_text()
    assert len(service.own_runs()) == 8
    failed.edit("plans/hours.yaml", "min_pass_rate: 0.7", "min_pass_rate: 0.5")
    assert failed.planner("run").code == 0
    assert failed.planner("run", CONSENT, "--start-over", "x").code == 0
    assert (case_of(failed)["action"], len(service.own_runs())) == ("reuse", 8)
    assert case_of(failed)["start_over"]["reason"] == "the lookup tool was fixed"
    assert failed.planner("run", "--start-over", " ").code == 2


NAME = """\
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
    """Five of five calls passed, and then the agent was edited so that none does."""
    project.write("plans/hours.yaml", NAME.replace("RATE", "0.2"))
    assert project.planner("run", CONSENT).code == 0
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    return project


def side_counts(side: dict[str, Any]) -> tuple[int, int]:
    return side["runs_passed"], side["runs_countable"]


def test_a_case_that_regressed_exits_1(called: Project, service: Served) -> None:
    """The counts of both sides are in JSON, on the terminal and in report.md. It stays so offline."""
    ran = called.planner("run", CONSENT)
    case = case_of(called)
    assert (ran.code, called.results()["outcome"], case["outcome"], case["compared"]) == (
        1,
        "failed",
        "failed",
        "regressed",
    )
    assert (side_counts(case["baseline"]), side_counts(case["latest"])) == ((5, 5), (0, 5))
    assert "5/5 in 1 session → 0/5" in " ".join(ran.out.split())
    assert "5/5 in 1 session → 0/5" in (called.root / "reports/report.md").read_text()
    calls = len(service.own_runs())
    assert called.planner("run", "--offline").code == 1
    assert len(service.own_runs()) == calls


def test_a_regression_that_stays_is_red_until_somebody_accepts_it(called: Project) -> None:
    """It is always compared with the session before it. Then only the requirement is missed."""
    assert called.planner("run", CONSENT).code == 1
    first = called.results()["session_id"]
    assert case_of(called)["regressed_since"] is None
    again = called.planner("run", CONSENT, "--rerun", "all")
    case = case_of(called)
    assert (again.code, case["compared"], case["regressed_since"]) == (1, "regressed", first)
    assert case["usual"] == {"passed": 5, "countable": 5, "sessions": 1}
    assert called.results()["suite"]["left_out"] == [first]
    shown = " ".join(again.out.split())
    assert "regressed (5/5 in 1 session → 0/5" in shown
    assert "; nobody accepted it)" in shown
    assert "Not compared with" in called.planner("history").out
    accepted = called.planner("run", CONSENT, "--rerun", "all", "--start-over", "The clinic moved")
    assert (accepted.code, case_of(called)["compared"]) == (1, "same")
    assert (called.planner("run", CONSENT, "--rerun", "all").code, case_of(called)["compared"]) == (1, "same")
    assert "(The clinic moved)" in " ".join(called.planner("history").out.split())


TWO_SCENARIOS = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  never:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 10
    min_pass_rate: 0.8
    expect: [{check: says, any_of: [xylophone]}]
  always:
    prompt: You are Bob, calm. Ask when the clinic is open on Saturday.
    runs: 5
    min_pass_rate: 0.6
    expect: [{check: call, status: completed}]
"""
NEVER, ALWAYS = "hours/never@clinic", "hours/always@clinic"


@pytest.fixture
def plan(project: Project) -> Project:
    project.write("plans/hours.yaml", TWO_SCENARIOS)
    return project


def runs(project: Project) -> dict[str, tuple[str, int]]:
    """Per case its outcome and the runs made."""
    return {case["case_id"]: (case["outcome"], case["runs_total"]) for case in project.results()["cases"]}


def compared(project: Project) -> tuple[str, str | None]:
    case = next(case for case in project.results()["cases"] if case["case_id"] == NEVER)
    return case["compared"], case["not_comparable"]


def test_a_changed_plan_is_no_regression(plan: Project, service: Served) -> None:
    """Another prompt is another case: chance has no part in it, and it fails all the same. Where only expectations changed,
    the older calls are judged by them, and the agent can be seen to be as it was, or to be worse."""
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "any_of: [Iris]")
    plan.planner("run", CONSENT)
    plan.write("first.json", (plan.root / "reports/results.json").read_text())
    plan.edit("plans/hours.yaml", "You are Ana, calm.", "You are Ana, patient.")
    plan.edit("plans/hours.yaml", "any_of: [Iris]", "any_of: [xylophone]")
    ran = plan.planner("run", CONSENT)
    assert (ran.code, runs(plan)[NEVER], compared(plan)) == (1, ("failed", 10), ("not_comparable", "prompt"))
    text = " ".join(ran.out.split())
    assert "1 now failing (10/10 → 0/10), 1 unchanged" in text
    assert plan.results()["suite"] is None
    two = plan.planner("report", "reports/results.json", "first.json")
    assert two.out.startswith("# 1 now failing, 1 unchanged\n")
    assert "- ❌ `hours/never@clinic`: 10 of 10 → 0 of 10 runs passed, caller prompt changed" in two.out
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "any_of: [Iris]")
    plan.planner("run", CONSENT)  # the older calls are judged again
    assert compared(plan)[0] != "regressed"
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    plan.edit("plans/hours.yaml", "any_of: [Iris]", "any_of: [iris, xylophone]")
    assert plan.planner("run", CONSENT).code == 1
    assert compared(plan) == ("regressed", None)
    service.control({"deploy": {"agent_id": 12, "revision": 2}})
    plan.edit("plans/hours.yaml", "any_of: [iris, xylophone]", "any_of: [xylophone]")
    assert plan.planner("run", CONSENT).code == 1
    assert compared(plan) == ("same", None)


def test_a_session_is_compared_with_all_earlier_ones(failed: Project) -> None:
    suites: list[dict[str, Any]] = []
    for _ in range(2):
        assert failed.planner("run", CONSENT, "--rerun", "all").code == 1
        suites.append(failed.results()["suite"])
    found = [(suite["sessions"], suite["runs_before"], suite["compared"]) for suite in suites]
    assert found == [(1, 4, "not_enough_evidence"), (2, 8, "not_enough_evidence")]
