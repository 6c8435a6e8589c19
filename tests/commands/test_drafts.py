"""An undeployed draft on a called agent is a warning that names the target, wherever plans and results are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import planner.sandbox.worlds

WARNING = "target `clinic`: agent 12 has an undeployed draft"
NAME = "    name: Larkfield Clinic appointments\n"
PLAIN = "target clinic: agent 12 has an undeployed draft"


@pytest.fixture
def drafted(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The demo's world with a draft on the clinic's agent, and a job summary to append to."""
    world = (Path(planner.sandbox.worlds.__file__).parent / "demo.yaml").read_text("utf-8")
    assert NAME in world
    project.write("w.yaml", world.replace(NAME, NAME + "    draft_prompt: You are rude.\n"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return project


def read(project: Any, name: str) -> str:
    return " ".join((project.root / name).read_text("utf-8").split())


def test_a_draft_is_a_warning_in_the_plan(drafted: Any) -> None:
    """As text, as JSON, and in the Markdown of the job summary and the comment."""
    options = ("plan", "--sandbox", "--world", "w.yaml")
    shown = drafted.planner(*options)
    assert shown.code == 0
    assert WARNING in " ".join(shown.out.split())
    assert PLAIN in read(drafted, "summary.md").replace("`", "")
    (warning,) = drafted.planner(*options, "--format", "json").json["warnings"]
    assert warning.startswith(WARNING)


def test_a_draft_is_a_warning_in_the_results(drafted: Any) -> None:
    """On both streams, in every report and the job summary; no outcome and no exit code depends on it."""
    ran = drafted.planner("run", "--sandbox", "--world", "w.yaml", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert WARNING in " ".join(ran.out.split())
    assert WARNING in " ".join(ran.err.split())
    (warning,) = drafted.results()["warnings"]
    assert warning.startswith(WARNING)
    assert drafted.results()["outcome"] == "passed"
    shown = [read(drafted, name) for name in ("reports/report.md", "reports/junit.xml", "summary.md")]
    assert all(PLAIN in text.replace("`", "") for text in shown)
    assert PLAIN in read(drafted, "reports/report.html").replace("<code>", "").replace("</code>", "")
    again = drafted.planner("report", "reports/results.json", "--format", "json")
    assert json.loads(again.out)["warnings"] == [warning]
