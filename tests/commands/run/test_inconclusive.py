"""A case whose calls never count: it is called twice, and then only if somebody asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CASE = "hours/cancel@clinic"
CONSENT = "--consent-to-charge"


def planned(project: Project, *options: str) -> Any:
    changes = project.planner("plan", "--format", "json", *options).json["changes"]
    return next(change for change in changes if change["case_id"] == CASE)


@pytest.mark.parametrize("options", [(), ("--select", "*cancel*")])
def test_calls_that_never_count_are_not_paid_for_in_every_session(
    project: Project, service: Served, options: tuple[str, ...]
) -> None:
    """Also if only this case is selected, which makes no baseline."""
    project.edit("plans/hours.yaml", "    matrix:\n      axes:\n        name: [Ana, Bob]\n    runs: 2\n", "")
    project.edit("plans/hours.yaml", "{{ name }}", "Ana")
    service.control({"faults": [{"kind": "fail_run"}]})
    session = ("run", CONSENT, *options)
    cases = 1 if options else 2
    for number in (1, 2):
        assert planned(project, *options)["action"] == "call"
        assert project.planner(*session).code == 4
        assert len(service.own_runs()) == number * cases
    change = planned(project, *options)
    assert (change["action"], change["reason"], change["runs"]) == ("recheck", "inconclusive", 0)
    assert "caused by the platform" in change["detail"]
    assert "--rerun failed" in change["detail"]
    assert project.planner("plan", *options).out.endswith("--rerun failed\n")

    assert project.planner(*session).code == 4
    assert len(service.own_runs()) == 2 * cases
    assert any("--rerun failed" in step["command"] for step in project.results()["next_steps"])

    assert project.planner(*session, "--rerun", "failed").code == 4
    assert project.planner(*session).code == 4
    assert len(service.own_runs()) == 3 * cases

    service.release()
    assert project.planner(*session, "--rerun", "failed").code == 0
    (case,) = [case for case in project.results()["cases"] if case["case_id"] == CASE]
    assert (case["outcome"], case["inconclusive_sessions"]) == ("passed", 0)
    assert len(service.own_runs()) == 4 * cases


@pytest.mark.parametrize(
    ("old", "new"),
    [("Dora Diaz, polite", "Dora Diaz, angry"), ("  cancel:\n", "  cancel:\n    runs: 3\n")],
)
def test_another_call_or_more_runs_are_called_again(project: Project, service: Served, old: str, new: str) -> None:
    service.control({"faults": [{"kind": "fail_run"}]})
    for _ in range(2):
        assert project.planner("run", CONSENT).code == 4
    assert planned(project)["action"] == "recheck"
    project.edit("plans/hours.yaml", old, new)
    assert planned(project)["action"] == "call"
