"""Renamed plans reuse earlier results if nothing else changed."""

from __future__ import annotations

from typing import Any

SATURDAY = "saturday[name={}]@clinic"


def test_a_plan_with_another_name(project: Any, service: Any) -> None:
    """Under another name, in the same file or another, no case is called again; the plan that is gone does not linger."""
    assert project.planner("run", "--consent-to-charge").code == 0
    project.edit("plans/hours.yaml", "plan: hours", "plan: opening")
    renamed = {f"opening/{case}": ("recheck", "renamed", 0) for case in _cases()}
    assert project.actions() == renamed
    assert project.planner("run").code == 0
    assert project.actions() == {f"opening/{case}": ("keep", "passed", 0) for case in _cases()}
    (project.root / "plans/hours.yaml").rename(project.root / "plans/opening.yaml")
    project.edit("plans/opening.yaml", "plan: opening", "plan: doors")
    project.edit("plans/opening.yaml", "of Monday", "of Tuesday")
    assert project.actions() == {
        f"doors/{SATURDAY.format('Ana')}": ("recheck", "renamed", 0),
        f"doors/{SATURDAY.format('Bob')}": ("recheck", "renamed", 0),
        "doors/cancel@clinic": ("call", "new", 1),
    }
    assert len(service.own_runs()) == 5


def test_a_copy_of_a_plan_is_not_a_rename(project: Any, service: Any) -> None:
    """While the plan is there, another that asks for the same has calls of its own; so has it in another environment."""
    project.write("planner.yaml", "environments: {staging: {clinic: {agent: 12}}}\n")
    assert project.planner("run", "--consent-to-charge").code == 0
    text = (project.root / "plans/hours.yaml").read_text()
    project.write("plans/copy.yaml", text.replace("plan: hours", "plan: copy"))
    assert {action for action, _, _ in project.actions("plans/copy.yaml").values()} == {"call"}
    (project.root / "plans/hours.yaml").unlink()
    assert {reason for _, reason, _ in project.actions().values()} == {"renamed"}
    assert {reason for _, reason, _ in project.actions("--environment", "staging").values()} == {"new"}
    assert {reason for _, reason, _ in project.actions("--select", "*Ana*").values()} == {"new"}
    assert len(service.own_runs()) == 5


def _cases() -> list[str]:
    return [SATURDAY.format("Ana"), SATURDAY.format("Bob"), "cancel@clinic"]
