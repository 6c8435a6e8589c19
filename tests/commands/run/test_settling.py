"""Calls that can no longer matter are not made: by `run`, end to end, and not by any run after it."""

from __future__ import annotations

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"

PLAN = """\
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
    project.write("plans/hours.yaml", PLAN)
    return project


def runs(project: Project) -> dict[str, tuple[str, int, int]]:
    """Per case its outcome, the runs made and those not needed."""
    return {
        case["case_id"]: (case["outcome"], case["runs_total"], case["runs_not_needed"])
        for case in project.results()["cases"]
    }


def test_calls_that_cannot_matter_are_not_made_now_or_later(plan: Project, service: Served) -> None:
    """Five of ten calls settle the case, and the reports say so; a recheck that leaves it settled stays free, and one that does
    not calls the missing ones only."""
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "matches: 'xylophone|zebra'")
    ran = plan.planner("run", CONSENT)
    assert ran.code == 1
    assert runs(plan) == {NEVER: ("failed", 5, 5), ALWAYS: ("passed", 5, 0)}
    assert len(service.own_runs()) == 10
    assert plan.results()["finished"] is True
    text = "settled after 5 of 10 runs, the others were not needed"
    assert text in " ".join(ran.out.split())
    assert "5 calls not needed" in ran.out
    assert text in (plan.root / "reports" / "report.md").read_text()
    plan.edit("plans/hours.yaml", "xylophone|zebra", "xylophone|okapi")
    assert plan.actions()[NEVER] == ("recheck", "expectations_changed", 0)
    plan.planner("run")
    assert runs(plan)[NEVER] == ("failed", 5, 5)
    plan.edit("plans/hours.yaml", "xylophone|okapi", "xylophone|[aeiou]")
    assert plan.actions()[NEVER] == ("call", "expectations_changed", 5)
    assert plan.planner("run", CONSENT).code == 0
    assert runs(plan) == {NEVER: ("passed", 10, 0), ALWAYS: ("passed", 5, 0)}
    assert len(service.own_runs()) == 15


def test_a_case_that_got_worse_is_called_to_the_end(plan: Project, service: Served) -> None:
    """It passed before, so all its calls are made to decide whether it regressed."""
    plan.edit("plans/hours.yaml", "xylophone", "Iris")
    plan.planner("run", CONSENT)
    assert runs(plan)[NEVER] == ("passed", 10, 0)
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    assert plan.planner("run", CONSENT).code == 1
    assert runs(plan)[NEVER] == ("failed", 10, 0)
    assert compared(plan) == ("regressed", None)
    assert plan.planner("run", CONSENT).code == 1
    assert runs(plan)[NEVER] == ("failed", 10, 0)  # kept: 10 calls that pass would make 10 of 20
    assert plan.planner("run", CONSENT, "--rerun", "failed").code == 1
    assert runs(plan)[NEVER] == ("failed", 15, 5)  # failed as before: a difference cannot be shown any more
    assert len(service.own_runs()) == 10 + 5 + 10 + 5 + 5


def compared(project: Project) -> tuple[str, str | None]:
    case = next(case for case in project.results()["cases"] if case["case_id"] == NEVER)
    return case["compared"], case["not_comparable"]


def test_a_changed_plan_is_no_regression(plan: Project, service: Served) -> None:
    """Another prompt is another case: its calls stop as those of a new one, chance has no part in it, and it fails all the same. Where
    only expectations changed, the older calls are judged by them, and the agent can be seen to be as it was, or to be worse."""
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "any_of: [Iris]")
    plan.planner("run", CONSENT)
    plan.write("first.json", (plan.root / "reports/results.json").read_text())
    plan.edit("plans/hours.yaml", "You are Ana, calm.", "You are Ana, patient.")
    plan.edit("plans/hours.yaml", "any_of: [Iris]", "any_of: [xylophone]")
    ran = plan.planner("run", CONSENT)
    assert (ran.code, runs(plan)[NEVER], compared(plan)) == (1, ("failed", 5, 5), ("not_enough_evidence", "prompt"))
    text = " ".join(ran.out.split())
    assert "1 not comparable (1 failing), 1 same" in text
    assert "An expectation failed, in cases whose plan changed" in text
    assert plan.results()["suite"] is None
    two = plan.planner("report", "reports/results.json", "first.json")
    assert two.out.startswith("# 1 not comparable, 1 same\n")
    assert (
        "## Not comparable (1)\n\n- ❔ `hours/never@clinic`: 10 of 10 → 0 of 5 runs passed, passed → failed: prompt changed"
        in two.out
    )
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "any_of: [Iris]")
    plan.planner("run", CONSENT)  # missing calls only: the older ones are judged again
    assert compared(plan)[0] != "regressed"
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    plan.edit("plans/hours.yaml", "any_of: [Iris]", "any_of: [iris, xylophone]")
    assert plan.planner("run", CONSENT).code == 1
    assert compared(plan) == ("regressed", None)
    service.control({"deploy": {"agent_id": 12, "revision": 2}})
    plan.edit("plans/hours.yaml", "any_of: [iris, xylophone]", "any_of: [xylophone]")
    assert plan.planner("run", CONSENT).code == 1
    assert compared(plan) == ("same", None)


def test_a_critical_failure_settles_at_once_unless_all_calls_are_asked_for(plan: Project, service: Served) -> None:
    """No call is launched after it, those under way are judged too; `when_settled: continue` makes all."""
    plan.edit("plans/hours.yaml", "any_of: [xylophone]", "any_of: [xylophone], severity: critical")
    assert plan.planner("run", CONSENT).code == 1
    outcome, made, skipped = runs(plan)[NEVER]
    assert (outcome, made + skipped) == ("failed", 10)
    assert 1 <= made <= 5
    assert len(service.own_runs()) == 5 + made
    plan.edit("plans/hours.yaml", "    min_pass_rate: 0.8\n", "    min_pass_rate: 0.8\n    when_settled: continue\n")
    plan.planner("run", CONSENT, "--fresh", "test")
    assert runs(plan)[NEVER] == ("failed", 10, 0)
    assert len(service.own_runs()) == 5 + made + 10
