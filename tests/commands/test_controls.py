"""Controls: calls of the deployed agent beside those of its preview tell a bad hour of the platform from a worse agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ci_jobs import Jobs

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import STORE, gate  # pyright: ignore[reportMissingImports]

NAMES = [f"name{number:02}" for number in range(24)]
PLAN = f"""\
version: 1
plan: hours
targets: {{clinic: {{agent: 1, config: ../agents/clinic.yaml}}}}
defaults: {{runs: 5, min_pass_rate: 0.2, controls: 0}}
scenarios:
  hours:
    prompt: "You are {{{{ who }}}}. Ask when they are open."
    matrix: {{axes: {{who: [{", ".join(NAMES)}]}}}}
    expect: [{{check: says, any_of: [we open at eight]}}]
"""
DIALOGUE = """\
      {name}:
        prompt: 'You are (?P<who>\\w+)'
        agent_prompt: {agent_prompt}
        turns:
          - agent: Clinic, hello.
          - caller: When are you open?
          - choose:
              - {{probability: {rate}, turns: [{{agent: We open at eight.}}]}}
              - turns: [{{agent: I do not know.}}]
          - end: agent_end
"""
DEPLOYED, EDITED = "You answer the phone.", "You answer briefly."
OPTIONS = ("--world", "world.yaml")


def world(deployed: float, edited: float) -> str:
    """The agent as it is deployed and its preview answer as often as this."""
    head = f"""\
version: 1
world: clinic
agents:
  1:
    name: Clinic
    revisions: {{1: {{updated_at: 2026-01-01T00:00:00Z, prompt: {DEPLOYED}}}}}
    dialogues:
"""
    dialogues = ((DEPLOYED, deployed), (EDITED, edited))
    return head + "".join(
        DIALOGUE.format(name=f"hours{number}", agent_prompt=prompt, rate=rate)
        for number, (prompt, rate) in enumerate(dialogues)
    )


def make_history(jobs: Jobs) -> None:
    """Two sessions of the default branch, which make no controls, and a pull request that edits the agent."""
    deployed = f"prompt: {DEPLOYED}\n"
    jobs.begin(plans__hours=PLAN, planner=STORE, world=world(0.97, 0.97), agents__clinic=deployed)
    for _ in range(2):
        ran = jobs.start(None).planner("run", "--sandbox", *OPTIONS, "--consent-to-charge", "--rerun", "all")
        assert ran.code == 0, ran.out + ran.err
        assert (jobs.project.results()["controls"], jobs.project.results()["previews"]) == ([], [])
    jobs.branch("topic")
    jobs.edit(agents__clinic=f"prompt: {EDITED}\n")


@pytest.mark.parametrize(
    ("controls", "deployed", "codes"),
    [(0, 0.45, {1, 4}), (24, 0.45, {0}), (24, 0.99, {1})],
    ids=["without-controls", "bad-hour", "worse-agent"],
)
def test_a_bad_hour_and_a_worse_agent(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    controls: int,
    deployed: float,
    codes: set[int],
) -> None:
    """Without controls, a session in which everything is worse is never green."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin_as(tmp_path_factory.getbasetemp() / "controls", make_history)
    jobs.edit(world=world(deployed, 0.6), plans__hours=PLAN.replace("controls: 0", f"controls: {controls}"))
    project = jobs.start(7, branch="topic")
    ran = project.planner("run", "--sandbox", *OPTIONS, "--consent-to-charge")
    assert ran.code in codes, ran.out + ran.err
    results = project.results()
    assert (results["suite"]["runs_now"], results["suite"]["runs_controls"]) == (120, controls)
    assert {case["case_id"] for case in results["cases"]} == {f"hours/hours[who={name}]@clinic" for name in NAMES}
    file = tmp_path / "publication.json"
    gate(project, ran.code, *OPTIONS, "--publication", str(file))
    assert json.loads(file.read_text())["state"] == {0: "success", 1: "failure", 4: "pending"}[ran.code]
