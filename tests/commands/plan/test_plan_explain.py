"""`planner plan --explain CASE`: the whole story of a case, against a sandbox on a socket."""

from __future__ import annotations

import re

import pytest
from inline_snapshot import snapshot

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def _told(project: Project, *arguments: str) -> str:
    ran = project.planner("plan", *arguments)
    assert ran.code == 0, ran.err
    text = re.sub(r"\d{8}T\d{9}-[0-9a-f]{8}", "INVOCATION", ran.out)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z [0-9a-f]{12}", "WHEN DIGEST", text)
    text = re.sub(r"\d+ (s|min)\b", "N s", text)
    return re.sub(r"newest N s ago, oldest N s, made by\s+INVOCATION", "N s ago, made by INVOCATION", text)


@pytest.fixture
def called(project: Project, service: Served) -> Project:
    """All cases passed once, on an agent with two revisions."""
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    assert project.planner("run", CONSENT).code == 0
    return project


def test_a_new_case(project: Project) -> None:
    """Keyless: what would be called, and that neither the agent nor the price is known."""
    assert _told(project, "--explain", "hours/cancel@clinic") == snapshot("""\
hours/cancel@clinic
  action      called, 1 call: new
  calls       agent 12 · outbound · bot
  agent       revision unknown (--refresh asks the service)
  expects     1 expectation: duration
  stored      nothing
  price       unknown (no past runs and the product is unknown)
""")


def test_an_edited_prompt(called: Project) -> None:
    """What changed, in lines, and what the stored runs were."""
    called.edit("plans/hours.yaml", "Monday", "Tuesday")
    assert _told(called, "--refresh", "--explain", "*cancel*") == snapshot("""\
hours/cancel@clinic
  action      called, 1 call: prompt changed
  calls       agent 14 · outbound · bot
  agent       revision WHEN DIGEST, as in the stored runs
  inputs      - You are Dora Diaz, polite. Cancel your appointment of Monday.
              + You are Dora Diaz, polite. Cancel your appointment of Tuesday.
  expects     1 expectation: duration
              same as for the stored runs
  stored      passed: 1 of 1 run passed, N s ago, made by INVOCATION
  price       $0.16 a call ($0.16–$0.32; 5 past runs of these targets)
""")


def test_an_edited_expectation(called: Project) -> None:
    """Which expectations came and went, and that judging again is free."""
    called.edit("plans/hours.yaml", "{check: duration, max_seconds: 600}", "{check: latency, max_ms: 60000}")
    assert _told(called, "--explain", "*cancel*") == snapshot("""\
hours/cancel@clinic
  action      rechecked: expectations changed (1 stored run · free)
  calls       agent 14 · outbound · bot
  agent       revision WHEN DIGEST, as in the stored runs
  inputs      same as in the stored runs
  expects     1 expectation: latency
              - duration: max_seconds 600
              + latency: max_ms 60000
  stored      passed: 1 of 1 run passed, N s ago, made by INVOCATION
""")
    called.edit("plans/hours.yaml", "max_ms: 60000", "id: duration, max_ms: 60000")
    assert "+ duration (latency): max_ms 60000" in _told(called, "--explain", "*cancel*")


def test_more_runs_and_a_dropped_case(called: Project) -> None:
    """Shows stored and missing runs, and cases that are in no plan any more."""
    text = (called.root / "plans/hours.yaml").read_text()
    called.write("plans/hours.yaml", text[: text.index("  cancel:")].replace("runs: 2", "runs: 3"))
    message = _told(called, "--explain", "*name=Ana*", "--explain", "hours/cancel@clinic")
    assert message == snapshot("""\
hours/saturday[name=Ana]@clinic
  action      called, 1 call, in addition to 2 stored runs: runs raised
  calls       agent 14 · outbound · bot
  agent       revision unknown (--refresh asks the service); in the stored runs
              WHEN DIGEST
  inputs      same as in the stored runs
  expects     1 expectation: call
              same as for the stored runs
  stored      passed: 2 of 2 runs passed, N s ago, made by INVOCATION
  price       $0.16 a call ($0.16–$0.32; 4 past runs of these scenarios)

hours/cancel@clinic
  action      dropped: no longer in the plan
  stored      passed: 1 of 1 run passed, N s ago, made by INVOCATION
""")


def test_for_programs(called: Project) -> None:
    """Inputs now and then, fingerprints, what is stored, the price; phone numbers as others may see them."""
    called.edit("plans/hours.yaml", "Monday", "Tuesday, my number is 415 555 0199")
    ran = called.planner("plan", "--explain", "*cancel*", "--format", "json")
    (story,) = ran.json["explanations"]
    assert story["inputs"]["now"]["prompt"].endswith("of Tuesday, my number is ••• ••• ••99.\n")
    assert story["inputs"]["stored"]["prompt"].endswith("of Monday.\n")
    assert story["fingerprints"]["now"]["call"] != story["fingerprints"]["stored"]["call"]
    assert story["fingerprints"]["now"]["check"] == story["fingerprints"]["stored"]["check"]
    assert (story["action"], story["reason"], story["runs"]) == ("call", "prompt_changed", 1)
    assert (story["stored"]["outcome"], story["price"]["expected_cents"] > 0) == ("passed", True)


def test_an_unknown_case(project: Project) -> None:
    ran = project.planner("plan", "--explain", "hours/cancle@clinic")
    assert (ran.code, "Did you mean hours/cancel@clinic?" in ran.err) == (2, True)
