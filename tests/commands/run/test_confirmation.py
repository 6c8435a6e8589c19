"""`policy.confirm`: suspicious cases are called again at once, before they count as regressed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
POLICY = "policy: {confirm: true}\n"
NAME = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  name:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 5
    min_pass_rate: 0.2
    expect: [{check: says, any_of: [Iris]}]
"""
CENTS = 16
"""Of a call."""


@pytest.fixture
def edited(project: Project, service: Served) -> Project:
    """Five of five calls passed, and then the agent was edited so that none does. Two calls may be added."""
    project.write("plans/hours.yaml", NAME)
    project.write("planner.yaml", POLICY)
    assert project.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 5
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    return project


def case_of(project: Project) -> dict[str, Any]:
    (case,) = project.results()["cases"]
    return case


def confirmed(project: Project) -> tuple[str, int, int]:
    case = case_of(project)
    return case["compared"], len(case["runs"]), len(case["confirmation"])


def test_the_calls_that_may_be_added_are_part_of_the_price(edited: Project) -> None:
    """Of the set of calls, too: if somebody agreed to a set without them, none is added."""
    planned = edited.planner("plan")
    document = edited.planner("plan", "--format", "json").json
    assert "Calls: 5, and up to 2 to confirm a regression" in " ".join(planned.out.split())
    assert "5 calls, and up to 2 to confirm a regression" in " ".join(edited.planner("run").err.split())
    edited.write("planner.yaml", "policy: {confirm: false}\n")
    without = edited.planner("plan", "--format", "json").json
    assert without["digest"] != document["digest"]
    assert document["estimate"]["high_cents"] >= without["estimate"]["high_cents"] + 2 * CENTS
    assert document["estimate"]["expected_cents"] == without["estimate"]["expected_cents"]
    edited.write("planner.yaml", POLICY)
    assert edited.planner("run", CONSENT, "--digest", without["digest"]).code == 1
    assert confirmed(edited) == ("regressed", 5, 0)


def test_a_new_case_has_nothing_to_confirm(project: Project) -> None:
    project.write("plans/hours.yaml", NAME)
    project.write("planner.yaml", POLICY)
    assert "to confirm" not in project.planner("plan").out


def test_a_suspicious_case_is_called_again(edited: Project, service: Served) -> None:
    """The added calls are shown apart, and count for nothing else: not in the pass rate, nor in later comparisons."""
    ran = edited.planner("run", CONSENT)
    case = case_of(edited)
    assert (ran.code, confirmed(edited), len(service.own_runs())) == (1, ("regressed", 5, 2), 12)
    assert (case["runs_total"], case["runs_passed"], case["latest"]["runs_countable"]) == (5, 0, 5)
    assert "called again to be sure: 0/2 passed" in " ".join(ran.out.split())
    assert "called again to be sure: 0/2 passed" in (edited.root / "reports/report.md").read_text()
    assert edited.results()["cost"]["actual_cents"] == 7 * CENTS
    assert edited.results()["suite"]["runs_now"] == 5
    probability = case["probability_regressed"]
    assert edited.planner("run", "--offline").code == 1
    assert (confirmed(edited), case_of(edited)["probability_regressed"]) == (("regressed", 5, 2), probability)
    assert edited.planner("run", CONSENT).code == 1
    assert (confirmed(edited), len(service.own_runs())) == (("regressed", 5, 2), 12)


def test_a_session_that_is_killed_between_added_calls_pays_each_once(edited: Project, service: Served) -> None:
    edited.limit_calls(1)
    service.hold(6, retry_after_seconds=600)
    edited.killed("run", CONSENT, when=edited.rests)
    assert len(service.own_runs()) == 5 + 6
    service.release()
    assert edited.planner("run", CONSENT).code == 1
    assert (confirmed(edited), len(service.own_runs())) == (("regressed", 5, 2), 12)
    paid = {run["run_id"] for case in edited.results()["cases"] for run in (*case["runs"], *case["confirmation"])}
    assert len(paid) == 7
    assert edited.results()["cost"]["actual_cents"] == 7 * CENTS


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
def test_an_added_call_without_an_answer_is_found_and_not_repeated(edited: Project, service: Served, kind: str) -> None:
    """The service did the work of the second launch of this session."""
    service.control({"faults": [{"kind": kind, "route": "launch", "after": 1, "times": 1}]})
    edited.planner("run", CONSENT)
    assert edited.planner("run", CONSENT).code == 1
    assert (confirmed(edited), len(service.own_runs())) == (("regressed", 5, 2), 12)


def test_a_ceiling_that_is_too_low_for_them_leaves_the_planned_calls(edited: Project, service: Served) -> None:
    """They are judged without the added ones."""
    digest = edited.planner("plan", "--format", "json").json["digest"]
    assert edited.planner("run", CONSENT, "--digest", digest, "--max-cost", "0.96").code == 1
    assert confirmed(edited) == ("regressed", 5, 0)
    assert len(service.own_runs()) == 10
