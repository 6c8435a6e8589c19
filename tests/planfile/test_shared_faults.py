"""An error in shared files is reported where it is, and causes no further errors in plans."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.planfile.project.load import load_project

PLAN = """\
version: 1
plan: {name}
imports: [voice.yaml]
targets: [support]
defaults: {{expect: [use: polite]}}
scenarios:
  one:
    prompt: You are {{{{ mood }}}}.
    matrix: {{axes: {{mood: {{use: moods}}}}, exclude: [{{mood: calm}}]}}
    expect: [{{check: judge, rubric: The agent stays polite.}}]
"""
PROJECT = """\
environments:
  production: {support: {agent: 40}}
policy: {allowed_targets: [{agent: 40}]}
judge: {base_url: "https://api.openai.com/v1", model: m, cents_per_vote: 0}
"""
LIBRARY = """\
version: 1
kind: library
axes:
  moods: [calm, furious, sad]
expectations:
  polite: {check: never_says, any_of: [calm down]}
"""
EDITS = {
    "none": ("", "", snapshot([])),
    "a target of the environment": ("{agent: 40}}", "40}", snapshot(["planner.yaml:2:25 wrong-type"])),
    "an allowed target": ("[{agent: 40}]", "[support]", snapshot(["planner.yaml:3:28 wrong-type"])),
    "the price of the judge": ("cents_per_vote: 0", "cents_per_vote: free", snapshot(["planner.yaml:4:74 wrong-type"])),
    "the name of the judge": ("judge:", "model:", snapshot(["planner.yaml:4:1 unknown-key"])),
    "the name of the axes": ("axes:", "matrix:", snapshot(["plans/voice.yaml:3:1 unknown-key"])),
    "the name of the expectations": ("expectations:", "expect:", snapshot(["plans/voice.yaml:5:1 unknown-key"])),
    "values of an axis": ("[calm, furious, sad]", "calm, furious", snapshot(["plans/voice.yaml:4:10 wrong-type"])),
    "one value of an axis": ("[calm,", "[[calm],", snapshot(["plans/voice.yaml:4:11 bad-axis"])),
    "an expectation": ("any_of:", "any:", snapshot(["plans/voice.yaml:6:31 unknown-key"])),
    "an axis of another name": (
        "moods:",
        "mods:",
        snapshot(["plans/first.yaml:9:33 unknown-use", "plans/second.yaml:9:33 unknown-use"]),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_shared_error_is_reported_once(workspace: Any, name: str) -> None:
    """Two plans that use it have no errors of their own."""
    old, new, said = EDITS[name]
    assert not old or old in PROJECT + LIBRARY
    workspace.write("planner.yaml", PROJECT.replace(old, new) if old else PROJECT)
    workspace.write("plans/voice.yaml", LIBRARY.replace(old, new) if old else LIBRARY)
    for plan in ("first", "second"):
        workspace.write(f"plans/{plan}.yaml", PLAN.format(name=plan))
    workspace.environment = "production"
    workspace.project, found = load_project(workspace.root, cwd=workspace.root)
    found.items.extend(workspace.load("plans/first.yaml", "plans/second.yaml")[1].items)
    assert [f"{item.span.file}:{item.span.line}:{item.span.column} {item.code}" for item in found] == said
