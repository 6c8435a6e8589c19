"""Retrying until green does not help: end to end, a case that failed is judged by all of its runs, and each is paid for once."""

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
  every-other:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 4
    min_pass_rate: 0.7
    when_settled: continue
    expect: [{check: expression, cel: "run.run_id % 2 == 0"}]
"""


@pytest.fixture
def failed(project: Project, service: Served) -> Project:
    """Two of four calls passed, 70 % needed."""
    project.write("plans/hours.yaml", PLAN)
    assert project.planner("run", CONSENT).code == 1
    assert counts(project) == (2, 4)
    return project


def case_of(project: Project) -> dict[str, Any]:
    (case,) = project.results()["cases"]
    return case


def counts(project: Project) -> tuple[int, int]:
    return case_of(project)["runs_passed"], case_of(project)["runs_total"]


def test_a_retry_adds_to_the_runs_and_pays_for_its_own(failed: Project, service: Served) -> None:
    """2 of 4 twice is 4 of 8; the bill is that of the new calls. Then 70 % is out of reach, and nobody is called."""
    first = failed.results()
    assert failed.planner("run", CONSENT).code == 1
    second, case = failed.results(), case_of(failed)
    assert (counts(failed), case["pass_rate"], case["outcome"]) == ((4, 8), 0.5, "failed")
    assert [(side["runs_passed"], side["runs_countable"]) for side in (case["before"], case["latest"])] == [(2, 4)] * 2
    assert (case["compared"], len({run["run_id"] for run in case["runs"]})) == ("same", 8)
    total = service.ledger()["total_cents"]
    assert sum(run["cost_cents"] for run in case["runs"]) == total
    assert first["cost"]["actual_cents"] + second["cost"]["actual_cents"] == total
    assert second["cost"]["this_invocation_cents"] == second["cost"]["actual_cents"]
    assert second["cost"]["carried_cents"] == first["cost"]["actual_cents"]

    ran = failed.planner("run", CONSENT)
    case = case_of(failed)
    assert (ran.code, case["action"], case["reason"], counts(failed)) == (1, "keep", "out_of_reach", (4, 8))
    assert "--fresh REASON" in " ".join(ran.out.split())
    assert service.ledger()["total_cents"] == total
    assert failed.results()["cost"]["actual_cents"] == 0
    assert failed.planner("run", CONSENT, "--rerun", "failed").code == 1
    assert counts(failed) == (6, 12)


def test_retrying_a_selected_case_adds_up(failed: Project, service: Served) -> None:
    """Results of some cases only are no baseline, but their runs count: until 70 % is out of reach, also in a run of all cases."""
    only = ("--select", "*every-other*")
    failed.planner("run", CONSENT, *only)
    assert (counts(failed), failed.results()["partial"]) == ((4, 8), True)
    failed.planner("run", CONSENT, *only)
    assert (counts(failed), case_of(failed)["reason"]) == ((4, 8), "out_of_reach")
    assert failed.planner("run", CONSENT).code == 1
    assert (counts(failed), case_of(failed)["reason"], len(service.own_runs())) == ((4, 8), "out_of_reach", 8)
    failed.planner("run", CONSENT, *only, "--rerun", "failed")
    assert (counts(failed), len(service.own_runs())) == ((6, 12), 12)


def test_fresh_sets_earlier_runs_aside_on_the_record(failed: Project, service: Served) -> None:
    """With who said why, and when; it calls what would be called, and nothing that is kept."""
    ran = failed.planner("run", CONSENT, "--fresh", "the lookup tool was fixed")
    results, case = failed.results(), case_of(failed)
    assert (ran.code, counts(failed)) == (1, (2, 4))
    assert case["fresh"] == results["fresh"]
    assert (case["fresh"]["reason"], bool(case["fresh"]["by"]), bool(case["fresh"]["at"])) == (
        "the lookup tool was fixed",
        True,
        True,
    )
    assert "the lookup tool was fixed" in (failed.root / "reports/report.md").read_text()
    assert len(service.own_runs()) == 8
    failed.edit("plans/hours.yaml", "min_pass_rate: 0.7", "min_pass_rate: 0.5")
    assert failed.planner("run").code == 0
    assert failed.planner("run", CONSENT, "--fresh", "x").code == 0
    assert (case_of(failed)["action"], len(service.own_runs())) == ("keep", 8)
    assert case_of(failed)["fresh"]["reason"] == "the lookup tool was fixed"
    assert failed.planner("run", "--fresh", " ").code == 2
