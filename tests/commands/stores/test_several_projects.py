"""Projects of one repository that share a store: each has the cases of its own plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are NAME, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
"""
CASE = "hours/saturday@clinic"
STORE = ("--sandbox", "--store", "../store")


@pytest.fixture
def repository(project: Any) -> Path:
    root: Path = project.root
    (root / ".git").mkdir()
    for folder, caller in (("bookings", "Ana"), ("refunds", "Bob")):
        project.write(f"{folder}/planner.yaml", "")
        project.write(f"{folder}/plans/hours.yaml", PLAN.replace("NAME", caller))
    return root


def work_in(project: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    project.root = folder
    monkeypatch.chdir(folder)
    return project


@pytest.mark.parametrize("name", ["", "name: desk\n"])
def test_the_newest_session_of_another_project_is_none_of_ours(
    project: Any, repository: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Both have a case of this name, and different prompts. A project with a name can move to another folder."""
    for folder in ("bookings", "refunds"):
        here = work_in(project, repository / folder, monkeypatch)
        here.write("planner.yaml", name if folder == "bookings" else "")
        assert here.planner("run", "--consent-to-charge", *STORE).code == 0
    (repository / "bookings").rename(repository / "moved")
    moved = work_in(project, repository / "moved", monkeypatch)
    expected = ("reuse", "passed", 0)
    assert moved.actions(*STORE) == {CASE: expected}
    changes = moved.planner("plan", "--format", "json", *STORE).json["changes"]
    assert [change["action"] for change in changes] == ["reuse"]
    moved.edit("plans/hours.yaml", "calm", "angry")
    reason = "caller_prompt_changed" if name else "new"
    assert moved.actions(*STORE) == {CASE: ("call", reason, 1)}
