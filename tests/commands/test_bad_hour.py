"""A pull request in which everything is worse than on the base branch: it may be its agent, or a bad hour of the platform."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ci_jobs import Jobs

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import STORE, gate  # pyright: ignore[reportMissingImports]

NAMES = [f"name{number:02}" for number in range(24)]
PLAN = f"""\
version: 1
plan: hours
targets: {{clinic: {{agent: 1}}}}
defaults: {{runs: 5, calls: equal, min_pass_rate: 0.2}}
scenarios:
  hours:
    prompt: "You are {{{{ who }}}}. Ask when they are open."
    matrix: {{axes: {{who: [{", ".join(NAMES)}]}}}}
    expect: [{{check: says, any_of: [we open at eight]}}]
"""
WORLD = """\
version: 1
world: clinic
agents:
  1:
    name: Clinic
    revisions: {1: {updated_at: 2026-01-01T00:00:00Z, prompt: You answer the phone.}}
    dialogues:
      hours:
        prompt: 'You are (?P<who>\\w+)'
        turns:
          - agent: Clinic, hello.
          - caller: When are you open?
          - choose:
              - {probability: RATE, turns: [{agent: We open at eight.}]}
              - turns: [{agent: I do not know.}]
          - end: agent_end
"""
OPTIONS = ("--world", "world.yaml")


def called(
    jobs: Jobs, tmp_path: Path, rate: float, code: int, *words: str, number: int | None = 7
) -> dict[str, object]:
    """Call all cases of a world in which agents answer as often as this, and publish the answer."""
    jobs.branch("topic" if number else "main")
    retries = "runs: 5, retries: 1" if number else "runs: 5"  # touches all cases
    jobs.edit(world=WORLD.replace("RATE", str(rate)), plans__hours=PLAN.replace("runs: 5", retries))
    project = jobs.start(number, branch="topic" if number else "main")
    ran = project.planner("run", "--sandbox", *OPTIONS, "--consent-to-charge", "--rerun", "all", *words)
    assert ran.code == code, ran.out + ran.err
    assert {case["action"] for case in project.results()["cases"]} == {"call"}
    if number is None:
        return {}
    file = tmp_path / "publication.json"
    gate(project, code, *OPTIONS, "--publication", str(file))
    return json.loads(file.read_text())


def call_in_a_bad_hour(jobs: Jobs) -> None:
    """Three sessions of the default branch, and one of a pull request in which everything is worse."""
    jobs.begin(plans__hours=PLAN, planner=STORE, world=WORLD.replace("RATE", "0.97"))
    for _ in range(3):
        called(jobs, jobs.folder, 0.97, 0, number=None)
    found = called(jobs, jobs.folder, 0.65, 4)
    assert found["state"] == "pending"
    assert re.search(r"/planner run sha256:[0-9a-f]{64} up to [\d.]+ rerun all", str(found["comment"]))
    assert "regressed" not in {case["compared"] for case in jobs.project.results()["cases"]}


def test_another_session_tells_a_worse_agent_from_a_bad_hour(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second, code, state in ((0.65, 1, "failure"), (0.97, 0, "success")):
        folder = tmp_path / state
        folder.mkdir()
        jobs = Jobs(folder, project, monkeypatch)
        jobs.begin_as(tmp_path / "kept", call_in_a_bad_hour)
        assert called(jobs, folder, second, code)["state"] == state
